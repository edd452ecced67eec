"""Anonymous facts about turns."""

# ruff: noqa: S608 - every statement is made of constants here; what callers give is bound

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

from memory.counters import counters
from memory.database import Database
from memory.records import TurnFacts

MAX_FACTS = 100_000
PAGE = 2_000  # rows read at a time, so that commits pass in between
RECENT_EXCHANGES = 50_000
_COLUMNS = (
    "at, channel, language, origin, topic, answered, messages, queue_ms, retrieval_ms, model_ms, total_ms,"
    " prompt_tokens, completion_tokens"
)


class SqliteStatistics:
    """Facts on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def facts(self, since: float) -> Sequence[TurnFacts]:
        """See `memory.base.Statistics.facts`. The newest ones, when there are more than fit."""
        found: list[TurnFacts] = []
        after = await self._database.read(lambda connection: _first_wanted(connection, since))
        while True:
            page = await self._database.read(partial(_page, since=since, after=after))
            found += [facts for _, facts in page]
            if len(page) < PAGE:
                return sorted(found, key=lambda facts: facts.at)[-MAX_FACTS:]
            after = page[-1][0]

    async def total_turns(self) -> int:
        """See `memory.base.Statistics.total_turns`."""
        return int((await self._database.read(counters)).get("turns", 0.0))

    async def top_questions(self, since: float, limit: int) -> Sequence[tuple[str, int]]:
        """See `memory.base.Statistics.top_questions`. Counted over the newest exchanges only."""
        return await self._database.read(
            lambda connection: connection.execute(
                "SELECT question, count(*) FROM"
                " (SELECT question FROM exchanges WHERE at >= ? ORDER BY at DESC LIMIT ?)"
                " GROUP BY lower(trim(question)) ORDER BY count(*) DESC, question LIMIT ?",
                (since, RECENT_EXCHANGES, limit),
            ).fetchall()
        )


def add_facts(connection: sqlite3.Connection, facts: TurnFacts) -> None:
    """Keep the facts of a turn inside the caller's transaction."""
    connection.execute(
        f"INSERT INTO facts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            facts.at,
            facts.channel,
            facts.language,
            facts.origin,
            facts.topic,
            int(facts.answered),
            facts.messages,
            facts.queue_ms,
            facts.retrieval_ms,
            facts.model_ms,
            facts.total_ms,
            facts.prompt_tokens,
            facts.completion_tokens,
        ),
    )


def _page(connection: sqlite3.Connection, since: float, after: int) -> list[tuple[int, TurnFacts]]:
    rows = connection.execute(
        f"SELECT id, {_COLUMNS} FROM facts WHERE id > ? AND at >= ? ORDER BY id LIMIT ?", (after, since, PAGE)
    )
    return [(number, _read(row)) for number, *row in rows]


def _read(row: Sequence[Any]) -> TurnFacts:
    at, channel, language, origin, topic, answered, *counts = row
    return TurnFacts(at, channel, language, origin, topic, bool(answered), *counts)


def _first_wanted(connection: sqlite3.Connection, since: float) -> int:
    (first,) = connection.execute("SELECT coalesce(min(id), 0) FROM facts WHERE at >= ?", (since,)).fetchone()
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM facts").fetchone()
    return max(int(first) - 1, int(last) - MAX_FACTS)
