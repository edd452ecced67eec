"""A damaged file is set aside, never repaired in place: a fresh one takes over every row that can be read."""

# ruff: noqa: S608 - every statement is made of constants here; what callers give is bound

from __future__ import annotations

import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

logger = logging.getLogger(__name__)

PAGE = 4096
SEQUENCE_GAP = 100_000  # rows whose ids were lost may have been named elsewhere: their ids are not used again
SIDE_FILES = ("", "-wal", "-shm")
_TEMPLATES = ("", "VACUUM")  # a file that was rewritten has its tables on other pages


class DamagedError(Exception):
    """The file is no sound database."""


def check(connection: sqlite3.Connection, *, seconds: float) -> None:
    """Look over the pages for at most so long; `seconds` 0 means to the end. Raises DamagedError."""
    until = time.monotonic() + seconds
    if seconds:
        connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            logger.info("large database: looked over in part", extra={"action": "store.check"})
            return
        raise DamagedError(str(error)) from error
    finally:
        connection.set_progress_handler(None, 0)
    if verdict != "ok":
        raise DamagedError(verdict.splitlines()[0])


def is_damage(error: BaseException) -> bool:
    """Whether an error says that the file itself is broken."""
    if isinstance(error, DamagedError):
        return True
    code = int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def set_aside(path: Path, label: str) -> Path:
    """Move a database with its log to another name, and return that."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    number, aside = 1, path.with_name(f"{path.name}.{label}-{stamp}")
    while aside.exists():
        number, aside = number + 1, path.with_name(f"{path.name}.{label}-{stamp}.{number}")
    for suffix in SIDE_FILES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def salvage(damaged: Path, fresh: sqlite3.Connection, make: Callable[[Path], None]) -> int:
    """Copy every readable row into the fresh database; returns how many. `make` writes an empty one."""
    work = damaged.with_name(f"{damaged.name}.work")
    try:
        _copy(damaged, work)
        saved = _take_rows(work, fresh)
        for template in _TEMPLATES if not saved else ():
            _copy(damaged, work)
            _transplant_first_page(work, make, template)
            saved = saved or _take_rows(work, fresh)
        return saved
    finally:
        for suffix in SIDE_FILES:
            work.with_name(work.name + suffix).unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    for suffix in SIDE_FILES[:2]:
        target.with_name(target.name + suffix).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(source.with_name(source.name + suffix), target.with_name(target.name + suffix))
    target.with_name(f"{target.name}-shm").unlink(missing_ok=True)


def _transplant_first_page(work: Path, make: Callable[[Path], None], template: str) -> None:
    """The first page says where every table begins; that of an empty database of ours says the same."""
    model = work.with_name(f"{work.name}.model")
    try:
        make(model)
        with closing(sqlite3.connect(model, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            if template:
                connection.execute(template)
        first = bytearray(model.read_bytes()[:PAGE])
    finally:
        for suffix in SIDE_FILES:
            model.with_name(model.name + suffix).unlink(missing_ok=True)
    first[28:32] = (work.stat().st_size // PAGE).to_bytes(4, "big")
    first[32:40] = bytes(8)  # no free pages: those of the model are not those of the file
    with work.open("r+b") as file:
        file.write(first)


def _take_rows(work: Path, fresh: sqlite3.Connection) -> int:
    with closing(sqlite3.connect(work, isolation_level=None)) as damaged:
        damaged.text_factory = lambda data: data.decode("utf-8", "replace")
        damaged.execute("PRAGMA writable_schema = ON")  # lets a file be read that is shorter than it says
        saved = sum(_take_table(damaged, fresh, *each) for each in _tables(fresh))
    if saved:
        _leave_gap(fresh)
    return saved


def _leave_gap(fresh: sqlite3.Connection) -> None:
    (latest,) = fresh.execute(
        "SELECT max(coalesce((SELECT max(seq) FROM sqlite_sequence), 0),"
        " coalesce((SELECT max(turn_id) FROM outbox), 0))"
    ).fetchone()
    fresh.execute("DELETE FROM sqlite_sequence")
    fresh.executemany(
        "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)",
        [(table, latest + SEQUENCE_GAP) for table in ("inbox", "outbox", "exchanges")],
    )


def _tables(fresh: sqlite3.Connection) -> list[tuple[str, bool]]:
    """Our own tables, and whether each has rowids."""
    rows = fresh.execute(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
    ).fetchall()
    return [(name, not without) for name, without in rows if not name.startswith("sqlite_")]


def _take_table(damaged: sqlite3.Connection, fresh: sqlite3.Connection, table: str, has_rowid: bool) -> int:
    try:
        known = {row[1] for row in damaged.execute(f"PRAGMA table_info({table})")}
    except sqlite3.DatabaseError:
        return 0
    columns = [row[1] for row in fresh.execute(f"PRAGMA table_info({table})") if row[1] in known]
    if not columns:
        return 0
    names = ", ".join(columns)
    insert = f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"
    rows = _by_rowid(damaged, table, names) if has_rowid else _from_both_ends(damaged, table, names)
    taken = 0
    fresh.execute("BEGIN IMMEDIATE")
    for row in rows:
        with suppress(sqlite3.Error, UnicodeError):  # this row is damaged; the next one may be whole
            taken += fresh.execute(insert, row).rowcount
    fresh.execute("COMMIT")
    return taken if table != "counters" else 0


def _by_rowid(damaged: sqlite3.Connection, table: str, names: str) -> Iterator[Sequence[object]]:
    """Upwards; behind an unreadable page by ever larger steps until rows can be read again."""
    last, step, latest = 0, 0, _latest(damaged, table)
    query = f"SELECT rowid, {names} FROM {table} WHERE rowid > ? ORDER BY rowid"
    while True:
        try:
            for number, *row in damaged.execute(query, (last + step,)):
                last, step = number, 0
                yield row
            return
        except sqlite3.DatabaseError:
            step = step * 2 or 1
            if last + step > latest:
                return


def _latest(damaged: sqlite3.Connection, table: str) -> int:
    """The largest rowid, as far as anything tells."""
    found = [0]
    for query in (
        f"SELECT max(rowid) FROM {table}",
        f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'",
    ):
        with suppress(sqlite3.DatabaseError):
            found += [row[0] or 0 for row in damaged.execute(query)]
    return max(found)


def _from_both_ends(damaged: sqlite3.Connection, table: str, names: str) -> Iterator[Sequence[object]]:
    keys = [row[1] for row in damaged.execute(f"PRAGMA table_info({table})") if row[5]]
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{key} {direction}" for key in keys)
        try:
            yield from damaged.execute(f"SELECT {names} FROM {table} ORDER BY {order}")
            return
        except sqlite3.DatabaseError:
            continue
