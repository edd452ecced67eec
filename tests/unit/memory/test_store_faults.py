"""A disk that is full, a database that is busy, a power cut: nothing acknowledged is lost, no false yes."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from shutil import copyfile

import pytest

from domain.errors import StoreUnavailable
from domain.messages import ChatKey, Reply
from memory import store_inbox
from memory.opening import open_store
from memory.records import Acceptance, TurnCommit
from memory.sqlite import SqliteStore
from tests.contract.stores import BACKLOG, message, say, sent, turn_of


@pytest.fixture
def troubles() -> list[str]:
    return []


@pytest.fixture
async def store(tmp_path: Path, troubles: list[str]) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "memory.db", on_trouble=troubles.append) as store:
        yield store


async def pragma(store: SqliteStore, name: str, value: int | None = None) -> int:
    statement = f"PRAGMA {name}" if value is None else f"PRAGMA {name} = {value}"
    return int(
        (await store._database.exclusively(lambda connection: connection.execute(statement).fetchone()))[0]
    )


def chat(number: int) -> ChatKey:
    return ChatKey("web", "local", str(number))


async def until_writable(store: SqliteStore) -> None:
    """As health checks find it out, with nobody's help."""
    for _ in range(100):
        if (await store.health()).writable:
            return
        await asyncio.sleep(0.05)
    pytest.fail("never writable again")


async def accept_until_full(store: SqliteStore, limit: int) -> int:
    """How many messages were acknowledged before the disk was full."""
    for number in range(limit):
        try:
            await store.inbox.accept([message(chat(number), "x" * 2000)], backlog_limit=BACKLOG)
        except StoreUnavailable:
            return number
    pytest.fail("the disk never filled up")


async def test_a_full_disk_refuses_tells_once_and_recovers_alone(
    store: SqliteStore, troubles: list[str]
) -> None:
    await pragma(store, "max_page_count", await pragma(store, "page_count") + 20)
    acknowledged = await accept_until_full(store, 200)
    for number in range(3):
        with pytest.raises(StoreUnavailable):
            await store.inbox.accept([message(chat(500 + number), "x" * 9000)], backlog_limit=BACKLOG)
    assert len(troubles) == 1
    assert "disque est plein" in troubles[0]
    assert not (await store.health()).writable

    await pragma(store, "max_page_count", 1_000_000)
    await until_writable(store)
    assert await store.inbox.accept([message(chat(999))], backlog_limit=BACKLOG) == [Acceptance.NEW]
    turns = await store.inbox.claim(1000, wait=0)
    assert len(turns) == acknowledged + 1
    assert len(troubles) == 1


async def test_replies_still_go_out_while_the_disk_is_full(store: SqliteStore, tmp_path: Path) -> None:
    for number in range(3):
        await say(store, "reply", key=chat(number))
    reserve = tmp_path / "memory.db.reserve"
    assert reserve.stat().st_size == 1024 * 1024
    await pragma(store, "max_page_count", await pragma(store, "page_count") + 2)
    await accept_until_full(store, 50)
    assert not reserve.exists()  # the space replies need

    parts = await store.outbox.claim(10, wait=0)
    assert len(parts) == 3
    for part in parts:
        await sent(store, part)
    assert (await store.health()).outbox_depth == 0

    await pragma(store, "max_page_count", 1_000_000)
    await until_writable(store)
    assert reserve.exists()


