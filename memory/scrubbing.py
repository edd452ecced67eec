"""After an erasure no byte of it may stay in the database file, its log or its full-text index.

SQLite overwrites what is deleted (secure_delete), but that is not all: the full-text index keeps words until
its segments are merged, a rebuilt page keeps copies of rows that moved (one erasure in ten left some), and
the log keeps old pages until it is cut. So: merge, rewrite the file (VACUUM), cut the log.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from domain.errors import StoreUnavailable
from memory.counters import counters, set_to
from memory.database import Database
from memory.errands import Errands

logger = logging.getLogger(__name__)

SMALL_FILE = 64 * 1024 * 1024  # rewriting takes about 13 ms per MiB, and turns wait meanwhile
REWRITE_PAUSE = 20 * 3600.0  # a larger file is rewritten once a day, by the retention job
MERGE_PAGES = 200  # index pages written per step: some milliseconds, then others have their turn
READER_WAIT_MS = 20
ATTEMPTS = 30
PAUSE = 0.5


class Scrubber:
    """Cleans up behind erasures, one run at a time. The flag `scrub` survives a crash on disk."""

    def __init__(
        self,
        database: Database,
        path: Path,
        *,
        clock: Callable[[], float],
        errands: Errands,
        on_trouble: Callable[[str], None],
    ) -> None:
        self._database = database
        self._path = path
        self._clock = clock
        self._errands = errands
        self._on_trouble = on_trouble
        self._one_at_a_time = asyncio.Lock()
        self._waiting: list[Callable[[], None]] = []

    def request(self, then: Callable[[], None]) -> None:
        """Scrub soon, then call `then`; requests that meet share one run."""
        self._waiting.append(then)
        if len(self._waiting) == 1:
            self._errands.start(self._serve())

    async def run(self, *, urgent: bool) -> None:
        """Scrub if anything was erased since. Raises StoreUnavailable when it must be done later."""
        async with self._one_at_a_time:
            pending = (await self._database.read(counters)).get("scrub", 0.0)
            if not pending:
                return
            await self._merge_index()
            await self._cut_log()  # fails early while a backup reads: the file must not be rewritten in vain
            rewritten = await self._rewrite(urgent=urgent)
            await self._cut_log()
            if rewritten:
                await self._database.write(lambda connection: _done(connection, pending), vital=True)

    async def _serve(self) -> None:
        async with self._one_at_a_time:  # a run that began before the erasure does not count
            pass
        served, self._waiting = self._waiting, []
        try:
            await self._persevere()
        except StoreUnavailable as error:
            self._on_trouble(f"effacement : la réécriture de la base est remise à plus tard ({error})")
        finally:
            for then in served:
                then()

    async def _persevere(self) -> None:
        for _ in range(ATTEMPTS):
            try:
                return await self.run(urgent=True)
            except StoreUnavailable as error:
                logger.warning("scrub put off: %s", error, extra={"action": "store.scrub"})
                if await self._closes_within(PAUSE):
                    return None  # the flag stays: the next start finishes it before anything is sent
        raise StoreUnavailable("gave up for now")

    async def _closes_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._errands.closing.wait()
        return self._errands.closing.is_set()

    async def _merge_index(self) -> None:
        pages = -MERGE_PAGES  # negative: begin to merge all segments into one
        while await self._database.write(partial(_merge, pages=pages), vital=True):
            pages = MERGE_PAGES

    async def _rewrite(self, *, urgent: bool) -> bool:
        """Whether the file was rewritten, or was so recently that it must wait."""
        size = self._path.stat().st_size
        rewritten_at = (await self._database.read(counters)).get("rewritten_at", 0.0)
        now = self._clock()
        if size > SMALL_FILE if urgent else now - rewritten_at < REWRITE_PAUSE:
            return False
        await self._database.exclusively(lambda connection: connection.execute("VACUUM").fetchall())
        await self._database.write(lambda connection: set_to(connection, "rewritten_at", now), vital=True)
        return True

    async def _cut_log(self) -> None:
        if await self._database.exclusively(_truncate_log):
            raise StoreUnavailable("a backup reads the log")


def _merge(connection: sqlite3.Connection, pages: int) -> bool:
    """One step; whether there is more to do (fewer than two changes mean there is not)."""
    before = connection.total_changes
    connection.execute("INSERT INTO exchanges_text (exchanges_text, rank) VALUES ('merge', ?)", (pages,))
    return connection.total_changes - before >= 2


def _truncate_log(connection: sqlite3.Connection) -> bool:
    """Whether a reader kept us from it. Waits briefly only: nothing else is written meanwhile."""
    (usual,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {READER_WAIT_MS}")
    try:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(usual)}")
    return bool(busy)


def _done(connection: sqlite3.Connection, pending: float) -> None:
    """Erasures that came meanwhile keep the flag."""
    connection.execute("UPDATE counters SET value = value - ? WHERE name = 'scrub'", (pending,))
