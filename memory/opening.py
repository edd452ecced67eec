"""Opening the database: lock, settings, migrations, recovery of what a crash left, and damaged files."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

from domain.errors import StoreUnavailable
from memory.backup import backup_file, restore_file
from memory.database import Connection, Database
from memory.indexing import forget_indexed, rebuild
from memory.locking import locked
from memory.migrating import migrate, refuse_unfit
from memory.recovery import Recovered, recover
from memory.reserve import Reserve
from memory.salvage import check, is_damage, salvage, set_aside
from memory.sqlite import SqliteStore

__all__ = ["backup_file", "open_store", "restore_file"]

logger = logging.getLogger(__name__)

CHECK_SECONDS = 1.0  # a large file is looked over in part, unless the last process found it damaged
ITER_CHUNK = 64
_PRAGMAS: Mapping[str, tuple[str, object]] = {  # name: what is set, what must then be read
    "journal_mode": ("WAL", "wal"),
    "synchronous": ("FULL", 2),  # NORMAL loses acknowledged messages at a power cut
    "busy_timeout": ("5000", 5000),
    "secure_delete": ("ON", 1),
    "foreign_keys": ("ON", 1),
    "journal_size_limit": ("16777216", 16777216),
    "wal_autocheckpoint": ("3000", 3000),  # pages: a log of 12 MiB, below its limit
    "cache_size": ("-16384", -16384),  # KiB
}


@asynccontextmanager
async def open_store(
    path: Path,
    *,
    on_trouble: Callable[[str], None] = logger.error,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[SqliteStore]:
    """The store of one file, ready to serve; closed with the block.

    `on_trouble` is told, in one French sentence, what an operator must know. Raises StoreTooNew for a file of
    a newer version and StoreUnavailable when the file cannot be opened or another process works on it.
    """
    _make_folder(path)
    with locked(path):
        # Only behind the lock: to close a file is to give up every lock this process has on it, SQLite's too.
        _make_private(path)
        opener = _Opener(path, clock)
        connection = Connection(opener.open, ITER_CHUNK)
        await connection.open()
        if opener.report:
            on_trouble(opener.report)
        reserve = Reserve(path.with_name(f"{path.name}.reserve"))
        database = Database(connection, reserve, on_trouble=on_trouble, on_damage=opener.suspect.touch)
        database.start()
        store = SqliteStore(database, path, boot=opener.recovered.boot, clock=clock, on_trouble=on_trouble)
        try:
            await asyncio.to_thread(reserve.restore)
            store.inbox.mirror(opener.recovered.inbox)
            store.outbox.mirror(opener.recovered.outbox)
            await _prepare(store)
            yield store
        finally:
            await store.close()


async def _prepare(store: SqliteStore) -> None:
    try:
        await store.prepare()
    except StoreUnavailable as error:  # the erasure is finished by the next one, or by the retention job
        logger.warning("scrub put off: %s", error, extra={"action": "store.scrub"})


class _Opener:
    """Opens the file in the connection's own thread."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self.suspect = path.with_name(f"{path.name}.suspect")  # left by a process that met damage
        self.report = ""
        self.recovered = Recovered(0, [], [], 0)

    def open(self) -> sqlite3.Connection:
        try:
            try:
                return self._open_sound()
            except Exception as error:
                if not is_damage(error):
                    raise
                return self._replace(error)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"la base {self._path} ne s'ouvre pas : {error}") from error

    def _open_sound(self) -> sqlite3.Connection:
        suspected = self.suspect.exists()
        connection = _connect(self._path)
        try:
            check(connection, seconds=0.0 if suspected else CHECK_SECONDS)
            migrate(connection, self._path)
            if suspected:
                rebuild(connection)
            self.recovered = self._recover(connection)
        except BaseException:
            with suppress(sqlite3.Error):
                connection.close()
            raise
        self.suspect.unlink(missing_ok=True)
        logger.info(
            "database open: SQLite %s, %d unfinished messages, %d replies",
            sqlite3.sqlite_version,
            len(self.recovered.inbox),
            len(self.recovered.outbox),
            extra={"action": "store.open", "boot": self.recovered.boot},
        )
        return connection

    def _recover(self, connection: sqlite3.Connection) -> Recovered:
        try:
            return recover(connection, self._clock())
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
        Reserve(self._path.with_name(f"{self._path.name}.reserve")).free()
        return recover(connection, self._clock())

    def _replace(self, error: Exception) -> sqlite3.Connection:
        aside = set_aside(self._path, "corrupt")
        logger.error("damaged database set aside: %s", error, extra={"action": "store.damaged"})
        _make_private(self._path)
        with closing(_connect(self._path)) as fresh:
            migrate(fresh, self._path)
            saved = salvage(aside, fresh, _make_empty)
            forget_indexed(fresh)
        self.suspect.unlink(missing_ok=True)
        self.report = (
            f"la base était endommagée ({error}) : mise de côté sous {aside.name}, {saved} lignes récupérées"
        )
        return self._open_sound()


def _connect(path: Path) -> sqlite3.Connection:
    """Our settings, set and read back: what a build ignores must not pass unseen."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    try:
        refuse_unfit(connection, path)
        for name, (wanted, expected) in _PRAGMAS.items():
            _set(connection, name, wanted, expected)
    except BaseException:
        connection.close()
        raise
    return connection


def _set(connection: sqlite3.Connection, name: str, wanted: str, expected: object) -> None:
    connection.execute(f"PRAGMA {name} = {wanted}").fetchall()
    (present,) = connection.execute(f"PRAGMA {name}").fetchone()
    if present != expected:
        raise StoreUnavailable(f"SQLite refuse le réglage {name} = {wanted} ({present})")


def _make_empty(path: Path) -> None:
    with closing(_connect(path)) as connection:
        migrate(connection, path)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnavailable(f"le dossier de la base {path} ne peut pas être créé : {error}") from error


def _make_private(path: Path) -> None:
    """Nobody but us reads the file; its log gets the same mode from SQLite."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StoreUnavailable(f"la base {path} ne peut pas être créée : {error}") from error
