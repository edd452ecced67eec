"""Damaged files: set aside, salvaged as far as they go, and the bot starts."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from domain.errors import StoreCorrupt
from domain.messages import ChatKey, Reply
from memory.opening import open_store
from memory.records import TurnCommit
from memory.sqlite import SqliteStore
from tests.contract.stores import AMINA, BACKLOG, BOUBE, exchange, message, say, session, turn_of

PAGE = 4096
CHATS = 60


async def fill(store: SqliteStore) -> None:
    """Some pages of everything: waiting messages, replies, sessions, exchanges."""
    keys = [ChatKey("web", "local", f"{number:03}") for number in range(CHATS)]
    await store.inbox.accept([message(key) for key in keys], backlog_limit=BACKLOG)
    for turn in await store.inbox.claim(CHATS, wait=0):
        done = TurnCommit(
            replies=(Reply("réponse " * 20),),
            session=session(turn.key, created=1.0),
            exchange=exchange(turn.key, "question " * 20, "réponse " * 20, at=1.0),
        )
        await store.commit(turn, done)
    await store.inbox.accept([message(key, "en attente " * 20) for key in keys], backlog_limit=BACKLOG)


async def filled(path: Path) -> None:
    async with open_store(path) as store:
        await fill(store)


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def root_page(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return int(page)


def break_header(path: Path) -> None:
    overwrite(path, 0, b"\xa5" * 100)


def break_first_page(path: Path) -> None:
    overwrite(path, 0, b"\xa5" * PAGE)


def break_rewritten_header(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")
    break_first_page(path)


def break_leaf(path: Path) -> None:
    """The middle page of the exchanges."""
    with path.open("rb") as file:
        file.seek((root_page(path, "exchanges") - 1) * PAGE)
        page = file.read(PAGE)
    count = int.from_bytes(page[3:5], "big")
    assert page[0] == 5, "the table has an inner page"
    cell = int.from_bytes(page[12 + 2 * (count // 2) :][:2], "big")
    leaf = int.from_bytes(page[cell : cell + 4], "big")
    overwrite(path, (leaf - 1) * PAGE, b"\xa5" * PAGE)


def cut(path: Path) -> None:
    """The last pages are gone."""
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 6 * PAGE)


@pytest.mark.parametrize(
    ("damage", "exchanges", "waiting"),
    [
        (break_header, CHATS, CHATS),
        (break_first_page, CHATS, CHATS),
        (break_rewritten_header, CHATS, CHATS),
        (break_leaf, CHATS * 2 // 3, CHATS),
        (cut, CHATS // 2, 0),
    ],
)
async def test_a_damaged_file_is_salvaged(
    damage: Callable[[Path], None], exchanges: int, waiting: int, tmp_path: Path
) -> None:
    path = tmp_path / "memory.db"
    await filled(path)
    damage(path)
    broken = path.read_bytes()

    troubles: list[str] = []
    async with open_store(path, on_trouble=troubles.append) as store:
        (trouble,) = troubles
        assert "endommagée" in trouble
        (aside,) = tmp_path.glob("memory.db.corrupt-*")
        assert aside.name in trouble
        assert aside.read_bytes() == broken
        found = await store.long_term.search("question", key=None, limit=1000)
        assert exchanges <= len(found) <= CHATS
        turns = await store.inbox.claim(1000, wait=0)
        assert waiting <= len(turns) <= CHATS
        assert len({part.id for part in await store.outbox.claim(1000, wait=0)}) >= waiting
        await say(store, "works", key=AMINA)

    async with open_store(path, on_trouble=troubles.append) as store:
        assert len(troubles) == 1
        assert (await store.statistics.total_turns()) >= 1
    assert {file.name.partition("-")[0] for file in tmp_path.iterdir()} == {
        "memory.db",
        "memory.db.lock",
        "memory.db.reserve",
        "memory.db.corrupt",
    }


@pytest.mark.parametrize(
    "content", [b"not a database, but somebody's notes" * 300, b"SQLite format 3\x00", b"\x00" * 9000]
)
async def test_what_is_no_database_is_set_aside(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(content)
    troubles: list[str] = []
    async with open_store(path, on_trouble=troubles.append) as store:
        await say(store, "works")
    (aside,) = tmp_path.glob("memory.db.corrupt-*")
    assert aside.read_bytes() == content
    assert len(troubles) == 1


async def test_ids_of_lost_rows_are_not_used_again(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path) as store:
        turn = await say(store, "1")
    break_header(path)
    async with open_store(path, on_trouble=lambda _: None) as store:
        later = await say(store, "2")
        assert later.id > turn.id + 1000


async def test_damage_met_while_running_is_told_once_and_salvaged_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    await filled(path)
    troubles: list[str] = []
    async with open_store(path, on_trouble=troubles.append) as store:
        await store._database.exclusively(
            lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        )
        break_leaf(path)
        await store._database.exclusively(
            lambda connection: connection.execute("PRAGMA shrink_memory").fetchall()
        )
        for _ in range(2):
            with pytest.raises(StoreCorrupt):
                await store._database.read(
                    lambda connection: connection.execute(
                        "SELECT sum(length(answer)) FROM exchanges"
                    ).fetchone()
                )
        assert len(troubles) == 1
        await store.outbox.enqueue(BOUBE, [Reply("others go on")])

    async with open_store(path, on_trouble=troubles.append) as store:
        assert len(troubles) == 2
        assert await store.inbox.claim(1000, wait=0)
    assert not path.with_name("memory.db.suspect").exists()


async def test_an_unreadable_row_is_quarantined_and_harms_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path) as store:
        for key in (AMINA, BOUBE):
            await store.commit(
                await turn_of(store, key),
                TurnCommit(session=session(key, created=1.0), replies=(Reply("r"), Reply("s"))),
            )
            await store.inbox.accept([message(key, "broken"), message(key, "fine")], backlog_limit=BACKLOG)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE sessions SET choices = '{broken' WHERE chat = ?", (str(AMINA),))
        connection.execute(
            "UPDATE inbox SET body = x'ff00' WHERE seq = (SELECT min(seq) FROM inbox WHERE chat = ?)",
            (str(AMINA),),
        )
        connection.execute("UPDATE outbox SET body = x'7b' WHERE chat = ? AND part_no = 0", (str(AMINA),))
    troubles: list[str] = []
    async with open_store(path, on_trouble=troubles.append) as store:
        assert await store.sessions.get(AMINA) is None
        assert await store.sessions.get(AMINA) is None
        assert await store.sessions.get(BOUBE) is not None
        turns = {turn.key: turn for turn in await store.inbox.claim(10, wait=0)}
        assert [stored.message.text for stored in turns[AMINA].messages] == ["fine"]
        assert [stored.message.text for stored in turns[BOUBE].messages] == ["broken", "fine"]
        assert {part.key: part.reply.text for part in await store.outbox.claim(10, wait=0)} == {BOUBE: "r"}
        assert [part.reply.text for part in await store.outbox.claim(10, wait=0)] == ["s"]
        assert await store.commit(turns[AMINA], TurnCommit())
    assert len(troubles) == 3
    with closing(sqlite3.connect(path)) as connection:
        kept = connection.execute("SELECT source FROM quarantine ORDER BY source").fetchall()
        assert kept == [("inbox",), ("outbox",), ("sessions",)]


async def test_what_no_parser_could_read_is_kept_up_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path) as store:
        await asyncio.gather(
            *(store.set_aside("telegram", f"{number:04}".encode() * 5000, "bad") for number in range(1010))
        )
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT source, error, length(body) FROM quarantine").fetchall()
        newest = connection.execute("SELECT body FROM quarantine ORDER BY id DESC LIMIT 1").fetchone()[0]
    assert rows == [("telegram", "bad", 16 * 1024)] * 1000
    assert newest.startswith(b"1009")


async def test_a_row_of_a_chat_without_a_name_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    await filled(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("inbox", "outbox", "sessions"):
            connection.execute(f"UPDATE {table} SET chat = 'damaged' WHERE chat = 'web:local:007'")
    async with open_store(path) as store:
        assert len(await store.inbox.claim(1000, wait=0)) == CHATS - 1
        assert len(await store.outbox.claim(1000, wait=0)) == CHATS - 1
        assert len(await store.sessions.idle(1e12, 1000)) == CHATS - 1
        assert len(await store.sessions.recent(1000)) == CHATS - 1
