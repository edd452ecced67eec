"""How the state of a session becomes bytes: compact msgpack, zstd, optionally AES-GCM.

A blob is one version byte and a payload. The type tag says how to read it, `<inner>~<steps>`:
inner is `msgpack`, `bytes` or `bytearray`; steps are `r` (as is) or `z<dictionary id>` (zstd level 3; 0 is
no dictionary), then `a` when encrypted. There is no "+" in it, which LangGraph gives a meaning of its own.

Only allow-listed classes are revived, never a callable named by the data. Every way of reading is bounded
by MAX_STATE_BYTES before anything is unpacked.
"""

from __future__ import annotations

import re
import threading
from functools import partial
from pathlib import Path
from typing import Any

import zstandard
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from domain.errors import BadInput, StoreCorrupt
from memory import compact
from memory.encryption import StateCipher

VERSION = 1
MAX_STATE_BYTES = 4 * 1024 * 1024
DICTIONARIES = Path(__file__).parent / "dictionaries"
CURRENT_DICTIONARY = 1
NO_DICTIONARY = 0
_LEVEL = 3
_WORTH_COMPRESSING = 64  # bytes; a zstd frame costs 11 to 14
_TAG = re.compile(r"(msgpack|bytes|bytearray)~(?:r|z(\d{1,4}))(a?)")
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RecursionError,
    zstandard.ZstdError,
)


class StateSerializer(JsonPlusSerializer):
    """Strict serializer of checkpoints and writes. Thread-safe.

    `dictionary` names the file of `memory/dictionaries` to write with (0: none; without that file: none);
    all of them can be read.
    """

    def __init__(self, *, cipher: StateCipher | None = None, dictionary: int = CURRENT_DICTIONARY) -> None:
        super().__init__(allowed_msgpack_modules=None)
        self._cipher = cipher
        dictionaries = _load_dictionaries()
        self._dictionary = dictionary if dictionary in dictionaries else NO_DICTIONARY
        self._zstd = _Zstd(dictionaries)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Encode a value that belongs to no thread."""
        return self.dumps_for("", obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Decode a value that belongs to no thread. Raises StoreCorrupt."""
        return self.loads_for("", data)

    def dumps_for(self, thread_id: str, obj: Any) -> tuple[str, bytes]:
        """Encode a value; encrypted, it opens for the same thread only.

        Raises BadInput when the value is larger than MAX_STATE_BYTES, TypeError when it is not serialisable.
        """
        if obj is None:
            return "null", b""
        inner = type(obj).__name__ if isinstance(obj, bytes | bytearray) else "msgpack"
        raw = bytes(obj) if inner != "msgpack" else compact.pack(obj)
        if len(raw) > MAX_STATE_BYTES:
            raise BadInput(f"state of {len(raw)} bytes is larger than {MAX_STATE_BYTES}")
        step, data = self._compress(raw)
        tag = f"{inner}~{step}"
        if self._cipher is not None:
            tag += "a"
            data = self._cipher.seal(data, _context(tag, thread_id))
        return tag, bytes((VERSION,)) + data

    def loads_for(self, thread_id: str, data: tuple[str, bytes]) -> Any:
        """Decode what `dumps_for` wrote for this thread. Raises StoreCorrupt for anything else."""
        tag, blob = data
        if tag == "null":
            return None
        match = _TAG.fullmatch(tag)
        if match is None or not blob or blob[0] != VERSION:
            raise StoreCorrupt(f"state in an unknown format ({tag[:20]!r})")
        inner, dictionary, encrypted = match.groups()
        body = bytes(blob[1:])
        if encrypted:
            body = self._decrypt(body, _context(tag, thread_id))
        try:
            raw = body if dictionary is None else self._zstd.local.decompress(body, int(dictionary))
            return self._revive(inner, raw)
        except _UNREADABLE as error:
            raise StoreCorrupt(f"state cannot be read: {type(error).__name__}") from error

    def rebind(self, source: str, target: str, data: tuple[str, bytes]) -> bytes:
        """The same value as a blob of another thread, under the same tag. Raises StoreCorrupt."""
        tag, blob = data
        if not tag.endswith("a"):
            return blob
        body = self._decrypt(bytes(blob[1:]), _context(tag, source))
        assert self._cipher is not None  # _decrypt refuses without one  # noqa: S101
        return bytes((VERSION,)) + self._cipher.seal(body, _context(tag, target))

    def _compress(self, raw: bytes) -> tuple[str, bytes]:
        if len(raw) >= _WORTH_COMPRESSING:
            packed = self._zstd.local.compress(raw, self._dictionary)
            if len(packed) < len(raw):
                return f"z{self._dictionary}", packed
        return "r", raw

    def _decrypt(self, body: bytes, context: bytes) -> bytes:
        if self._cipher is None:
            raise StoreCorrupt("state is encrypted and MEMORY_ENCRYPTION_KEY is not set")
        return self._cipher.open(body, context)

    def _revive(self, inner: str, raw: bytes) -> Any:
        if len(raw) > MAX_STATE_BYTES:
            raise ValueError("too large")
        if inner == "msgpack":
            # The hook is looked up now: LangGraph clones a serializer and swaps the clone's hook.
            return compact.unpack(raw, self._unpack_ext_hook)
        return raw if inner == "bytes" else bytearray(raw)


class _Zstd:
    """One set of zstd objects per thread: they are not thread-safe."""

    def __init__(self, dictionaries: dict[int, zstandard.ZstdCompressionDict]) -> None:
        self._dictionaries = dictionaries
        self._threads = threading.local()

    @property
    def local(self) -> _Codec:
        codec: _Codec | None = getattr(self._threads, "codec", None)
        if codec is None:
            codec = self._threads.codec = _Codec(self._dictionaries)
        return codec


class _Codec:
    """Compressors and decompressors by dictionary id, for one thread."""

    def __init__(self, dictionaries: dict[int, zstandard.ZstdCompressionDict]) -> None:
        # A checksum finds a flipped bit; the dictionary's id already stands in the tag.
        compressor = partial(zstandard.ZstdCompressor, level=_LEVEL, write_checksum=True, write_dict_id=False)
        self._compressors = {NO_DICTIONARY: compressor()}
        self._decompressors = {NO_DICTIONARY: zstandard.ZstdDecompressor()}
        for number, data in dictionaries.items():
            self._compressors[number] = compressor(dict_data=data)
            self._decompressors[number] = zstandard.ZstdDecompressor(dict_data=data)

    def compress(self, raw: bytes, dictionary: int) -> bytes:
        return self._compressors[dictionary].compress(raw)

    def decompress(self, data: bytes, dictionary: int) -> bytes:
        """Raises ValueError or ZstdError; never allocates more than MAX_STATE_BYTES."""
        size = zstandard.get_frame_parameters(data).content_size
        if size > MAX_STATE_BYTES:  # also true when the frame does not say its size
            raise ValueError("a frame of unknown or too large size")
        return self._decompressors[dictionary].decompress(data, max_output_size=size, allow_extra_data=False)


def _load_dictionaries() -> dict[int, zstandard.ZstdCompressionDict]:
    loaded = {}
    for path in sorted(DICTIONARIES.glob("*.zdict")):
        dictionary = zstandard.ZstdCompressionDict(path.read_bytes())
        dictionary.precompute_compress(level=_LEVEL)
        loaded[int(path.stem)] = dictionary
    return loaded


def _context(tag: str, thread_id: str) -> bytes:
    return f"{VERSION} {tag} {thread_id}".encode()
