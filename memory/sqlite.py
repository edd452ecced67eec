"""The Store on one SQLite file: the parts, wired. `memory.opening.open_store` builds it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from memory.audience import Audience
from memory.backup import copy_while_running
from memory.buckets import Buckets
from memory.checkpoints import Checkpoints
from memory.database import Database
from memory.errands import Errands
from memory.indexing import TextIndex
from memory.maintenance import Maintenance
from memory.quarantine import MAX_BODY, quarantine
from memory.records import StoreHealth, Turn, TurnCommit
from memory.scrubbing import Scrubber
from memory.store_editors import SqliteEditors
from memory.store_inbox import SqliteInbox
from memory.store_long_term import SqliteLongTerm
from memory.store_notes import SqliteNotes
from memory.store_outbox import SqliteOutbox
from memory.store_sessions import SqliteSessions
from memory.store_statistics import SqliteStatistics
from memory.store_turns import Turns


class SqliteStore:
    """Implements `memory.base.Store`; `checkpoints` are the tables behind LangGraph's saver."""

    def __init__(
        self,
        database: Database,
        path: Path,
        *,
        boot: int,
        clock: Callable[[], float],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._database = database
        self._path = path
        self._clock = clock
        self._errands = errands = Errands()
        self._buckets = Buckets(clock)
        self._index = index = TextIndex(database, errands)
        scrubber = Scrubber(database, path, clock=clock, errands=errands, on_trouble=on_trouble)
        self.outbox = SqliteOutbox(database, boot=boot, clock=clock, errands=errands, on_trouble=on_trouble)
        self.inbox = SqliteInbox(
            database, self.outbox, boot=boot, clock=clock, errands=errands, on_trouble=on_trouble
        )
        self.sessions = SqliteSessions(database, clock=clock, on_trouble=on_trouble)
        self.long_term = SqliteLongTerm(database, index, clock=clock, on_trouble=on_trouble)
        self.editors = SqliteEditors(database, self.inbox, self.outbox)
        self.statistics = SqliteStatistics(database)
        self.notes = SqliteNotes(database, clock=clock)
        self.checkpoints = Checkpoints(database)
        self.audience = Audience(database, self.outbox, clock=clock)
        self._turns = Turns(database, self.inbox, self.outbox, scrubber, index, clock=clock)
        self._maintenance = Maintenance(database, path, self.inbox, self.outbox, scrubber, clock=clock)
        self._scrubber = scrubber

    async def prepare(self) -> None:
        """Finish what a crash left half done; before anything is served."""
        await self._scrubber.run(urgent=True)
        await self._index.count_pending()

    async def close(self) -> None:
        """Finish what runs, then close the file."""
        await self.outbox.close()
        await self._errands.close()
        await self._database.close()

    async def commit(self, turn: Turn, commit: TurnCommit) -> bool:
        """See `memory.base.Store.commit`."""
        return await self._turns.commit(turn, commit)

    async def take(self, bucket: str, *, rate: float, burst: float) -> float:
        """See `memory.base.Store.take`."""
        return self._buckets.take(bucket, rate=rate, burst=burst)

    async def purge(self, now: float, *, retention_days: int) -> int:
        """See `memory.base.Store.purge`."""
        return await self._maintenance.purge(now, retention_days=retention_days)

    async def health(self) -> StoreHealth:
        """See `memory.base.Store.health`."""
        return await self._maintenance.health()

    async def backup(self, path: Path) -> None:
        """See `memory.base.Store.backup`."""
        await copy_while_running(self._path, path)

    async def set_aside(self, source: str, raw: bytes, error: str) -> None:
        """Keep what no parser could read, for a person to look at."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> None:
            quarantine(connection, source, "", raw[:MAX_BODY], error=error, at=now)

        await self._database.write(work)
