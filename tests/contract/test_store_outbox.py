"""The outbox: durable, strict order per chat, at most two copies, states that only move forward."""

from __future__ import annotations

import asyncio

import pytest

from domain.messages import Attachment, Choice, Purpose, Reply
from memory.base import Store
from memory.records import OutboxPart, Profile, SendState, Settlement, TurnCommit
from tests.contract.stores import AMINA, BOUBE, CHAIBOU, House, say, sent, turn_of

PENDING, SENT, IN_DOUBT = SendState.PENDING, SendState.SENT, SendState.IN_DOUBT
FAILED, DEAD = SendState.FAILED, SendState.DEAD


async def claim_one(store: Store) -> OutboxPart:
    (part,) = await store.outbox.claim(10, wait=0)
    return part


async def state_of(store: Store, part: OutboxPart) -> OutboxPart:
    (found,) = await store.outbox.after(part.key, part.id - 1, 1)
    return found


async def test_replies_come_back_whole_after_a_reopen(house: House, store: Store) -> None:
    reply = Reply(
        "*123# ƙ 😀",
        (Choice("a", "Oui"), Choice("b", "Non")),
        Attachment("données.json", "application/json", b"\x00\n\xff"),
        Purpose.NOTICE,
    )
    turn = await turn_of(store)
    await store.commit(turn, TurnCommit(replies=(reply,)))

    store = await house.reopened()

    part = await claim_one(store)
    assert part.reply == reply
    assert (part.key, part.state, part.attempts) == (AMINA, SendState.SENDING, 1)
    assert (part.turn_id, part.part_no) == (turn.id, 0)
    assert part.reply_to == turn.messages[-1].message.external_id


async def test_parts_of_a_chat_go_one_by_one_in_order(store: Store) -> None:
    await say(store, "1", "2")
    await say(store, "3")
    await store.outbox.enqueue(AMINA, [Reply("4")])
    seen = []
    for _ in range(4):
        part = await claim_one(store)
        assert await store.outbox.claim(10, wait=0) == ()
        seen.append(part.reply.text)
        await sent(store, part)
    assert seen == ["1", "2", "3", "4"]
    assert await store.outbox.claim(10, wait=0) == ()


async def test_a_part_that_must_wait_keeps_the_ones_behind_it_waiting(house: House, store: Store) -> None:
    await say(store, "1", "2")
    part = await claim_one(store)
    later = house.clock() + 30
    await store.outbox.settle(part, Settlement(PENDING, due_at=later, counts=False, error="429"))
    assert await store.outbox.claim(10, wait=0) == ()

    store = await house.reopened()
    assert await store.outbox.claim(10, wait=0) == ()
    house.clock.advance(30)
    again = await claim_one(store)
    assert (again.reply.text, again.attempts, again.doubts, again.error) == ("1", 1, 0, "429")


async def test_an_attempt_counts_unless_it_surely_did_not_happen(house: House, store: Store) -> None:
    await say(store, "1")
    for counts, attempts in ((True, 1), (False, 2), (True, 2), (True, 3)):
        part = await claim_one(store)
        assert part.attempts == attempts
        await store.outbox.settle(part, Settlement(PENDING, due_at=house.clock(), counts=counts))


async def test_plain_is_remembered(house: House, store: Store) -> None:
    await say(store, "<b>")
    await store.outbox.settle(await claim_one(store), Settlement(PENDING, plain=True))
    part = await claim_one(store)
    assert part.plain
    await store.outbox.settle(part, Settlement(PENDING, counts=False))
    assert (await claim_one(store)).plain


async def test_a_failed_part_lets_the_next_one_go(store: Store) -> None:
    await say(store, "1", "2", "3")
    await store.outbox.settle(await claim_one(store), Settlement(FAILED, error="refused"))
    await store.outbox.settle(await claim_one(store), Settlement(DEAD, error="window"))
    assert (await claim_one(store)).reply.text == "3"


async def test_paused_accounts_are_left_alone(store: Store) -> None:
    await say(store, "telegram", key=AMINA)
    await say(store, "whatsapp", key=CHAIBOU)
    (part,) = await store.outbox.claim(10, wait=0, paused={("telegram", "777")})
    assert part.reply.text == "whatsapp"
    assert await store.outbox.claim(10, wait=0, paused={("telegram", "777")}) == ()
    assert (await claim_one(store)).reply.text == "telegram"


