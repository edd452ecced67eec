"""Names and proves a web chat without an account: an id of 128 random bits and our signature."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import Protocol

NAMESPACE = "web"
KEY_NAME = "chat_key"
ID_BYTES = 16
SIGNATURE_BYTES = 16


class KeyNotes(Protocol):
    """Where the signing key is kept: the Store's notes."""

    async def get(self, namespace: str, name: str) -> object:
        """The value or None."""
        ...

    async def put(self, namespace: str, values: dict[str, object]) -> None:
        """Write values."""
        ...


class ChatTokens:
    """Issues chat tokens and reads them back. Stateless: nothing is stored until a chat writes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    async def load(cls, notes: KeyNotes) -> ChatTokens:
        """With the key of this database, made at the first start: chats go on after a restart."""
        if await notes.get(NAMESPACE, KEY_NAME) is None:
            await notes.put(NAMESPACE, {KEY_NAME: secrets.token_hex(32)})
        # Read back: of two processes that start at once, both use the one that was written last.
        return cls(bytes.fromhex(str(await notes.get(NAMESPACE, KEY_NAME))))

    def issue(self) -> str:
        """A token for a new chat."""
        chat = secrets.token_bytes(ID_BYTES)
        return _encode(chat + self._sign(chat))

    def chat(self, token: str) -> str | None:
        """The chat id of a token we issued, else None."""
        raw = _decode(token)
        if len(raw) != ID_BYTES + SIGNATURE_BYTES:
            return None
        chat, signature = raw[:ID_BYTES], raw[ID_BYTES:]
        return chat.hex() if hmac.compare_digest(signature, self._sign(chat)) else None

    def _sign(self, chat: bytes) -> bytes:
        return hmac.digest(self._key, b"web-chat:" + chat, "sha256")[:SIGNATURE_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(token: str) -> bytes:
    if not token.isascii() or len(token) > 64:
        return b""
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