async def test_a_busy_database_refuses_in_time_and_loses_nothing(store: SqliteStore, tmp_path: Path) -> None:
    turn = await turn_of(store)
    await store.outbox.enqueue(chat(1), [Reply("waiting")])
    await pragma(store, "busy_timeout", 50)
    offered = message(chat(2), external_id="u1")
    with closing(sqlite3.connect(tmp_path / "memory.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await store.inbox.accept([offered], backlog_limit=BACKLOG)
        with pytest.raises(StoreUnavailable):
            await store.commit(turn, TurnCommit(replies=(Reply("answer"),)))
        with pytest.raises(StoreUnavailable):
            await store.outbox.claim(10, wait=0)
        with pytest.raises(StoreUnavailable):
            await store.inbox.retry(turn, delay=0, error="busy")
        other.execute("ROLLBACK")

    assert await store.inbox.accept([offered], backlog_limit=BACKLOG) == [Acceptance.NEW]
    turns = {turn.key: turn for turn in await store.inbox.claim(10, wait=5)}
    assert set(turns) == {turn.key, chat(2)}
    assert turns[turn.key].attempt == 2
    assert not await store.commit(turn, TurnCommit())  # it was given back
    assert await store.commit(turns[turn.key], TurnCommit())
    (part,) = await store.outbox.claim(10, wait=5)
    assert (part.reply.text, part.attempts) == ("waiting", 1)


async def test_a_turn_that_could_not_be_claimed_is_claimed_later(store: SqliteStore, tmp_path: Path) -> None:
    await store.inbox.accept([message()], backlog_limit=BACKLOG)
    await pragma(store, "busy_timeout", 50)
    with closing(sqlite3.connect(tmp_path / "memory.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await store.inbox.claim(10, wait=5)
        other.execute("ROLLBACK")
    (turn,) = await store.inbox.claim(10, wait=5)
    assert turn.attempt == 1


async def test_what_is_read_after_the_commit_takes_the_place_of_the_result(store: SqliteStore) -> None:
    def completed(connection: sqlite3.Connection, value: int) -> int:
        assert not connection.in_transaction
        return value + 1

    seen: list[int] = []
    write = store._database.write(lambda _: 1, completed=completed, committed=seen.append)
    assert (await write, seen) == (2, [2])


async def test_a_read_that_fails_after_the_commit_harms_nobody(store: SqliteStore) -> None:
    def completed(connection: sqlite3.Connection, value: int) -> int:
        connection.execute("SELECT nothing FROM nowhere")
        return value + 1

    def failing(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT nothing FROM nowhere").lastrowid or 0)

    write = store._database.write
    outcomes = await asyncio.gather(
        write(lambda _: 1, completed=completed),
        write(failing, completed=completed),
        write(lambda _: 3),
        return_exceptions=True,
    )
    assert (outcomes[0], outcomes[2]) == (1, 3)
    assert isinstance(outcomes[1], sqlite3.OperationalError)


async def test_turns_are_claimed_whatever_damage_their_openings_meet(
    store: SqliteStore, troubles: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT  # what SQLite itself would have set
        raise error

    monkeypatch.setattr(store_inbox, "read_openings", damaged)
    turn = await turn_of(store)
    assert (turn.attempt, turn.opening) == (1, None)
    assert len(troubles) == 1
    assert "endommagée" in troubles[0]
    assert (tmp_path / "memory.db.suspect").exists()
    assert await store.commit(turn, TurnCommit())


async def test_a_power_cut_at_any_byte_behind_the_acknowledged_ones_loses_none(tmp_path: Path) -> None:
    """What was synced when a call returned is in the log up to its size then; the rest may be torn."""
    path, log = tmp_path / "memory.db", tmp_path / "memory.db-wal"
    acknowledged: list[tuple[int, int]] = []  # (bytes of log, messages)
    async with open_store(path) as store:
        for number in range(40):
            await store.inbox.accept([message(chat(number))], backlog_limit=BACKLOG)
            acknowledged.append((log.stat().st_size, number + 1))
        copyfile(path, tmp_path / "main")
        written = log.read_bytes()

    chance = random.Random(4)
    for cut in range(40):
        synced, messages = chance.choice(acknowledged)
        after = tmp_path / f"after-{cut}"
        after.mkdir()
        copyfile(tmp_path / "main", after / "memory.db")
        survived = written[: chance.randint(synced, len(written))]
        torn = bytearray(survived)
        for _ in range(3):
            if len(torn) > synced:
                torn[chance.randrange(synced, len(torn))] ^= 0xFF
        (after / "memory.db-wal").write_bytes(torn)
        with closing(sqlite3.connect(after / "memory.db")) as connection:
            assert connection.execute("SELECT count(*) FROM inbox").fetchone()[0] >= messages
            assert connection.execute("SELECT count(*) FROM seen").fetchone()[0] >= messages
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_every_acknowledgement_is_synced(tmp_path: Path) -> None:
    """Concurrent messages share transactions: far fewer than one each, and none is forgotten."""
    commits = 0
    async with open_store(tmp_path / "memory.db") as store:

        def trace(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        await store._database.exclusively(lambda connection: connection.set_trace_callback(trace))
        await asyncio.gather(
            *(store.inbox.accept([message(chat(number))], backlog_limit=BACKLOG) for number in range(500))
        )
        await store._database.exclusively(lambda connection: connection.set_trace_callback(None))
        assert 0 < commits <= 10
        assert (await store.health()).inbox_depth == 500
