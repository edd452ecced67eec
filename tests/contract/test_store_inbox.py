"""The inbox: durable, without duplicates, in order, one turn per chat, fenced."""

from __future__ import annotations

import asyncio

import pytest

from domain.messages import Reply
from memory.base import Store
from memory.records import Acceptance, TurnCommit
from tests.contract.stores import (
    AMINA,
    BACKLOG,
    BOUBE,
    CHAIBOU,
    House,
    command,
    message,
    sent,
    texts,
    turn_of,
)

NEW, DUPLICATE, REFUSED = Acceptance.NEW, Acceptance.DUPLICATE, Acceptance.REFUSED


async def test_an_accepted_message_comes_back_whole_after_a_reopen(house: House, store: Store) -> None:
    offered = message(text="forfait ƙarami à 500 F \u0000 😀", at=house.clock(), external_id="u1")
    assert await store.inbox.accept([offered], backlog_limit=BACKLOG) == [NEW]

    store = await house.reopened()

    (turn,) = await store.inbox.claim(10, wait=0)
    assert [stored.message for stored in turn.messages] == [offered]
    assert (turn.key, turn.attempt, turn.id) == (AMINA, 1, turn.messages[0].seq)


async def test_a_message_seen_before_is_a_duplicate_even_after_its_turn_and_a_reopen(
    house: House, store: Store
) -> None:
    first = message(external_id="same")
    assert await store.inbox.accept([first, first], backlog_limit=BACKLOG) == [NEW, DUPLICATE]
    (turn,) = await store.inbox.claim(10, wait=0)
    await store.commit(turn, TurnCommit())

    store = await house.reopened()

    house.clock.advance(7.9 * 86_400)
    await store.purge(house.clock(), retention_days=30)
    other_account = message(CHAIBOU, external_id="same")
    assert await store.inbox.accept([first, other_account], backlog_limit=BACKLOG) == [DUPLICATE, NEW]


async def test_deduplication_keys_go_after_eight_days(house: House, store: Store) -> None:
    await store.inbox.accept([message(external_id="old")], backlog_limit=BACKLOG)
    house.clock.advance(8.1 * 86_400)
    assert await store.purge(house.clock(), retention_days=30) == 1
    assert await store.inbox.accept([message(external_id="old")], backlog_limit=BACKLOG) == [NEW]


async def test_many_copies_at_once_are_one_message(store: Store) -> None:
    copies = [message(external_id=f"u{number % 50}") for number in range(1000)]
    results = await asyncio.gather(*(store.inbox.accept([copy], backlog_limit=BACKLOG) for copy in copies))
    assert sum(outcome == [NEW] for outcome in results) == 50
    (turn,) = await store.inbox.claim(10, wait=0)
    assert len(turn.messages) == 50


async def test_a_full_chat_refuses_more_and_keeps_refusing_the_same_message(store: Store) -> None:
    offered = [message(text=str(number)) for number in range(4)]
    assert await store.inbox.accept(offered, backlog_limit=3) == [NEW, NEW, NEW, REFUSED]
    assert await store.inbox.accept([message(BOUBE)], backlog_limit=3) == [NEW]
    turns = await store.inbox.claim(10, wait=0)
    for turn in turns:
        await store.commit(turn, TurnCommit())
    assert await store.inbox.accept([offered[3], message()], backlog_limit=3) == [DUPLICATE, NEW]


async def test_texts_merge_up_to_the_first_message_that_does_not(store: Store) -> None:
    offered = [
        message(text="1"),
        message(text="2"),
        command(text="/aide"),
        message(text="3"),
        message(text="4"),
    ]
    await store.inbox.accept(offered, backlog_limit=BACKLOG)
    seen = []
    for _ in range(3):
        (turn,) = await store.inbox.claim(10, wait=0)
        seen.append(texts(turn))
        assert await store.commit(turn, TurnCommit())
    assert seen == [["1", "2"], ["/aide"], ["3", "4"]]
    assert await store.inbox.claim(10, wait=0) == ()


async def test_at_most_fifty_messages_make_a_turn(store: Store) -> None:
    await store.inbox.accept([message(text=str(number)) for number in range(60)], backlog_limit=100)
    (turn,) = await store.inbox.claim(10, wait=0)
    assert texts(turn) == [str(number) for number in range(50)]


async def test_a_chat_has_one_turn_at_a_time(store: Store) -> None:
    turn = await turn_of(store)
    await store.inbox.accept([message(text="later")], backlog_limit=BACKLOG)
    assert await store.inbox.claim(10, wait=0) == ()
    await store.commit(turn, TurnCommit())
    (following,) = await store.inbox.claim(10, wait=0)
    assert texts(following) == ["later"]


