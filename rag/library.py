"""All knowledge of one folder: loaded whole or not at all, kept when a newer file is broken."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from domain import niger
from domain.errors import BadKnowledge
from rag.catalogue import Catalogue
from rag.knowledge import load_topics
from rag.lexicon import Lexicon
from rag.retriever import Retriever

logger = logging.getLogger(__name__)

_PARTS = ("catalogue", "knowledge", "lexicon")
_SUFFIXES = frozenset({".csv", ".md"})

_Built = tuple[str, Retriever, Mapping[str, int]]
Stamp = tuple[tuple[str, int, int], ...]


class Library:
    """The current knowledge. `retriever` is replaced as a whole by a reload: hold the library, not it."""

    def __init__(
        self, folder: Path, *, today: Callable[[], date] = niger.today, max_age_days: int = 365
    ) -> None:
        self._folder = folder
        self._today = today
        self._max_age = max_age_days
        self.broken = ""
        self._stamp = _stamp(folder)
        self.version, self.retriever, self.sizes = self._build()

    @classmethod
    def load(
        cls, folder: Path, *, today: Callable[[], date] = niger.today, max_age_days: int = 365
    ) -> Library:
        """Read the folder. Raises BadKnowledge naming file, line and column."""
        return cls(folder, today=today, max_age_days=max_age_days)

    def changed_on_disk(self) -> bool:
        """Whether a file was written, added or removed since the last (attempt to) load."""
        return _stamp(self._folder) != self._stamp

    async def reload(self) -> bool:
        """Read the folder again; True when the knowledge changed. A broken file keeps what stands."""
        stamp = _stamp(self._folder)
        try:
            built = await asyncio.to_thread(self._rebuild)
        except BadKnowledge as error:
            self._stamp = stamp
            self.broken = str(error)
            logger.warning("knowledge not reloaded: %s", error, extra={"action": "knowledge_broken"})
            return False
        self._stamp = stamp
        self.broken = ""
        if built is not None:
            self.version, self.retriever, self.sizes = built
        return built is not None

    def _rebuild(self) -> _Built | None:
        """What the folder holds now; None when it is what stands, with the vectors it was given."""
        return None if _version(self._folder) == self.version else self._build()

    def _build(self) -> _Built:
        if not self._folder.is_dir():
            raise BadKnowledge(f"KNOWLEDGE_PATH : le dossier {self._folder} n'existe pas")
        version = _version(self._folder)
        catalogue = Catalogue.load(self._folder / "catalogue")
        topics = load_topics(self._folder / "knowledge")
        lexicon = Lexicon.load(self._folder / "lexicon")
        retriever = Retriever(catalogue, topics, lexicon, today=self._today, max_age_days=self._max_age)
        sizes = {
            "offers": len(catalogue),
            "topics": len(topics),
            "words": len(lexicon),
            "codes": len(retriever.codes()),
        }
        return version, retriever, sizes


def _files(folder: Path) -> list[Path]:
    return sorted(p for part in _PARTS for p in (folder / part).rglob("*") if p.suffix in _SUFFIXES)


def _stamp(folder: Path) -> Stamp:
    out: list[tuple[str, int, int]] = []
    for path in _files(folder):
        try:
            state = path.stat()
        except OSError:
            continue
        out.append((str(path), state.st_mtime_ns, state.st_size))
    return tuple(out)


def _version(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(folder):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BadKnowledge(f"{path.name} : illisible ({error})") from error
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:16]
