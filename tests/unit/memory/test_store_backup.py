"""Copies: consistent while the bot works, never over another file, and back in place when it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from bot.cli import backup as backup_command
from bot.cli import restore as restore_command
from config.settings import Settings
from domain.errors import BadInput, StoreTooNew, StoreUnavailable
from domain.messages import ChatKey, Reply
from memory.opening import backup_file, open_store, restore_file
from memory.records import TurnCommit
from memory.sqlite import SqliteStore
from tests.contract.stores import AMINA, BACKLOG, message, say


async def work(store: SqliteStore, chats: int) -> None:
    """Every commit writes one reply and one turn: a copy that holds half of one would show."""
    keys = [ChatKey("web", "local", str(number)) for number in range(chats)]
    await store.inbox.accept([message(key, "x" * 500) for key in keys], backlog_limit=BACKLOG)
    for turn in await store.inbox.claim(chats, wait=5):
        await store.commit(turn, TurnCommit(replies=(Reply("y" * 500),)))


def query(path: Path, statement: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchone()[0]


async def test_copies_made_while_the_bot_works_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path) as store:
        await work(store, 50)
        working = asyncio.create_task(work(store, 200))
        for number in range(4):
            copy = tmp_path / f"copy-{number}"
            # As the bot does it, and as `python -m bot backup` does it from another process.
            await (store.backup(copy) if number % 2 else asyncio.to_thread(backup_file, path, copy))
            assert query(copy, "PRAGMA integrity_check") == "ok"
            turns = query(copy, "SELECT value FROM counters WHERE name = 'turns'")
            assert query(copy, "SELECT count(*) FROM outbox") == turns
            assert turns >= 50  # type: ignore[operator]  # a number
            assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        await working
    assert not list(tmp_path.glob("*.partial*"))


async def test_a_copy_overwrites_nothing(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("somebody's file")
    async with open_store(tmp_path / "memory.db") as store:
        for target in (taken, tmp_path / "memory.db"):
            with pytest.raises(BadInput, match="existe déjà"):
                await store.backup(target)
        with pytest.raises(StoreUnavailable, match="a échoué"):
            await store.backup(taken / "below" / "a-file")
    assert taken.read_text() == "somebody's file"


async def test_a_copy_of_a_stopped_bot_after_a_crash_holds_the_log(tmp_path: Path) -> None:
    path, crashed = tmp_path / "memory.db", tmp_path / "crashed" / "memory.db"
    crashed.parent.mkdir()
    async with open_store(path) as store:
        await say(store, "only in the log")
        for suffix in ("", "-wal"):
            file = path.with_name(path.name + suffix)
            crashed.with_name(file.name).write_bytes(file.read_bytes())
    backup_file(crashed, tmp_path / "copy")
    assert query(tmp_path / "copy", "SELECT count(*) FROM outbox") == 1


def test_there_must_be_something_to_copy(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="il n'y a pas de base"):
        backup_file(tmp_path / "none", tmp_path / "copy")


async def test_a_restored_copy_is_what_it_was_and_the_other_is_kept(tmp_path: Path) -> None:
    path, copy = tmp_path / "memory.db", tmp_path / "copy"
    async with open_store(path) as store:
        await say(store, "before")
        await store.backup(copy)
        await say(store, "after")
        with pytest.raises(StoreUnavailable, match="déjà ouverte"):
            restore_file(copy, path)

    aside = restore_file(copy, path)

    assert aside is not None
    assert query(aside, "SELECT count(*) FROM outbox") == 2
    async with open_store(path) as store:
        assert [part.reply.text for part in await store.outbox.after(AMINA, 0, 10)] == ["before"]
    assert copy.exists()


async def test_a_copy_can_be_restored_where_there_was_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path / "memory.db") as store:
        await say(store, "moved")
        await store.backup(tmp_path / "copy")
    target = tmp_path / "elsewhere" / "memory.db"
    assert restore_file(tmp_path / "copy", target) is None
    async with open_store(target) as store:
        assert len(await store.outbox.claim(10, wait=0)) == 1


async def test_useless_copies_are_refused_and_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path) as store:
        await say(store, "kept")
        await store.backup(tmp_path / "newer")
    (tmp_path / "garbage").write_bytes(b"\x01" * 5000)
    for name, statement in (("foreign", "CREATE TABLE photos (id)"), ("newer", "PRAGMA user_version = 99")):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.execute(statement)
    before = path.read_bytes()
    for name, refusal in (
        ("missing", BadInput),
        ("garbage", BadInput),
        ("foreign", BadInput),
        ("newer", StoreTooNew),
    ):
        with pytest.raises(refusal):
            restore_file(tmp_path / name, path)
    assert path.read_bytes() == before


async def test_the_commands_say_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, copy = tmp_path / "memory.db", tmp_path / "copy"
    settings = Settings.load(None).model_copy(update={"memory_db_path": path})
    options = argparse.Namespace(path=copy)
    async with open_store(path) as store:
        await say(store, "1")
        assert await backup_command.execute(settings, options) == 0
    assert await restore_command.execute(settings, options) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"Sauvegarde de {path} écrite dans {copy}")
    assert f"{copy} est remise en place sous {path}" in second
    assert "ancienne base est gardée sous" in second
