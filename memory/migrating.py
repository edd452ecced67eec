"""Numbered migrations: one script per version, all pending ones in one transaction."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from domain.errors import BadSettings, StoreTooNew
from memory.backup import copy_database
from memory.versions import APPLICATION_ID, MIGRATIONS, migrations

logger = logging.getLogger(__name__)


def refuse_unfit(connection: sqlite3.Connection, path: Path) -> None:
    """Before anything is changed. Raises StoreTooNew, or BadSettings for the database of another program."""
    (present,) = connection.execute("PRAGMA user_version").fetchone()
    if present > len(migrations()):
        raise StoreTooNew(
            f"la base {path} est au format {present}, plus récent que cette version du bot"
            f" (format {len(migrations())}) ; installez une version plus récente, ou restaurez une sauvegarde"
        )
    if not present and connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise BadSettings(f"MEMORY_DB_PATH : {path} est la base d'un autre programme")


def migrate(connection: sqlite3.Connection, path: Path, folder: Path = MIGRATIONS) -> None:
    """Bring the file to our version, with a copy of the older one beside it."""
    scripts = migrations(folder)
    (present,) = connection.execute("PRAGMA user_version").fetchone()
    if present >= len(scripts):
        return
    if present:
        copy_database(path, _free_name(path.with_name(f"{path.name}.bak-v{present}")))
    _apply(connection, scripts[present:], version=len(scripts))
    logger.info("schema %d migrated to %d", present, len(scripts), extra={"action": "store.migrate"})


def _apply(connection: sqlite3.Connection, scripts: Sequence[Path], *, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for script in scripts:
            for statement in _statements(script.read_text(encoding="utf-8")):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """`executescript` would commit first, so the script is cut into statements."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _free_name(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number, free = number + 1, path.with_name(f"{path.name}.{number}")
    return free
