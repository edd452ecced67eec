"""Units of work share a transaction; one that fails does so alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from memory.transactions import run_transaction


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    yield opened
    opened.close()


def add(connection: sqlite3.Connection, number: int) -> int:
    connection.execute("INSERT INTO t VALUES (?)", (number,))
    return number


def stored(connection: sqlite3.Connection) -> list[int]:
    return [number for (number,) in connection.execute("SELECT n FROM t ORDER BY n")]


def test_units_that_succeed_pay_for_no_savepoint(connection: sqlite3.Connection) -> None:
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    results = run_transaction(connection, [lambda c: add(c, 1), lambda c: add(c, 2)])
    connection.set_trace_callback(None)
    assert [(result.value, result.error) for result in results] == [(1, None), (2, None)]
    assert [statement.split()[0] for statement in seen] == ["BEGIN", "INSERT", "INSERT", "COMMIT"]


def test_a_unit_that_fails_half_way_fails_alone(connection: sqlite3.Connection) -> None:
    def half(c: sqlite3.Connection) -> None:
        add(c, 5)
        add(c, 1)

    results = run_transaction(connection, [lambda c: add(c, 1), half, lambda c: add(c, 2)])
    assert [result.value for result in results] == [1, None, 2]
    assert isinstance(results[1].error, sqlite3.IntegrityError)
    assert stored(connection) == [1, 2]
    assert not connection.in_transaction


def test_what_the_whole_transaction_fails_for_is_nobodys_result(connection: sqlite3.Connection) -> None:
    def interrupted(c: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR  # what SQLite itself would have set
        raise error

    with pytest.raises(sqlite3.OperationalError):
        run_transaction(connection, [lambda c: add(c, 1), interrupted])
    assert stored(connection) == []
    assert not connection.in_transaction
