"""The end of a turn: all or nothing, and what it leaves behind."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from domain.messages import Choice, Language, Reply
from memory.base import Store
from memory.checkpoints import Checkpoints
from memory.records import CheckpointWrite, Exchange, Profile, SendState, Settlement, TurnCommit, TurnFacts
from tests.contract.stores import (
    AMINA,
    BACKLOG,
    BOUBE,
    House,
    exchange,
    message,
    say,
    sent,
    session,
    texts,
    turn_of,
)


def checkpoint(number: int, key: str = str(AMINA)) -> CheckpointWrite:
    return CheckpointWrite(key, "", f"c{number}", None, "z", f"state {number}".encode(), b"{}")


def checkpoints(store: Store) -> Checkpoints:
    return cast(Checkpoints, store.checkpoints)  # type: ignore[attr-defined]


def facts(at: float, topic: str = "data") -> TurnFacts:
    return TurnFacts(at, "telegram", "fr", "embedded", topic, True, 1, 1.5, 2.5, 0.0, 9.0, 10, 20)


async def test_a_commit_writes_everything_at_once(house: House, store: Store) -> None:
    now = house.clock()
    turn = await turn_of(store)
    profile = Profile(AMINA, Language.HAUSA, "22790", now, now, extra={"topics": ["data"]})
    record = session(created=now)
    done = TurnCommit(
        replies=(Reply("500 F"),),
        session=record,
        checkpoint=checkpoint(1),
        profile=profile,
        exchange=exchange(at=now),
        facts=facts(now),
    )
    assert await store.commit(turn, done)

    store = await house.reopened()

    assert await store.inbox.claim(10, wait=0) == ()
    assert [part.reply.text for part in await store.outbox.after(AMINA, 0, 10)] == ["500 F"]
    assert await store.sessions.get(AMINA) == record
    assert await store.long_term.profile(AMINA) == profile
    assert [one.answer for one in await store.long_term.history(AMINA, 10)] == ["500 F"]
    assert await store.statistics.facts(now) == [facts(now)]
    assert await store.statistics.total_turns() == 1
    stored = await checkpoints(store).load(str(AMINA))
    assert stored is not None
    assert stored.checkpoint == checkpoint(1)


async def test_a_refused_commit_writes_nothing_at_all(house: House, store: Store) -> None:
    late = await turn_of(store)
    store = await house.reopened()
    await store.inbox.claim(10, wait=0)
    now = house.clock()
    done = TurnCommit(
        replies=(Reply("x"),),
        session=session(created=now),
        checkpoint=checkpoint(1),
        profile=Profile(AMINA),
        exchange=exchange(at=now),
        facts=facts(now),
        erase=False,
    )
    assert not await store.commit(late, done)
    assert await store.sessions.get(AMINA) is None
    assert await store.long_term.profile(AMINA) is None
    assert await store.long_term.history(AMINA, 10) == []
    assert await store.statistics.facts(0) == []
    assert await store.statistics.total_turns() == 0
    assert await checkpoints(store).load(str(AMINA)) is None


async def test_an_unusable_reply_fails_its_turn_only(house: House, store: Store) -> None:
    turn = await turn_of(store)
    other = await turn_of(store, BOUBE)
    broken = Profile(AMINA, extra={"bad": object()})
    results = await asyncio.gather(
        store.commit(turn, TurnCommit(profile=broken)),
        store.commit(other, TurnCommit(replies=(Reply("fine"),))),
        return_exceptions=True,
    )
    assert isinstance(results[0], TypeError)
    assert results[1] is True
    await store.inbox.retry(turn, delay=0, error="")
    (again,) = await store.inbox.claim(10, wait=0)
    assert again.attempt == 2


async def test_only_the_latest_checkpoint_is_kept(store: Store) -> None:
    for number in range(3):
        turn = await turn_of(store)
        await store.commit(turn, TurnCommit(checkpoint=checkpoint(number)))
    stored = await checkpoints(store).list(str(AMINA))
    assert [one.checkpoint for one in stored] == [checkpoint(2)]


async def test_end_session_drops_session_and_checkpoint_and_keeps_the_rest(
    house: House, store: Store
) -> None:
    now = house.clock()
    turn = await turn_of(store)
    await store.commit(
        turn, TurnCommit(session=session(created=now, active=now + 60), checkpoint=checkpoint(1))
    )
    turn = await turn_of(store)
    ended = TurnCommit(
        end_session=True, session=session(created=now), checkpoint=checkpoint(2), exchange=exchange(at=now)
    )
    assert await store.commit(turn, ended)
    assert await store.sessions.get(AMINA) is None
    assert await checkpoints(store).load(str(AMINA)) is None
    assert len(await store.long_term.history(AMINA, 10)) == 1
    counts = await store.sessions.counts()
    assert (counts.active, counts.total, counts.expired, counts.average_duration_seconds) == (0, 1, 0, 60.0)


async def test_a_rating_is_for_the_exchange_before(house: House, store: Store) -> None:
    now = house.clock()
    for answer in ("old", "newest"):
        await store.commit(await turn_of(store), TurnCommit(exchange=exchange(answer=answer, at=now)))
    await store.commit(await turn_of(store, BOUBE), TurnCommit(exchange=exchange(BOUBE, at=now)))
    await store.commit(await turn_of(store), TurnCommit(rating=False))
    ratings = {one.answer: one.rating for one in await store.long_term.history(AMINA, 10)}
    assert ratings == {"old": None, "newest": False}
    (question,) = await store.editors.questions(10)
    assert question.reason == "bad_rating"
    await store.commit(await turn_of(store), TurnCommit(rating=True))
    assert await store.editors.questions(10) == []


async def known(house: House, store: Store) -> None:
    """Amina and Boube, both known in every way there is."""
    now = house.clock()
    for key in (AMINA, BOUBE):
        done = TurnCommit(
            replies=(Reply("answered"), Reply("waiting")),
            session=session(key, created=now),
            checkpoint=checkpoint(1, str(key)),
            profile=Profile(key, phone="22790"),
            exchange=exchange(key, at=now),
        )
        await store.commit(await turn_of(store, key), done)
        parked = await turn_of(store, key, "poison")
        await store.inbox.park(parked, error="boom", replies=())
        await store.notes.put("budget", {str(key): 12})
    for part in await store.outbox.claim(10, wait=0):
        await sent(store, part)


async def test_erase_forgets_one_chat_and_only_that(house: House, store: Store) -> None:
    await known(house, store)
    turn = await turn_of(store, text="/oublie")
    await store.inbox.accept([message(text="behind")], backlog_limit=BACKLOG)
    now = house.clock()
    done = TurnCommit(
        replies=(Reply("receipt 42"),),
        session=session(created=now),
        checkpoint=checkpoint(9),
        profile=Profile(AMINA),
        exchange=exchange(at=now),
        facts=facts(now),
        erase=True,
    )
    assert await store.commit(turn, done)
    said = [part for _ in range(2) for part in await store.outbox.claim(1, wait=10)]
    assert {part.key: part.reply.text for part in said} == {AMINA: "receipt 42", BOUBE: "waiting"}

    for _ in range(2):
        assert [part.reply.text for part in await store.outbox.after(AMINA, 0, 10)] == ["receipt 42"]
        assert await store.sessions.get(AMINA) is None
        assert await store.long_term.profile(AMINA) is None
        assert await store.long_term.history(AMINA, 10) == []
        assert await store.long_term.search("prix", key=AMINA, limit=10) == []
        assert await checkpoints(store).load(str(AMINA)) is None
        assert await store.notes.get("budget", str(AMINA)) is None
        assert {letter.key for letter in await store.editors.dead_letters(10)} == {BOUBE}
        assert await store.inbox.claim(10, wait=0) == ()

        assert await store.sessions.get(BOUBE) is not None
        assert await store.long_term.profile(BOUBE) is not None
        assert len(await store.long_term.search("prix", key=None, limit=10)) == 1
        assert await checkpoints(store).load(str(BOUBE)) is not None
        assert await store.notes.get("budget", str(BOUBE)) == 12
        store = await house.reopened()
    assert await store.statistics.facts(0) == [facts(now)]


async def test_a_late_turn_cannot_bring_erased_data_back(house: House, store: Store) -> None:
    late = await turn_of(store, text="mon secret")
    store = await house.reopened()
    (again,) = await store.inbox.claim(10, wait=0)
    assert texts(again) == ["mon secret"]
    await store.commit(again, TurnCommit(erase=True))
    done = TurnCommit(session=session(created=1.0), profile=Profile(AMINA), exchange=exchange(at=1.0))
    assert not await store.commit(late, done)
    assert await store.long_term.profile(AMINA) is None
    assert await store.sessions.get(AMINA) is None


async def test_a_send_under_way_may_still_be_settled_after_the_erasure(house: House, store: Store) -> None:
    await say(store, "under way")
    (part,) = await store.outbox.claim(10, wait=0)
    await store.commit(
        await turn_of(store, text="/oublie"), TurnCommit(replies=(Reply("receipt"),), erase=True)
    )
    assert await store.outbox.claim(10, wait=0.2) == ()  # the order of the chat still holds
    await store.outbox.settle(part, Settlement(SendState.SENT, platform_id="p"))
    (receipt,) = await store.outbox.claim(10, wait=10)
    assert receipt.reply.text == "receipt"
    assert [one.id for one in await store.outbox.after(AMINA, 0, 10)] == [receipt.id]


async def test_the_chat_is_answered_again_after_an_erasure(store: Store) -> None:
    await store.commit(await turn_of(store, text="/oublie"), TurnCommit(erase=True))
    await say(store, "bonjour")
    (part,) = await store.outbox.claim(10, wait=10)
    assert part.reply.text == "bonjour"


async def test_a_session_that_started_at_another_time_is_another_session(house: House, store: Store) -> None:
    now = house.clock()
    first = session(created=now, active=now + 100)
    await store.commit(await turn_of(store), TurnCommit(session=first))
    await store.commit(await turn_of(store), TurnCommit(session=session(created=now + 5000)))
    counts = await store.sessions.counts()
    assert (counts.active, counts.total, counts.average_duration_seconds) == (1, 2, 100.0)


@pytest.mark.parametrize("language", [None, *Language])
async def test_a_session_comes_back_whole(house: House, store: Store, language: Language | None) -> None:
    record = session(created=house.clock())
    record = record.__class__(
        AMINA, 1.5, 2.5, 3, 4, 5, language, (Choice("id", "Étiquette"),), "le reste « ƙ »"
    )
    await store.commit(await turn_of(store), TurnCommit(session=record))
    assert await (await house.reopened()).sessions.get(AMINA) == record


async def test_an_exchange_comes_back_whole(house: House, store: Store) -> None:
    kept = Exchange(AMINA, 5.0, 1.0, "q", "a", Language.ZARMA, "model", ("p1", "p2"), answered=False)
    await store.commit(await turn_of(store), TurnCommit(exchange=kept))
    (found,) = await (await house.reopened()).long_term.history(AMINA, 10)
    assert found == Exchange(
        AMINA, 5.0, 1.0, "q", "a", Language.ZARMA, "model", ("p1", "p2"), False, None, found.id
    )