async def test_the_oldest_chats_come_first_and_no_more_than_asked_for(house: House, store: Store) -> None:
    start = house.clock()
    for second, key in enumerate((BOUBE, CHAIBOU, AMINA)):
        await store.inbox.accept([message(key, at=start + second)], backlog_limit=BACKLOG)
    house.clock.advance(10)
    first = await store.inbox.claim(2, wait=0)
    rest = await store.inbox.claim(2, wait=0)
    assert [turn.key for turn in (*first, *rest)] == [BOUBE, CHAIBOU, AMINA]


async def test_a_message_waits_for_its_burst(house: House, store: Store) -> None:
    now = house.clock()
    await store.inbox.accept([message(text="1", at=now, ready_at=now + 1.2)], backlog_limit=BACKLOG)
    assert await store.inbox.claim(10, wait=0) == ()
    house.clock.advance(1)
    await store.inbox.accept([message(text="2", at=now + 1, ready_at=now + 2.2)], backlog_limit=BACKLOG)
    house.clock.advance(0.2)
    (turn,) = await store.inbox.claim(10, wait=0)
    assert texts(turn) == ["1", "2"]


async def test_a_message_from_a_clock_that_ran_ahead_is_answered_all_the_same(
    house: House, store: Store
) -> None:
    far = house.clock() + 7200
    await store.inbox.accept([message(at=far, ready_at=far)], backlog_limit=BACKLOG)
    house.clock.advance(60)
    assert len(await store.inbox.claim(10, wait=0)) == 1


async def test_a_waiting_claim_is_woken_by_a_message(store: Store) -> None:
    waiting = asyncio.create_task(store.inbox.claim(10, wait=30))
    await asyncio.sleep(0)
    await store.inbox.accept([message()], backlog_limit=BACKLOG)
    assert len(await waiting) == 1


async def test_a_waiting_claim_is_woken_by_the_end_of_the_turn_before(store: Store) -> None:
    turn = await turn_of(store)
    await store.inbox.accept([message(text="next")], backlog_limit=BACKLOG)
    waiting = asyncio.create_task(store.inbox.claim(10, wait=30))
    await asyncio.sleep(0)
    await store.commit(turn, TurnCommit())
    assert [texts(turn) for turn in await waiting] == [["next"]]


async def test_two_claims_never_share_a_chat(store: Store) -> None:
    keys = [AMINA, BOUBE, CHAIBOU]
    await store.inbox.accept([message(key) for key in keys], backlog_limit=BACKLOG)
    claims = await asyncio.gather(*(store.inbox.claim(2, wait=0) for _ in range(4)))
    assert sorted(turn.key for turns in claims for turn in turns) == sorted(keys)


async def test_a_cancelled_claim_gives_its_turns_back_unharmed(store: Store) -> None:
    for _ in range(20):
        await store.inbox.accept([message()], backlog_limit=BACKLOG)
        claim = asyncio.create_task(store.inbox.claim(10, wait=5))
        await asyncio.sleep(0)
        claim.cancel()
        with pytest.raises(asyncio.CancelledError):
            await claim
        (turn,) = await store.inbox.claim(10, wait=5)
        assert turn.attempt == 1
        await store.commit(turn, TurnCommit())


async def test_a_retried_turn_keeps_its_place_its_name_and_its_count(house: House, store: Store) -> None:
    turn = await turn_of(store, text="first")
    await store.inbox.retry(turn, delay=30, error="model down")
    await store.inbox.accept([command()], backlog_limit=BACKLOG)
    assert await store.inbox.claim(10, wait=0) == ()  # the whole chat waits, so order holds

    house.clock.advance(30)
    (again,) = await store.inbox.claim(10, wait=0)
    assert (again.id, again.attempt, texts(again)) == (turn.id, 2, ["first"])
    assert again.lease != turn.lease


async def test_a_refunded_attempt_does_not_count(store: Store) -> None:
    turn = await turn_of(store)
    await store.inbox.retry(turn, delay=0, error="", refund=True)
    (again,) = await store.inbox.claim(10, wait=0)
    assert again.attempt == 1


async def test_attempts_are_on_disk_before_the_turn_runs(house: House, store: Store) -> None:
    for attempt in (1, 2, 3):
        if attempt == 1:
            turn = await turn_of(store)
        else:
            (turn,) = await store.inbox.claim(10, wait=0)
        assert turn.attempt == attempt
        store = await house.reopened()


