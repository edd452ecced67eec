"""One transaction over many units of work: plain functions on the sqlite3 connection, run in its thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

# After these SQLite rolls back, or may have rolled back, the whole transaction; the file itself is sound.
PASSING = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
    }
)
DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class _UnitFailedError(Exception):
    """One unit of a batch failed, for a reason of its own."""


@dataclass(frozen=True, slots=True)
class UnitResult:
    """What one unit returned, or what it raised; `late` is what went wrong after its commit."""

    value: Any = None
    error: Exception | None = None
    late: Exception | None = None


def run_transaction(connection: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[UnitResult]:
    """One transaction, without savepoints as long as no unit fails.

    Each statement hands the interpreter over and waits for it again, behind a busy loop up to 5 ms: two
    statements less a unit are worth running a batch once more when, rarely, one of its units fails.
    """
    try:
        return _transact(connection, works, _run_bare)
    except _UnitFailedError:
        return _transact(connection, works, _run_apart)


def _transact(
    connection: sqlite3.Connection,
    works: Sequence[Work[Any]],
    run: Callable[[sqlite3.Connection, Work[Any]], UnitResult],
) -> list[UnitResult]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes = [run(connection, work) for work in works]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def _run_bare(connection: sqlite3.Connection, work: Work[Any]) -> UnitResult:
    try:
        return UnitResult(work(connection))
    except Exception as error:
        if _ends_transaction(error, connection):
            raise
        raise _UnitFailedError from error


def _run_apart(connection: sqlite3.Connection, work: Work[Any]) -> UnitResult:
    connection.execute("SAVEPOINT unit")
    try:
        value = work(connection)
    except Exception as error:  # handed to the one who asked; the others' work stands
        if _ends_transaction(error, connection):
            raise
        connection.execute("ROLLBACK TO unit")
        connection.execute("RELEASE unit")
        return UnitResult(error=error)
    connection.execute("RELEASE unit")
    return UnitResult(value)


def _ends_transaction(error: Exception, connection: sqlite3.Connection) -> bool:
    """Whether it is the whole batch's failure, not that of one unit."""
    return code_of(error) in PASSING or not connection.in_transaction


def code_of(error: Exception) -> int:
    """SQLite's primary result code of an error, 0 for others."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
