"""Answers already given, by the meaning of the question: least recently used first out, each for a time.

Only impersonal answers come here; who decides that is the caller. An entry belongs to one version of the
knowledge: the first look-up under another version empties the cache.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain.answers import Answer, Origin
from domain.messages import Choice, Language
from monitoring.metrics import Metrics

NAMESPACE = "rag_cache"  # under which an application keeps the export


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What makes two questions the same: meaning, language, knowledge, and whether a model may answer."""

    normalised: str
    language: Language
    version: str
    with_model: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    answer: Answer
    stored_at: float


class AnswerCache:
    """At most `size` answers, each `ttl` seconds. `clock` is wall time, so that an export keeps its age."""

    def __init__(
        self, metrics: Metrics, *, size: int, ttl: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._metrics = metrics
        self._size = size
        self._ttl = ttl
        self._clock = clock
        self._version = ""
        self._entries: OrderedDict[CacheKey, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: CacheKey) -> Answer | None:
        """The answer, as it is to be sent again: origin CACHE, no times and no token counts."""
        self._keep(key.version)
        entry = self._entries.get(key)
        if entry is not None and not 0 <= self._clock() - entry.stored_at < self._ttl:
            self.drop(key)
            entry = None
        self._metrics.cache_lookups.labels(result="miss" if entry is None else "hit").inc()
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry.answer

    def put(self, key: CacheKey, answer: Answer) -> None:
        """Keep an answer; the one unused for longest makes room."""
        if self._size <= 0:
            return
        self._keep(key.version)
        self._insert(key, _Entry(_bare(answer), self._clock()))

    def drop(self, key: CacheKey) -> None:
        """Forget one answer: it no longer holds."""
        if self._entries.pop(key, None) is not None:
            self._count()

    def purge(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._count()

    def export(self) -> dict[str, Any]:
        """JSON-able rows by a short name, oldest use first."""
        return {_name(key): _row(key, entry, i) for i, (key, entry) in enumerate(self._entries.items())}

    def restore(self, rows: Mapping[str, object]) -> int:
        """Take up an export as far as it is not too old; returns how many.

        The first look-up under another version than theirs empties the cache, as always.
        """
        read = [item for row in rows.values() if (item := _read(row)) is not None]
        if not read:
            return len(self._entries)
        self._keep(max(read, key=lambda item: item[0])[1].version)
        now = self._clock()
        for _, key, entry in sorted(read, key=lambda item: item[0]):
            if key.version == self._version and 0 <= now - entry.stored_at < self._ttl and self._size > 0:
                self._insert(key, entry)
        return len(self._entries)

    def _insert(self, key: CacheKey, entry: _Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
        self._count()

    def _keep(self, version: str) -> None:
        if version != self._version:
            self._version = version
            self.purge()

    def _count(self) -> None:
        self._metrics.cache_entries.set(len(self._entries))


def _bare(answer: Answer) -> Answer:
    return replace(
        answer,
        origin=Origin.CACHE,
        tool_calls=0,
        model_calls=0,
        prompt_tokens=0,
        completion_tokens=0,
        blocked=0,
        retrieval_ms=0.0,
        model_ms=0.0,
    )


def _name(key: CacheKey) -> str:
    text = "\0".join((key.normalised, key.language, key.version, str(key.with_model)))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _row(key: CacheKey, entry: _Entry, place: int) -> dict[str, Any]:
    answer = entry.answer
    return {
        "place": place,
        "normalised": key.normalised,
        "language": str(key.language),
        "version": key.version,
        "with_model": key.with_model,
        "stored_at": entry.stored_at,
        "text": answer.text,
        "passage_ids": list(answer.passage_ids),
        "answered": answer.answered,
        "choices": [[choice.id, choice.label] for choice in answer.choices],
        "topic": answer.topic,
    }


def _read(row: object) -> tuple[int, CacheKey, _Entry] | None:
    """One exported row; None for anything that is not one."""
    if not isinstance(row, Mapping) or not isinstance(row.get("text"), str):
        return None
    try:
        language = Language(row["language"])
        answer = Answer(
            text=row["text"],
            language=language,
            origin=Origin.CACHE,
            passage_ids=tuple(str(p) for p in row["passage_ids"]),
            answered=bool(row["answered"]),
            choices=tuple(Choice(str(c), str(label)) for c, label in row["choices"]),
            topic=str(row["topic"]),
        )
        key = CacheKey(str(row["normalised"]), language, str(row["version"]), bool(row["with_model"]))
        return int(row["place"]), key, _Entry(answer, float(row["stored_at"]))
    except (KeyError, TypeError, ValueError):
        return None
