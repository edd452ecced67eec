"""A claim brings what is known of the chat; what is damaged never keeps a chat from being claimed."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from domain.messages import ChatKey, Choice, Language
from memory.base import Store
from memory.records import CheckpointWrite, Opening, Profile, TurnCommit
from tests.contract.stores import AMINA, BOUBE, House, exchange, message, session, turn_of

STATE = CheckpointWrite(str(AMINA), "", "c1", None, "msgpack~r", b"\x01\x80", b"{}")


async def opening_of(store: Store, key: ChatKey = AMINA) -> Opening:
    turn = await turn_of(store, key)
    assert turn.opening is not None
    return turn.opening


async def test_of_a_stranger_nothing_is_known(store: Store) -> None:
    assert await opening_of(store) == Opening(None, None, None, False)


async def test_a_claim_brings_session_profile_last_exchange_and_state(house: House, store: Store) -> None:
    now = house.clock()
    known = replace(session(created=now), choices=(Choice("a", "A"),), language=Language.HAUSA, rest="suite")
    profile = Profile(AMINA, language=Language.HAUSA, phone="+22790000000", first_seen=now, extra={"a": 1})
    turn = await turn_of(store)
    commit = TurnCommit(session=known, profile=profile, exchange=exchange(at=now), checkpoint=STATE)
    assert await store.commit(turn, commit)

    store = await house.reopened()

    assert await opening_of(store) == Opening(known, profile, now, True)
    assert await opening_of(store, BOUBE) == Opening(None, None, None, False)


async def test_a_sealed_memory_does_not_tell_when_it_last_spoke(house: House, store: Store) -> None:
    turn = await turn_of(store)
    sealed = Profile(AMINA, first_seen=1.0, sealed=True)
    assert await store.commit(turn, TurnCommit(profile=sealed, exchange=exchange(at=house.clock())))
    assert await opening_of(store) == Opening(None, sealed, None, False)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE sessions SET choices = 'no json'",
        "UPDATE sessions SET language = 'klingon'",
        "UPDATE profiles SET extra = '{'",
    ],
)
async def test_what_cannot_be_read_is_left_to_be_asked_for(house: House, store: Store, damage: str) -> None:
    turn = await turn_of(store)
    profile = Profile(AMINA, first_seen=1.0)
    assert await store.commit(turn, TurnCommit(session=session(created=house.clock()), profile=profile))
    with sqlite3.connect(house.database) as connection:
        connection.execute(damage)
    connection.close()

    assert (await turn_of(store)).opening is None

    assert [await store.sessions.get(AMINA), await store.long_term.profile(AMINA)].count(None) == 1
    assert len(house.troubles) == 1


async def test_each_turn_of_a_claim_has_its_own(house: House, store: Store) -> None:
    turn = await turn_of(store, BOUBE)
    kept = session(BOUBE, created=house.clock())
    assert await store.commit(turn, TurnCommit(session=kept))
    await store.inbox.accept([message(BOUBE), message(AMINA)], backlog_limit=9)
    turns = await store.inbox.claim(10, wait=0)
    found = {turn.key: turn.opening.session if turn.opening else "unread" for turn in turns}
    assert found == {AMINA: None, BOUBE: kept}
