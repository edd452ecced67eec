"""The full-text index of exchanges follows the table in batches.

Each transaction that touches an FTS5 index writes a segment of its own, each savepoint another: within the
turns' commits that was a quarter of their cost.
"""

from __future__ import annotations

import sqlite3

from memory.counters import counters, set_to
from memory.database import Database
from memory.errands import Errands

BATCH = 256  # a search first indexes at most about so many rows: some milliseconds


class TextIndex:
    """Brings the index up to date, before a search or when a batch has come together."""

    def __init__(self, database: Database, errands: Errands) -> None:
        self._database = database
        self._errands = errands
        self._pending = 0

    async def count_pending(self) -> None:
        """Learn what an earlier process left; index it when it is much."""
        self._pending = await self._database.read(_count_pending)
        self._when_due()

    def grew(self) -> None:
        """One more exchange is on disk."""
        self._pending += 1
        self._when_due()

    async def catch_up(self) -> None:
        """Index what is not. Raises StoreUnavailable."""
        while not self._errands.closing.is_set() and await self._database.write(_index_batch, vital=True):
            pass

    def _when_due(self) -> None:
        if self._pending >= BATCH:
            self._pending = 0
            self._errands.start(self.catch_up())


def rebuild(connection: sqlite3.Connection) -> None:
    """Make the index anew from the table."""
    connection.execute("INSERT INTO exchanges_text (exchanges_text) VALUES ('rebuild')")
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM exchanges").fetchone()
    set_to(connection, "indexed", last)


def forget_indexed(connection: sqlite3.Connection) -> None:
    """The index is empty, whatever the counter says."""
    set_to(connection, "indexed", 0)


def _count_pending(connection: sqlite3.Connection) -> int:
    (pending,) = connection.execute(
        "SELECT count(*) FROM exchanges WHERE id > ?", (counters(connection).get("indexed", 0.0),)
    ).fetchone()
    return int(pending)


def _index_batch(connection: sqlite3.Connection) -> bool:
    """Whether there was anything to index."""
    indexed = int(counters(connection).get("indexed", 0.0))
    (last,) = connection.execute(
        "SELECT max(id) FROM (SELECT id FROM exchanges WHERE id > ? ORDER BY id LIMIT ?)", (indexed, BATCH)
    ).fetchone()
    if last is None:
        return False
    connection.execute(
        "INSERT INTO exchanges_text (rowid, question, answer)"
        " SELECT id, question, answer FROM exchanges WHERE id > ? AND id <= ?",
        (indexed, last),
    )
    set_to(connection, "indexed", last)
    return True