async def test_a_busy_account_leaves_room_for_another(store: Store) -> None:
    for number in range(20):
        await store.outbox.enqueue(AMINA.__class__("telegram", "777", f"n{number}"), [Reply("broadcast")])
    await say(store, "answer", key=CHAIBOU)
    parts = await store.outbox.claim(4, wait=0)
    assert len(parts) == 4
    assert CHAIBOU in {part.key for part in parts}


async def test_a_waiting_claim_is_woken_by_a_commit_and_by_a_settlement(store: Store) -> None:
    waiting = asyncio.create_task(store.outbox.claim(10, wait=30))
    await asyncio.sleep(0)
    await say(store, "1", "2")
    (part,) = await waiting
    waiting = asyncio.create_task(store.outbox.claim(10, wait=30))
    await asyncio.sleep(0)
    await sent(store, part)
    assert [part.reply.text for part in await waiting] == ["2"]


async def test_evidence_wakes_the_chat_too(house: House, store: Store) -> None:
    await say(store, "1", "2", key=CHAIBOU)
    part = await claim_one(store)
    await store.outbox.settle(part, Settlement(IN_DOUBT, due_at=house.clock() + 60))
    waiting = asyncio.create_task(store.outbox.claim(10, wait=30))
    await asyncio.sleep(0)
    assert await store.outbox.confirm(part.id, SENT, platform_id="wamid")
    assert [part.reply.text for part in await waiting] == ["2"]


async def test_a_cancelled_claim_gives_its_parts_back(store: Store) -> None:
    await say(store, "1")
    for _ in range(10):
        claim = asyncio.create_task(store.outbox.claim(10, wait=5))
        await asyncio.sleep(0)
        claim.cancel()
        with pytest.raises(asyncio.CancelledError):
            await claim
    (part,) = await store.outbox.claim(10, wait=5)
    assert (part.attempts, part.doubts) == (1, 0)


async def test_an_interrupted_send_is_in_doubt_and_goes_out_once_more(house: House, store: Store) -> None:
    await say(store, "1")
    await claim_one(store)
    store = await house.reopened()
    assert (await store.health()).in_doubt == 1

    part = await claim_one(store)
    assert (part.attempts, part.doubts) == (2, 1)
    store = await house.reopened()

    # Not for another send: whoever claims it sees two doubts, parks it and tells of it.
    last = await claim_one(store)
    assert (last.id, last.doubts) == (part.id, 2)
    await store.outbox.settle(last, Settlement(DEAD, error="in doubt"))
    (letter,) = await store.editors.dead_letters(10)
    assert (letter.source, letter.id, letter.excerpt) == ("outbox", part.id, "1")


async def test_an_interrupted_whatsapp_send_first_waits_for_the_platforms_word(
    house: House, store: Store
) -> None:
    await say(store, "1", "2", key=CHAIBOU)
    part = await claim_one(store)
    store = await house.reopened()
    assert await store.outbox.claim(10, wait=0) == ()
    assert await store.outbox.confirm(part.id, SENT, platform_id="wamid")
    assert (await claim_one(store)).reply.text == "2"


async def test_an_interrupted_broadcast_is_in_doubt(house: House, store: Store) -> None:
    await store.outbox.enqueue(AMINA, [Reply("promo", purpose=Purpose.BROADCAST), Reply("next")])
    await claim_one(store)
    store = await house.reopened()
    part = await claim_one(store)
    assert (part.reply.text, part.doubts) == ("promo", 1)


async def test_a_part_in_doubt_twice_is_dead(house: House, store: Store) -> None:
    await say(store, "1", "2")
    for doubts in (0, 1):
        part = await claim_one(store)
        assert part.doubts == doubts
        await store.outbox.settle(part, Settlement(IN_DOUBT, due_at=house.clock(), error="timeout"))
    assert (await state_of(store, part)).state is DEAD
    assert (await claim_one(store)).reply.text == "2"


async def test_a_doubt_is_not_forgotten_by_a_send_that_surely_failed(house: House, store: Store) -> None:
    await say(store, "1")
    await store.outbox.settle(await claim_one(store), Settlement(IN_DOUBT, due_at=house.clock()))
    await store.outbox.settle(await claim_one(store), Settlement(PENDING, due_at=house.clock(), counts=False))
    part = await claim_one(store)
    assert part.doubts == 1
    await store.outbox.settle(part, Settlement(IN_DOUBT, due_at=house.clock()))
    assert (await state_of(store, part)).state is DEAD


