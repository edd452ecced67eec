"""One SQLite file, one connection, one thread: reads hop into it, writes share transactions.

Writers hand in units of work, plain functions on the sqlite3 connection. While one transaction is being
synced, the units that arrive wait and become the next one: the batch grows with the load and nobody is
delayed on purpose; one COMMIT, thus one fsync, serves them. A unit that fails does so alone: the batch is
rolled back and run again with a savepoint around each unit, so units act on nothing but the connection.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import aiosqlite

from domain.errors import StoreCorrupt, StoreUnavailable
from memory.reserve import Reserve
from memory.transactions import DAMAGE, PASSING, UnitResult, Work, code_of, run_transaction

T = TypeVar("T")

logger = logging.getLogger(__name__)

MAX_BATCH = 256  # bounds how long one transaction keeps reads waiting
MAX_WAITING = 20_000
RETRY_RESERVE = 1.0  # seconds between attempts to leave the shortage of disk space


class Connection(aiosqlite.Connection):
    """aiosqlite with a verb of its own: run a function on the raw connection, in one hop.

    aiosqlite's public verbs hop once per statement, which costs more than the statement. A subclass may use
    the protected `_execute`, the way all of aiosqlite's own verbs reach their thread.
    """

    async def open(self) -> None:
        """Connect; when that fails, wait for the thread, which aiosqlite only tells to stop."""
        try:
            await self
        except BaseException:
            await asyncio.to_thread(self._thread.join)
            raise

    async def run(self, work: Work[T]) -> T:
        """Call `work` in the connection's thread."""
        result: T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return result


@dataclass(slots=True, eq=False)
class _Unit(Generic[T]):
    work: Work[T]
    completed: Callable[[sqlite3.Connection, T], T] | None
    committed: Callable[[T], None] | None
    undone: Callable[[], None] | None
    vital: bool
    future: asyncio.Future[T]

    def succeed(self, value: T) -> None:
        self.undone = None
        if self.committed is not None:
            self.committed(value)
        if not self.future.done():
            self.future.set_result(value)

    def fail(self, error: BaseException) -> None:
        self.drop()
        if not self.future.done():
            self.future.set_exception(error)

    def drop(self) -> None:
        """Nothing of it was or will be committed."""
        undone, self.undone = self.undone, None
        if undone is not None:
            undone()


