"""Retention and health of the database."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

from domain.errors import StoreUnavailable
from memory.counters import add_to
from memory.database import Database
from memory.records import StoreHealth
from memory.scrubbing import Scrubber
from memory.store_inbox import SqliteInbox
from memory.store_outbox import SqliteOutbox

logger = logging.getLogger(__name__)

DAY = 86_400.0
SEEN_DAYS = 8  # longer than any platform redelivers
FACTS_DAYS = 365
ROWS_AT_ONCE = 200
_OLD_TEXT = (
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE settled_at < ? LIMIT ?)",
    "DELETE FROM exchanges WHERE id IN (SELECT id FROM exchanges WHERE at < ? LIMIT ?)",
    "DELETE FROM inbox WHERE seq IN"
    " (SELECT seq FROM inbox WHERE parked_turn IS NOT NULL AND parked_at < ? LIMIT ?)",
    "DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine WHERE at < ? LIMIT ?)",
)
_OLD_SEEN = "DELETE FROM seen WHERE hash IN (SELECT hash FROM seen WHERE at < ? LIMIT ?)"
_OLD_FACTS = "DELETE FROM facts WHERE id IN (SELECT id FROM facts WHERE at < ? LIMIT ?)"
_OLD_NOTES = (
    "DELETE FROM notes WHERE (namespace, name) IN"
    " (SELECT namespace, name FROM notes WHERE expires_at IS NOT NULL AND expires_at < ? LIMIT ?)"
)


class Maintenance:
    """What nobody waits for, and what operators look at."""

    def __init__(
        self,
        database: Database,
        path: Path,
        inbox: SqliteInbox,
        outbox: SqliteOutbox,
        scrubber: Scrubber,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._path = path
        self._inbox = inbox
        self._outbox = outbox
        self._scrubber = scrubber
        self._clock = clock

    async def purge(self, now: float, *, retention_days: int) -> int:
        """See `memory.base.Store.purge`. What was said is scrubbed off the disk too."""
        past = now - retention_days * DAY
        said = sum([await self._drop(query, past, said=True) for query in _OLD_TEXT])
        others = await self._drop(_OLD_SEEN, now - SEEN_DAYS * DAY)
        others += await self._drop(_OLD_FACTS, now - FACTS_DAYS * DAY)
        others += await self._drop(_OLD_NOTES, now)
        try:
            await self._scrubber.run(urgent=False)
        except StoreUnavailable as error:  # the flag stays, and with it the next purge tries again
            logger.warning("scrub put off: %s", error, extra={"action": "store.scrub"})
        return said + others

    async def health(self) -> StoreHealth:
        """See `memory.base.Store.health`."""
        now = self._clock()
        writable = await self._can_write()
        in_doubt, dead, version = await self._database.read(_tallies)
        queues = self._outbox.all_lanes()
        inbox = self._inbox.lanes
        return StoreHealth(
            inbox_depth=inbox.depth,
            inbox_oldest=_age(now, [inbox.oldest()]),
            outbox_depth=sum(queue.depth for queue in queues),
            outbox_oldest=_age(now, [queue.oldest() for queue in queues]),
            in_doubt=in_doubt,
            dead=dead,
            file_bytes=_size(self._path),
            wal_bytes=_size(self._path.with_name(f"{self._path.name}-wal")),
            writable=writable,
            schema_version=version,
            engine=f"SQLite {sqlite3.sqlite_version}",
            runnable_oldest=_age(now, inbox.claimable_since()),
            sendable_oldest=_age(now, (since for queue in queues for since in queue.claimable_since())),
        )

    async def _drop(self, query: str, before: float, *, said: bool = False) -> int:
        def work(connection: sqlite3.Connection) -> int:
            rows = connection.execute(query, (before, ROWS_AT_ONCE)).rowcount
            add_to(connection, scrub=int(said and rows > 0))
            return rows

        gone = 0
        while rows := await self._database.write(work):
            gone += rows
        return gone

    async def _can_write(self) -> bool:
        """After a failed write, nothing but another write tells whether the trouble is over."""
        if self._database.writable and not self._database.short_of_space:
            return True
        try:
            await self._database.write(
                lambda connection: (
                    connection.execute("UPDATE counters SET value = value WHERE name = 'boots'").rowcount
                )
            )
        except StoreUnavailable:
            return False
        return not self._database.short_of_space


def _tallies(connection: sqlite3.Connection) -> tuple[int, int, int]:
    # The repeated condition is what makes SQLite use the partial index.
    states = "SELECT count(*) FROM outbox WHERE state = ? AND state <> 'sent'"
    (in_doubt,) = connection.execute(states, ("in_doubt",)).fetchone()
    (dead,) = connection.execute(states, ("dead",)).fetchone()
    (parked,) = connection.execute(
        "SELECT count(DISTINCT parked_turn) FROM inbox WHERE parked_turn IS NOT NULL"
    ).fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return in_doubt, dead + parked, version


def _age(now: float, times: Iterable[float | None]) -> float:
    return max(0.0, now - min((time for time in times if time is not None), default=now))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