async def test_evidence_only_moves_a_part_forward(house: House, store: Store) -> None:
    await say(store, "1", key=CHAIBOU)
    part = await claim_one(store)
    assert await store.outbox.confirm(part.id, SENT, platform_id="wamid")
    assert not await store.outbox.confirm(part.id, SENT, platform_id="wamid")
    await store.outbox.settle(part, Settlement(IN_DOUBT, due_at=house.clock()))  # the slower answer
    assert (await state_of(store, part)).state is SENT
    assert await store.outbox.confirm(part.id, FAILED, platform_id="wamid", error="131026")
    assert not await store.outbox.confirm(part.id, SENT, platform_id="wamid")
    found = await state_of(store, part)
    assert (found.state, found.platform_id, found.error) == (FAILED, "wamid", "131026")
    assert not await store.outbox.confirm(part.id + 999, SENT, platform_id="x")
    assert await store.outbox.claim(10, wait=0) == ()


async def test_a_part_parked_for_doubt_may_turn_out_to_have_arrived(house: House, store: Store) -> None:
    await say(store, "1", key=CHAIBOU)
    for _ in range(2):
        part = await claim_one(store)
        await store.outbox.settle(part, Settlement(IN_DOUBT, due_at=house.clock()))
    assert (await store.health()).dead == 1
    assert await store.outbox.confirm(part.id, SENT, platform_id="wamid")
    assert (await store.health()).dead == 0


async def test_evidence_is_no_match_for_the_chats_order(store: Store) -> None:
    await say(store, "1", "2", key=CHAIBOU)
    part = await claim_one(store)
    await store.outbox.confirm(part.id, SENT, platform_id="wamid")
    assert await store.outbox.claim(10, wait=0) == ()  # the first send is still under way
    await sent(store, part, "wamid")
    assert (await claim_one(store)).reply.text == "2"


async def test_a_closed_chat_fails_all_that_waits_and_is_marked(house: House, store: Store) -> None:
    await store.long_term.save_profile(Profile(AMINA))
    await say(store, "1", "2", "3")
    await say(store, "hers", key=BOUBE)
    part = next(part for part in await store.outbox.claim(10, wait=0) if part.key == AMINA)
    await store.outbox.settle(part, Settlement(FAILED, error="blocked", close_chat=True))
    states = [(part.state, part.error) for part in await store.outbox.after(AMINA, 0, 10)]
    assert states == [(FAILED, "blocked")] * 3
    profile = await store.long_term.profile(AMINA)
    assert profile is not None
    assert not profile.reachable
    assert await store.outbox.claim(10, wait=0) == ()

    store = await house.reopened()
    await say(store, "new")
    assert "new" in {part.reply.text for part in await store.outbox.claim(10, wait=0)}


async def test_after_gives_what_the_page_has_not_seen(store: Store) -> None:
    await say(store, "1", "2", "3")
    first = (await store.outbox.after(AMINA, 0, 1))[0]
    assert [part.reply.text for part in await store.outbox.after(AMINA, first.id, 10)] == ["2", "3"]
    assert await store.outbox.after(BOUBE, 0, 10) == []


async def test_a_dead_part_can_be_sent_again_before_what_follows(store: Store) -> None:
    await say(store, "1", "2")
    part = await claim_one(store)
    await store.outbox.settle(part, Settlement(DEAD, error="window"))
    assert await store.editors.replay("outbox", part.id)
    assert not await store.editors.replay("outbox", part.id)
    assert not await store.editors.replay("elsewhere", part.id)
    again = await claim_one(store)
    assert (again.id, again.attempts, again.doubts) == (part.id, 1, 0)


async def test_settled_parts_go_with_their_retention(house: House, store: Store) -> None:
    await say(store, "1", "2")
    await sent(store, await claim_one(store))
    house.clock.advance(31 * 86_400)
    await store.purge(house.clock(), retention_days=30)
    assert [part.reply.text for part in await store.outbox.after(AMINA, 0, 10)] == ["2"]


async def test_health_counts_parts(house: House, store: Store) -> None:
    await say(store, "1", "2")
    await say(store, "3", key=CHAIBOU)
    house.clock.advance(3)
    health = await store.health()
    assert (health.outbox_depth, health.outbox_oldest, health.sendable_oldest) == (3, 3.0, 3.0)
    for part in await store.outbox.claim(10, wait=0):
        await store.outbox.settle(part, Settlement(IN_DOUBT, due_at=house.clock() + 60))
    health = await store.health()
    assert (health.in_doubt, health.sendable_oldest, health.outbox_depth) == (2, 0.0, 3)
