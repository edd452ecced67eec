"""Sessions begin, go on, fall silent and are cleaned up."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.messages import Language
from memory.clock import SteadyClock
from memory.opening import open_store
from memory.records import CheckpointWrite, Exchange, SessionRecord, TurnCommit
from memory.session_manager import BATCH, OpenSession, SessionManager
from memory.sqlite import SqliteStore
from tests.unit.memory.chats import Clock, begin_turn, have_session, key

TIMEOUT = 1800.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "memory.db", clock=clock) as opened:
        yield opened


@pytest.fixture
def forgotten() -> list[str]:
    return []


@pytest.fixture
def sessions(store: SqliteStore, clock: Clock, forgotten: list[str]) -> SessionManager:
    return SessionManager(store, timeout=TIMEOUT, forget=forgotten.append, clock=clock)


def state(number: int = 1) -> CheckpointWrite:
    return CheckpointWrite(str(key(number)), "", "c1", None, "msgpack~r", b"\x01\x80", b"{}")


def exchange(at: float) -> Exchange:
    return Exchange(key(), at, at, "combien ?", "500 F", Language.FRENCH, "embedded")


async def begin(sessions: SessionManager, now: float) -> OpenSession:
    return await sessions.open(key(), now, await sessions.opening(key()))


async def test_a_first_message_begins_a_session(sessions: SessionManager, clock: Clock) -> None:
    opened = await begin(sessions, clock())
    assert (opened.new, opened.timed_out) == (True, False)
    assert (opened.session.created_at, opened.session.last_activity) == (clock(), clock())


async def test_a_session_goes_on_until_the_timeout(
    store: SqliteStore, sessions: SessionManager, clock: Clock
) -> None:
    await have_session(store, key(), at=clock(), checkpoint=state())
    clock.now += TIMEOUT
    opened = await begin(sessions, clock())
    assert (opened.new, opened.timed_out, opened.session.messages) == (False, False, 1)
    assert await store.checkpoints.load(str(key())) is not None


async def test_after_the_timeout_nothing_of_the_old_session_can_be_read(
    store: SqliteStore, sessions: SessionManager, clock: Clock, forgotten: list[str]
) -> None:
    await have_session(store, key(), at=clock(), checkpoint=state())
    clock.now += TIMEOUT + 1
    turn = await begin_turn(store, key(), at=clock(), name="back")
    opened = await begin(sessions, clock())
    assert (opened.new, opened.timed_out, opened.session.messages) == (True, True, 0)
    assert forgotten == [str(key())]
    assert await store.checkpoints.load(str(key())) is None
    assert await store.commit(turn, TurnCommit(session=opened.session))
    again = await begin(sessions, clock())
    assert (again.new, again.timed_out) == (False, False)  # told once


async def test_a_session_cleaned_up_meanwhile_timed_out_too(
    store: SqliteStore, sessions: SessionManager, clock: Clock
) -> None:
    await have_session(store, key(), at=clock(), checkpoint=state(), exchange=exchange(clock()))
    clock.now += TIMEOUT + 1
    assert await sessions.clean_up() == 1
    opened = await begin(sessions, clock())
    assert (opened.new, opened.timed_out) == (True, True)


async def test_a_session_ended_by_the_subscriber_did_not_time_out(
    store: SqliteStore, sessions: SessionManager, clock: Clock
) -> None:
    await have_session(store, key(), at=clock(), exchange=exchange(clock()))
    turn = await begin_turn(store, key(), at=clock(), name="end")
    assert await store.commit(turn, TurnCommit(end_session=True))
    opened = await begin(sessions, clock())
    assert (opened.new, opened.timed_out) == (True, False)


async def test_an_erased_subscriber_is_a_new_one(
    store: SqliteStore, sessions: SessionManager, clock: Clock
) -> None:
    await have_session(store, key(), at=clock(), exchange=exchange(clock()))
    turn = await begin_turn(store, key(), at=clock(), name="erase")
    assert await store.commit(turn, TurnCommit(erase=True))
    clock.now += TIMEOUT + 1
    opened = await begin(sessions, clock())
    assert (opened.new, opened.timed_out) == (True, False)


async def test_an_unreadable_session_row_takes_its_state_with_it(
    tmp_path: Path, store: SqliteStore, sessions: SessionManager, clock: Clock
) -> None:
    await have_session(store, key(), at=clock(), checkpoint=state())
    with sqlite3.connect(tmp_path / "memory.db") as connection:
        connection.execute("UPDATE sessions SET choices = 'no json'")
    opened = await begin(sessions, clock())
    assert (opened.new, opened.timed_out) == (True, False)
    assert await store.checkpoints.load(str(key())) is None


async def test_a_state_without_a_session_is_dropped(
    store: SqliteStore, sessions: SessionManager, clock: Clock
) -> None:
    await store.checkpoints.put(state())
    assert (await begin(sessions, clock())).new
    assert await store.checkpoints.load(str(key())) is None


def break_page(path: Path, table: str) -> None:
    """Behind the back of a store that is open: the next read finds the page in the file."""
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        (page,) = other.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = other.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE counters SET value = value")


async def test_a_damaged_page_of_the_past_keeps_nobody_from_being_answered(
    tmp_path: Path, store: SqliteStore, sessions: SessionManager, clock: Clock
) -> None:
    await have_session(store, key(), at=clock(), exchange=exchange(clock()), checkpoint=state())
    break_page(tmp_path / "memory.db", "exchanges_chat")
    turn = await begin_turn(store, key(), at=clock(), name="again")
    assert turn.opening is None
    opened = await begin(sessions, clock())
    assert (opened.new, opened.session.messages) == (False, 1)


async def test_clean_up_ends_the_silent_ones_only(
    store: SqliteStore, sessions: SessionManager, clock: Clock, forgotten: list[str]
) -> None:
    silent = BATCH * 2 + 3
    for number in range(silent):
        await have_session(store, key(number), at=clock(), name=str(number), checkpoint=state(number))
    clock.now += TIMEOUT + 1
    await have_session(store, key(-1), at=clock(), name="awake")
    assert await sessions.clean_up() == silent
    assert set(forgotten) == {str(key(number)) for number in range(silent)}
    counts = await store.sessions.counts()
    assert (counts.active, counts.total, counts.expired) == (1, silent + 1, silent)
    assert await store.checkpoints.load(str(key(0))) is None
    assert await sessions.clean_up() == 0


async def test_a_session_in_the_middle_of_a_turn_is_never_ended(
    store: SqliteStore, sessions: SessionManager, clock: Clock
) -> None:
    await have_session(store, key(1), at=clock(), name="one", checkpoint=state())
    await have_session(store, key(2), at=clock(), name="two", checkpoint=state(2))
    clock.now += TIMEOUT + 1
    turn = await begin_turn(store, key(1), at=clock(), name="late")
    assert await sessions.clean_up() == 1  # the other one
    assert await store.sessions.get(key(1)) is not None
    session = SessionRecord(key(1), created_at=clock(), last_activity=clock())
    assert await store.commit(turn, TurnCommit(session=session))
    assert await sessions.clean_up() == 0


async def test_a_clock_set_back_ends_nothing(
    store: SqliteStore, sessions: SessionManager, clock: Clock
) -> None:
    await have_session(store, key(), at=clock())
    clock.now -= 7200
    assert await sessions.clean_up() == 0
    opened = await begin(sessions, clock())
    assert (opened.new, opened.timed_out) == (False, False)


async def test_a_clock_set_forward_ends_nothing(tmp_path: Path) -> None:
    wall, elapsed = Clock(), Clock(50.0)
    steady = SteadyClock(wall, elapsed)
    async with open_store(tmp_path / "steady.db", clock=steady) as store:
        sessions = SessionManager(store, timeout=TIMEOUT, forget=lambda _: None, clock=steady)
        await have_session(store, key(), at=steady())
        for jump in [7200, -7200] * 25:
            wall.now += jump
            elapsed.now += 1
            assert await sessions.clean_up() == 0
            assert not (await begin(sessions, steady())).new
        elapsed.now += TIMEOUT
        assert await sessions.clean_up() == 1
