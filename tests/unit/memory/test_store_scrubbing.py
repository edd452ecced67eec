"""After an erasure, and after retention, no byte of what was said is left in any file of the database."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

from domain.messages import ChatKey, Reply
from memory.backup import read_only
from memory.opening import open_store
from memory.records import CheckpointWrite, OutboxPart, Profile, TurnCommit
from memory.sqlite import SqliteStore
from tests.contract.stores import BACKLOG, Clock, command, exchange, message, sent, session, turn_of

CHATS = 24


def chat(number: int) -> ChatKey:
    return ChatKey("telegram", "777", str(number))


def canary(key: ChatKey) -> str:
    """A word that stands in everything one chat says; no canary is part of another."""
    return f"kanari{key.chat}x"


def traces(folder: Path, word: str) -> int:
    """How often the word stands in the files, in whatever case."""
    return sum(file.read_bytes().lower().count(word.encode()) for file in folder.iterdir())


async def talk(store: SqliteStore, rounds: int, chance: random.Random) -> None:
    """Many chats at once, so that their rows share pages, move and part again."""
    for number in range(rounds):
        keys = chance.sample([chat(number) for number in range(CHATS)], CHATS // 2)
        words = {key: f"{canary(key)} {'bla ' * chance.randrange(80)}{canary(key)}" for key in keys}
        await store.inbox.accept([message(key, words[key]) for key in keys], backlog_limit=BACKLOG)
        turns = await store.inbox.claim(100, wait=0)
        await asyncio.gather(
            *(store.commit(turn, everything(turn.key, words.get(turn.key, "-"), number)) for turn in turns)
        )
        for part in await store.outbox.claim(100, wait=0):
            await sent(store, part)


def everything(key: ChatKey, word: str, number: int) -> TurnCommit:
    record = session(key, created=1.0)
    return TurnCommit(
        replies=(Reply(word),),
        session=record.__class__(key, 1.0, 2.0, rest=word),
        checkpoint=CheckpointWrite(str(key), "", f"c{number:06}", None, "z", word.encode(), b"{}"),
        profile=Profile(key, phone=canary(key), extra={"said": word[:50]}),
        exchange=exchange(key, word, word, at=1.0),
    )


async def forget(store: SqliteStore, key: ChatKey) -> None:
    """The turn of /oublie."""
    await store.inbox.accept([command(key, f"/oublie {canary(key)}")], backlog_limit=BACKLOG)
    turns = {turn.key: turn for turn in await store.inbox.claim(100, wait=0)}
    assert await store.commit(turns[key], TurnCommit(replies=(Reply("reçu 42"),), erase=True))


async def receipt(store: SqliteStore) -> OutboxPart:
    """The receipt, once it may go out."""
    while True:
        for part in await store.outbox.claim(100, wait=10):
            if part.reply.text == "reçu 42":
                return part
            await sent(store, part)


async def test_nothing_is_left_of_an_erased_chat_when_the_receipt_goes_out(tmp_path: Path) -> None:
    chance = random.Random(2)
    async with open_store(tmp_path / "memory.db") as store:
        await talk(store, 30, chance)
        await store.long_term.search(canary(chat(0)), key=None, limit=1)
        for number in range(8):
            assert traces(tmp_path, canary(chat(number)))
            await forget(store, chat(number))
            await receipt(store)
            assert traces(tmp_path, canary(chat(number))) == 0
        assert traces(tmp_path, canary(chat(9)))
        assert len(await store.long_term.search(canary(chat(9)), key=None, limit=100)) > 1
        await store.backup(tmp_path / "copy.db")
    for number in range(8):
        assert traces(tmp_path, canary(chat(number))) == 0
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        connection.execute("INSERT INTO exchanges_text (exchanges_text, rank) VALUES ('integrity-check', 1)")


async def test_what_retention_drops_is_gone_from_the_disk(tmp_path: Path) -> None:
    clock = Clock()
    async with open_store(tmp_path / "memory.db", clock=clock) as store:
        await talk(store, 5, random.Random(3))
        await store.long_term.search("bla", key=None, limit=1)
        clock.advance(40 * 86_400)
        await store.sessions.end([chat(number) for number in range(CHATS)], before=clock())
        for number in range(CHATS):
            await store.long_term.save_profile(Profile(chat(number)))
        await store.purge(clock(), retention_days=30)
        assert [traces(tmp_path, canary(chat(number))) for number in range(CHATS)] == [0] * CHATS


async def test_an_erasure_cut_short_is_finished_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path) as store:
        await talk(store, 3, random.Random(5))
        await store.long_term.search("bla", key=None, limit=1)
    with (
        closing(sqlite3.connect(path)) as connection,
        connection,
    ):  # as a crash right after the commit leaves it
        connection.execute("PRAGMA secure_delete = OFF")
        for table in ("inbox", "outbox", "sessions", "profiles", "exchanges"):
            connection.execute(f"DELETE FROM {table} WHERE chat = ?", (str(chat(1)),))
        connection.execute("DELETE FROM checkpoints WHERE thread_id = ?", (str(chat(1)),))
        connection.execute("UPDATE counters SET value = 1 WHERE name = 'scrub'")
    assert traces(tmp_path, canary(chat(1)))
    async with open_store(path):
        assert traces(tmp_path, canary(chat(1))) == 0


async def test_a_backup_under_way_delays_the_receipt_and_no_turn(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path) as store:
        await talk(store, 3, random.Random(6))
        with closing(read_only(path)) as backup:
            backup.execute("BEGIN")
            backup.execute("SELECT count(*) FROM exchanges").fetchone()
            await forget(store, chat(1))
            waiting = asyncio.create_task(receipt(store))
            turn = await turn_of(store)
            assert await store.commit(turn, TurnCommit())
            await asyncio.sleep(0.3)
            assert not waiting.done()
            backup.rollback()
        await waiting
        assert traces(tmp_path, canary(chat(1))) == 0


async def test_a_scrub_that_fails_keeps_its_flag(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path) as store:
        await forget(store, chat(1))
        await receipt(store)
        await store._database.write(
            lambda connection: (
                connection.execute("UPDATE counters SET value = 1 WHERE name = 'scrub'").rowcount
            )
        )
        with closing(read_only(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM exchanges").fetchone()
            await store.purge(1e9, retention_days=30)
            flag = await store._database.read(
                lambda connection: connection.execute(
                    "SELECT value FROM counters WHERE name = 'scrub'"
                ).fetchone()
            )
            assert flag == (1.0,)


async def test_a_planned_stop_does_not_wait_for_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with open_store(path) as store:
        await talk(store, 2, random.Random(8))
    with closing(read_only(path)) as backup:
        async with open_store(path) as store:
            backup.execute("BEGIN")
            backup.execute("SELECT count(*) FROM exchanges").fetchone()
            await forget(store, chat(1))
    async with open_store(path) as store:
        assert traces(tmp_path, canary(chat(1))) == 0
        assert (await receipt(store)).key == chat(1)
