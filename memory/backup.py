"""Copies of the database: consistent while the bot runs, and back in place when it does not.

A copy is read over a second connection, although SQLite before 3.51.3 may damage a file that two
connections use (the WAL-reset bug, sqlite.org/wal.html#walresetbug). That bug needs two connections that both
write or checkpoint; this one is opened read-only, so it does neither and cannot take part. The bot's own
connection stays free meanwhile: copying over it would keep every turn waiting.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from domain.errors import BadInput, StoreTooNew, StoreUnavailable
from memory.locking import locked
from memory.salvage import DamagedError, check, set_aside
from memory.versions import APPLICATION_ID, migrations

BUSY_SECONDS = 5.0


def copy_database(source: Path, target: Path) -> None:
    """Write a complete copy; it appears under its name once it is whole. Raises BadInput when that exists."""
    if target.exists():
        raise BadInput(f"{target} existe déjà : une sauvegarde n'écrase rien")
    partial = target.with_name(f"{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(read_only(source)) as reader, closing(sqlite3.connect(partial)) as writer:
            reader.backup(writer)
            writer.execute("PRAGMA journal_mode = DELETE")  # one file, complete without a log beside it
        _synced(partial)
        _appear(partial, target)
        _synced(target.parent)
    except FileExistsError as error:
        raise BadInput(f"{target} existe déjà : une sauvegarde n'écrase rien") from error
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"la copie vers {target} a échoué : {error}") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def backup_file(source: Path, target: Path) -> None:
    """Copy from another process, whether the bot runs or not. Raises BadInput, StoreUnavailable."""
    if not source.exists():
        raise BadInput(f"il n'y a pas de base sous {source}")
    copy_database(source, target)


def restore_file(copy: Path, target: Path) -> Path | None:
    """Put a copy in place of the database; returns where the old one lies now.

    Raises StoreUnavailable while the bot runs, BadInput and StoreTooNew when the copy is of no use.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(target):
        _check_usable(copy)
        incoming = target.with_name(f"{target.name}.incoming")
        incoming.unlink(missing_ok=True)
        copy_database(copy, incoming)
        aside = set_aside(target, "before-restore") if target.exists() else None
        incoming.rename(target)
        _synced(target.parent)
        return aside


async def copy_while_running(source: Path, target: Path) -> None:
    """The same, beside the event loop."""
    await asyncio.to_thread(copy_database, source, target)


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that can neither write nor checkpoint."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _check_usable(copy: Path) -> None:
    if not copy.is_file():
        raise BadInput(f"il n'y a pas de copie sous {copy}")
    try:
        with closing(read_only(copy)) as connection:
            check(connection, seconds=0.0)
            (mark,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except (sqlite3.Error, DamagedError) as error:
        raise BadInput(f"{copy} n'est pas une copie lisible : {error}") from error
    if mark != APPLICATION_ID:
        raise BadInput(f"{copy} n'est pas une base de ce bot")
    if version > len(migrations()):
        raise StoreTooNew(f"{copy} vient d'une version plus récente du bot (format {version})")


def _appear(partial: Path, target: Path) -> None:
    try:
        os.link(partial, target)  # unlike a rename, a link never replaces what came meanwhile
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        partial.rename(target)


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
