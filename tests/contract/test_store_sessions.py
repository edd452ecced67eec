"""Sessions: idle ones found, ended unless in a turn, and counted for good."""

from __future__ import annotations

import asyncio

from domain.messages import ChatKey
from memory.base import Store
from memory.records import TurnCommit
from tests.contract.stores import AMINA, BOUBE, CHAIBOU, House, message, session, turn_of

MINUTE = 60.0


async def begin(store: Store, key: ChatKey, *, created: float, active: float | None = None) -> None:
    turn = await turn_of(store, key)
    await store.commit(turn, TurnCommit(session=session(key, created=created, active=active)))


async def test_idle_names_the_longest_silent_first(house: House, store: Store) -> None:
    now = house.clock()
    for minutes, key in ((40, AMINA), (50, BOUBE), (10, CHAIBOU)):
        await begin(store, key, created=now - minutes * MINUTE)
    assert await store.sessions.idle(now - 30 * MINUTE, 10) == [BOUBE, AMINA]
    assert await store.sessions.idle(now - 30 * MINUTE, 1) == [BOUBE]


async def test_ending_counts_and_survives_a_reopen(house: House, store: Store) -> None:
    now = house.clock()
    await begin(store, AMINA, created=now - 100, active=now - 40)
    await begin(store, BOUBE, created=now - 100, active=now - 80)
    assert await store.sessions.end([AMINA, BOUBE], before=now - 30) == 2
    assert await store.sessions.end([AMINA, BOUBE], before=now - 30) == 0
    store = await house.reopened()
    counts = await store.sessions.counts()
    assert (counts.active, counts.total, counts.expired) == (0, 2, 2)
    assert counts.average_duration_seconds == 40.0
    assert await store.sessions.get(AMINA) is None


async def test_a_session_that_woke_up_is_not_ended(house: House, store: Store) -> None:
    now = house.clock()
    await begin(store, AMINA, created=now - 100)
    await begin(store, AMINA, created=now - 100, active=now)
    assert await store.sessions.end([AMINA], before=now - 30) == 0
    assert await store.sessions.get(AMINA) is not None


async def test_a_session_in_a_turn_is_not_ended(house: House, store: Store) -> None:
    now = house.clock()
    await begin(store, AMINA, created=now - 100)
    turn = await turn_of(store)
    assert await store.sessions.end([AMINA], before=now) == 0
    await store.inbox.retry(turn, delay=0, error="")
    async with store.inbox.hold(AMINA):  # as the clean-up job does
        assert await store.sessions.end([AMINA], before=now) == 1


async def test_many_sessions_end_in_bounded_steps(house: House, store: Store) -> None:
    keys = [ChatKey("web", "local", str(number)) for number in range(250)]
    now = house.clock()
    await store.inbox.accept([message(key) for key in keys], backlog_limit=1)
    turns = await store.inbox.claim(len(keys), wait=0)
    await asyncio.gather(
        *(store.commit(turn, TurnCommit(session=session(turn.key, created=now - 100))) for turn in turns)
    )
    assert await store.sessions.end(keys, before=now) == 250


async def test_recent_shows_the_last_active_first(house: House, store: Store) -> None:
    now = house.clock()
    for seconds, key in ((3, AMINA), (1, BOUBE), (2, CHAIBOU)):
        await begin(store, key, created=now - 100, active=now - seconds)
    assert [record.key for record in await store.sessions.recent(2)] == [BOUBE, CHAIBOU]