class Database:
    """The one way to the file. Start with `start()`, end with `close()`."""

    def __init__(
        self,
        connection: Connection,
        reserve: Reserve,
        *,
        on_trouble: Callable[[str], None] = logger.error,
        on_damage: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._reserve = reserve
        self._on_trouble = on_trouble
        self._on_damage = on_damage
        self._damaged = False
        self._waiting: deque[_Unit[Any]] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None
        self._next_reserve = 0.0
        self.writable = True
        self.short_of_space = False

    def start(self) -> None:
        """Start the writer."""
        self._writer = asyncio.create_task(self._write_forever(), name="store writer")

    async def close(self) -> None:
        """Finish what waits, then close the file."""
        self._closing = True
        self._wake.set()
        try:
            if self._writer is not None:
                await self._writer
        finally:
            await self._connection.close()

    async def read(self, work: Work[T]) -> T:
        """Run a query between transactions. Raises StoreUnavailable, or StoreCorrupt for a damaged page."""
        try:
            result: T = await self._connection.run(work)
            return result
        except sqlite3.Error as error:
            raise self._translated(error) from error
        except ValueError as error:
            raise StoreUnavailable("the database is closed") from error

    async def write(
        self,
        work: Work[T],
        *,
        completed: Callable[[sqlite3.Connection, T], T] | None = None,
        committed: Callable[[T], None] | None = None,
        undone: Callable[[], None] | None = None,
        vital: bool = False,
    ) -> T:
        """Run `work` in the next transaction; returns once it is synced.

        `completed` reads right after the commit, in the same visit to the thread, and gives the result its
        final form; when it fails, the result stays as it was. `committed` runs on the loop after that, in
        commit order, even when the caller was cancelled: what memory mirrors of the disk is changed there.
        `undone` runs instead, once, when nothing was committed. Vital work goes on while the disk is full.
        `work` may run twice, the first time undone. Raises StoreUnavailable when nothing could be written,
        else what `work` raised.
        """
        loop = asyncio.get_running_loop()
        unit: _Unit[T] = _Unit(work, completed, committed, undone, vital, loop.create_future())
        try:
            self._check_open(vital)
        except StoreUnavailable:
            unit.drop()
            raise
        self._waiting.append(unit)
        self._wake.set()
        return await unit.future

    async def exclusively(self, work: Work[T]) -> T:
        """Run `work` between transactions, in autocommit: checkpoints, VACUUM, backups."""
        return await self.read(work)

    def _check_open(self, vital: bool) -> None:
        if self._closing:
            raise StoreUnavailable("the database is closing")
        if len(self._waiting) >= MAX_WAITING:
            raise StoreUnavailable("too many writes are waiting")
        if self.short_of_space and not vital and time.monotonic() < self._next_reserve:
            raise StoreUnavailable("the disk is full")

    async def _write_forever(self) -> None:
        while not (self._closing and not self._waiting):
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._write_batch(self._next_batch())

    def _next_batch(self) -> list[_Unit[Any]]:
        count = min(len(self._waiting), MAX_BATCH)
        batch = []
        for unit in [self._waiting.popleft() for _ in range(count)]:
            if unit.future.done():  # its caller was cancelled
                unit.drop()
            else:
                batch.append(unit)
        return batch

    async def _write_batch(self, batch: list[_Unit[Any]]) -> None:
        try:
            if self.short_of_space:
                batch = await self._refuse_while_short(batch)
            await self._run(batch)
        except sqlite3.Error as error:
            await self._recover(batch, error)
        except Exception as error:
            logger.exception("a batch of writes failed", extra={"action": "store.write"})
            _fail_all(batch, error)

    async def _run(self, batch: list[_Unit[Any]]) -> None:
        if not batch:
            return
        outcomes = await self._connection.run(partial(_run_units, units=batch))
        self.writable = True
        for unit, outcome in zip(batch, outcomes, strict=True):
            if outcome.error is not None:
                unit.fail(self._translated(outcome.error))
                continue
            if outcome.late is not None:
                late = self._translated(outcome.late)
                logger.warning("not completed: %s", late, extra={"action": "store.complete"})
            unit.succeed(outcome.value)

    async def _recover(self, batch: list[_Unit[Any]], error: sqlite3.Error) -> None:
        self.writable = False
        failure = self._translated(error)
        if code_of(error) != sqlite3.SQLITE_FULL or self.short_of_space:
            return _fail_all(batch, failure)
        self.short_of_space = True
        self._next_reserve = time.monotonic() + RETRY_RESERVE
        await asyncio.to_thread(self._reserve.free)
        self._on_trouble(
            "le disque est plein : les nouveaux messages sont refusés, les réponses partent encore"
        )
        _fail_all([unit for unit in batch if not unit.vital], failure)
        vital = [unit for unit in batch if unit.vital]
        try:
            await self._run(vital)
        except sqlite3.Error as again:
            _fail_all(vital, self._translated(again))
        return None

    async def _refuse_while_short(self, batch: list[_Unit[Any]]) -> list[_Unit[Any]]:
        if time.monotonic() >= self._next_reserve:
            self._next_reserve = time.monotonic() + RETRY_RESERVE
            self.short_of_space = not await asyncio.to_thread(self._reserve.restore)
            if not self.short_of_space:
                logger.warning("disk space is back", extra={"action": "store.space"})
                return batch
        _fail_all([unit for unit in batch if not unit.vital], StoreUnavailable("the disk is full"))
        return [unit for unit in batch if unit.vital]

    def _translated(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        if code_of(error) in DAMAGE:
            self._tell_of_damage(error)
            return StoreCorrupt(str(error))
        if code_of(error) in PASSING:
            return StoreUnavailable(str(error))
        return error

    def _tell_of_damage(self, error: Exception) -> None:
        if not self._damaged:
            self._damaged = True
            self._on_damage()
            self._on_trouble(f"la base est endommagée ({error}) : un redémarrage récupère ce qui est lisible")


def _run_units(connection: sqlite3.Connection, units: Sequence[_Unit[Any]]) -> list[UnitResult]:
    results = run_transaction(connection, [unit.work for unit in units])
    return [_completed(connection, unit, result) for unit, result in zip(units, results, strict=True)]


def _completed(connection: sqlite3.Connection, unit: _Unit[Any], result: UnitResult) -> UnitResult:
    if unit.completed is None or result.error is not None:
        return result
    try:
        return UnitResult(unit.completed(connection, result.value))
    except Exception as error:  # noqa: BLE001  # reported on the loop; the commit stands
        return UnitResult(result.value, late=error)


def _fail_all(batch: Sequence[_Unit[Any]], error: BaseException) -> None:
    for unit in batch:
        unit.fail(error)
