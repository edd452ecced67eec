"""Opening a database file: settings, rights, one process, older, newer and foreign files."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from shutil import copyfile

import pytest

from domain.errors import BadSettings, StoreTooNew, StoreUnavailable
from memory.locking import is_locked, locked
from memory.migrating import migrate
from memory.opening import open_store
from memory.versions import MIGRATIONS, migrations
from tests.contract.stores import say


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


async def test_folder_and_files_are_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "memory.db"
    async with open_store(path) as store:
        await say(store, "1")
        assert mode_of(path.parent) == 0o700
        names = {file.name for file in path.parent.iterdir()}
        assert names == {"memory.db", "memory.db-wal", "memory.db-shm", "memory.db.lock", "memory.db.reserve"}
        assert {mode_of(file) for file in path.parent.iterdir()} == {0o600}


async def test_a_readable_file_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.touch(mode=0o644)
    async with open_store(path):
        assert mode_of(path) == 0o600


async def test_the_settings_that_keep_the_promise_are_on(tmp_path: Path) -> None:
    async with open_store(tmp_path / "memory.db") as store:
        names = ("journal_mode", "synchronous", "busy_timeout", "secure_delete", "foreign_keys")
        found = await store._database.read(
            lambda connection: [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
        )
        assert found == ["wal", 2, 5000, 1, 1]
        health = await store.health()
        assert (health.schema_version, health.engine) == (
            len(migrations()),
            f"SQLite {sqlite3.sqlite_version}",
        )


async def test_a_second_opener_is_refused_and_told_why(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path) as store:
        with pytest.raises(StoreUnavailable, match="déjà ouverte par un autre processus"):
            async with open_store(path):
                pytest.fail("two stores on one file")
        await say(store, "1")
    async with open_store(path) as store:
        assert len(await store.outbox.claim(10, wait=0)) == 1


def test_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    with locked(tmp_path / "memory.db"), pytest.raises(StoreUnavailable), locked(tmp_path / "memory.db"):
        pytest.fail("locked twice")
    with locked(tmp_path / "memory.db"):
        assert is_locked(tmp_path / "memory.db")
    assert not is_locked(tmp_path / "memory.db")
    assert not is_locked(tmp_path / "never.db")


async def test_starts_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    for _ in range(3):
        async with open_store(path):
            pass
    assert query(path, "SELECT value FROM counters WHERE name = 'boots'") == [(3.0,)]


async def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match=r"format 99.*plus récent que cette version du bot"):
        async with open_store(path):
            pytest.fail("opened a newer file")
    assert path.read_bytes() == before


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (id)")
    with pytest.raises(BadSettings, match="autre programme"):
        async with open_store(path):
            pytest.fail("opened a foreign file")
    assert query(path, "SELECT name FROM sqlite_master") == [("photos",)]


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The migrations of a coming version."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for script in migrations():
        copyfile(script, folder / script.name)
    (folder / "0098_next.sql").write_text(
        "-- Two; statements\nALTER TABLE facts ADD COLUMN place TEXT NOT NULL DEFAULT ';';\n"
    )
    (folder / "0099_last.sql").write_text("CREATE TABLE more (a TEXT NOT NULL) STRICT;\n")
    return folder


async def test_an_older_file_is_migrated_with_a_copy_kept(tmp_path: Path, newer: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path) as store:
        await say(store, "kept")
    version = len(migrations())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, path, newer)
    assert query(path, "PRAGMA user_version") == [(version + 2,)]
    assert query(path, "SELECT count(*) FROM outbox") == [(1,)]
    assert query(path, "SELECT place FROM facts") == []
    copy = tmp_path / f"memory.db.bak-v{version}"
    assert mode_of(copy) == 0o600
    assert query(copy, "PRAGMA user_version") == [(version,)]
    assert query(copy, "SELECT count(*) FROM outbox") == [(1,)]


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path, newer: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path):
        pass
    (newer / "0099_last.sql").write_text("CREATE TABLE more (a TEXT) STRICT;\nCREATE TABLE broken (;\n")
    before = query(path, "SELECT name, sql FROM sqlite_master")
    for attempt in range(2):  # the second copy gets a name of its own
        with (
            closing(sqlite3.connect(path, isolation_level=None)) as connection,
            pytest.raises(sqlite3.OperationalError),
        ):
            migrate(connection, path, newer)
        assert query(path, "PRAGMA user_version") == [(len(migrations()),)]
        assert query(path, "SELECT name, sql FROM sqlite_master") == before
        assert len(list(tmp_path.glob("memory.db.bak-v*"))) == attempt + 1


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [int(script.name.partition("_")[0]) for script in migrations(MIGRATIONS)]
    assert numbers == list(range(1, len(numbers) + 1))