async def test_a_turn_whose_lease_was_lost_writes_nothing(house: House, store: Store) -> None:
    late = await turn_of(store)
    store = await house.reopened()
    (turn,) = await store.inbox.claim(10, wait=0)

    assert not await store.commit(late, TurnCommit(replies=(Reply("too late"),)))
    await store.inbox.retry(late, delay=1000, error="late")
    await store.inbox.park(late, error="late", replies=(Reply("sorry"),))
    assert await store.outbox.after(AMINA, 0, 10) == []

    assert await store.commit(turn, TurnCommit(replies=(Reply("in time"),)))
    assert [part.reply.text for part in await store.outbox.after(AMINA, 0, 10)] == ["in time"]
    assert not await store.commit(turn, TurnCommit(replies=(Reply("twice"),)))


async def test_a_parked_turn_leaves_the_chat_to_go_on(house: House, store: Store) -> None:
    turn = await turn_of(store, text="poison")
    await store.inbox.accept([message(text="next")], backlog_limit=BACKLOG)
    await store.inbox.park(turn, error="boom", replies=(Reply("désolé"),))

    store = await house.reopened()

    (following,) = await store.inbox.claim(10, wait=0)
    assert texts(following) == ["next"]
    (part,) = await store.outbox.claim(10, wait=0)
    assert (part.reply.text, part.reply_to) == ("désolé", turn.messages[-1].message.external_id)
    (letter,) = await store.editors.dead_letters(10)
    assert (letter.source, letter.id, letter.key, letter.error) == ("inbox", turn.id, AMINA, "boom")
    assert letter.excerpt == "poison"
    assert (await store.health()).dead == 1


async def test_a_replayed_turn_runs_before_what_came_later(store: Store) -> None:
    turn = await turn_of(store, text="poison")
    await store.inbox.park(turn, error="boom", replies=(Reply("désolé"),))
    await store.inbox.accept([command(text="/later")], backlog_limit=BACKLOG)

    assert await store.editors.replay("inbox", turn.id)
    assert not await store.editors.replay("inbox", turn.id)

    (again,) = await store.inbox.claim(10, wait=0)
    assert (texts(again), again.attempt, again.id) == (["poison"], 1, turn.id)
    assert await store.commit(again, TurnCommit(replies=(Reply("answer"),)))
    (apology,) = await store.outbox.claim(10, wait=0)
    await sent(store, apology)
    (answer,) = await store.outbox.claim(10, wait=0)
    assert (apology.reply.text, answer.reply.text) == ("désolé", "answer")


async def test_hold_waits_for_the_running_turn_and_keeps_new_ones_out(store: Store) -> None:
    turn = await turn_of(store)
    entered = asyncio.Event()
    leave = asyncio.Event()

    async def job() -> None:
        async with store.inbox.hold(AMINA):
            entered.set()
            await leave.wait()

    running = asyncio.create_task(job())
    await asyncio.sleep(0.01)
    assert not entered.is_set()
    await store.inbox.accept([message(text="next")], backlog_limit=BACKLOG)
    await store.commit(turn, TurnCommit())
    await entered.wait()
    assert await store.inbox.claim(10, wait=0) == ()
    leave.set()
    await running
    assert [texts(turn) for turn in await store.inbox.claim(10, wait=0)] == [["next"]]


async def test_holds_of_one_chat_follow_each_other_and_a_cancelled_one_is_skipped(store: Store) -> None:
    order: list[int] = []

    async def job(number: int) -> None:
        async with store.inbox.hold(AMINA):
            order.append(number)
            await asyncio.sleep(0)

    async with store.inbox.hold(AMINA):
        jobs = [asyncio.create_task(job(number)) for number in range(4)]
        await asyncio.sleep(0)
        jobs[1].cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    assert order == [0, 2, 3]
    await turn_of(store)  # the chat is free again


async def test_another_chat_is_not_held(store: Store) -> None:
    async with store.inbox.hold(AMINA):
        assert (await turn_of(store, BOUBE)).key == BOUBE


async def test_health_counts_what_waits(house: House, store: Store) -> None:
    await store.inbox.accept(
        [message(at=house.clock()), message(BOUBE, at=house.clock())], backlog_limit=BACKLOG
    )
    house.clock.advance(4)
    health = await store.health()
    assert (health.inbox_depth, health.inbox_oldest, health.runnable_oldest) == (2, 4.0, 4.0)
    turns = await store.inbox.claim(10, wait=0)
    health = await store.health()
    assert (health.inbox_depth, health.runnable_oldest, health.writable) == (2, 0.0, True)
    for turn in turns:
        await store.commit(turn, TurnCommit())
    health = await store.health()
    assert (health.inbox_depth, health.inbox_oldest) == (0, 0.0)
