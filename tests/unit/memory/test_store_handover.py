"""A reply goes to a waiting sender with the commit of its turn, and nothing else about it changes."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest

from domain.errors import StoreUnavailable
from domain.messages import Reply
from memory.opening import open_store
from memory.records import OutboxPart, SendState, Settlement, TurnCommit
from memory.sqlite import SqliteStore
from tests.contract.stores import AMINA, BOUBE, CHAIBOU, Clock, say, sent, turn_of

Claim = asyncio.Task[Sequence[OutboxPart]]


@asynccontextmanager
async def waiting(store: SqliteStore, limit: int = 10, **how: object) -> AsyncIterator[Claim]:
    """A sender that waits for parts while the block is open."""
    claim: Claim = asyncio.create_task(store.outbox.claim(limit, wait=5, **how))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    try:
        yield claim
    finally:
        claim.cancel()
        with suppress(asyncio.CancelledError):
            await claim


async def answer_a_sender_that_leaves(store: SqliteStore) -> None:
    """A turn takes a place of a sender that is gone when its commit is through."""
    turn = await turn_of(store)
    async with waiting(store):
        commit = asyncio.create_task(store.commit(turn, TurnCommit(replies=(Reply("answer"),))))
        await asyncio.sleep(0)
    assert await commit


async def states(store: SqliteStore, key: object = AMINA) -> list[tuple[str, SendState, int]]:
    parts = await store.outbox.after(key, 0, 10)  # type: ignore[arg-type]
    return [(part.reply.text, part.state, part.attempts) for part in parts]


async def statements(store: SqliteStore, work: Callable[[], Awaitable[object]]) -> list[str]:
    seen: list[str] = []
    await store._database.exclusively(lambda connection: connection.set_trace_callback(seen.append))
    await work()
    await store._database.exclusively(lambda connection: connection.set_trace_callback(None))
    return [statement.split()[0] for statement in seen]


async def test_one_transaction_ends_the_turn_and_claims_its_reply(store: SqliteStore) -> None:
    turn = await turn_of(store)
    async with waiting(store) as claim:
        commit = TurnCommit(replies=(Reply("answer"),))
        seen = await statements(store, lambda: asyncio.gather(store.commit(turn, commit), claim))
        assert seen.count("BEGIN") == 1
        (part,) = await claim
    assert [part] == await store.outbox.after(AMINA, 0, 10)
    assert (part.reply.text, part.state, part.attempts) == ("answer", SendState.SENDING, 1)
    await sent(store, part)
    assert await states(store) == [("answer", SendState.SENT, 1)]
    assert await store.outbox.claim(10, wait=0) == ()


async def test_without_a_waiting_sender_a_reply_waits_on_disk(store: SqliteStore) -> None:
    await say(store, "answer")
    assert await states(store) == [("answer", SendState.PENDING, 0)]
    (part,) = await store.outbox.claim(10, wait=0)
    assert part.reply.text == "answer"


async def test_the_other_parts_of_a_reply_follow_one_by_one(store: SqliteStore) -> None:
    async with waiting(store) as claim:
        await say(store, "1", "2")
        (first,) = await claim
    assert [state for _, state, _ in await states(store)] == [SendState.SENDING, SendState.PENDING]
    assert await store.outbox.claim(10, wait=0) == ()
    await sent(store, first)
    (second,) = await store.outbox.claim(10, wait=0)
    assert second.reply.text == "2"


async def test_a_sender_gets_no_more_than_it_has_room_for(store: SqliteStore) -> None:
    turns = [await turn_of(store, key) for key in (AMINA, BOUBE, CHAIBOU)]
    async with waiting(store, limit=2) as claim:
        commit = TurnCommit(replies=(Reply("answer"),))
        await asyncio.gather(*(store.commit(turn, commit) for turn in turns))
        assert len(await claim) == 2
    (left,) = await store.outbox.claim(10, wait=0)
    assert left.key == CHAIBOU


async def test_a_place_taken_counts_for_the_next_claim_as_well(path: Path) -> None:
    clock = Clock()
    async with open_store(path, clock=clock) as store:
        await store.outbox.enqueue(BOUBE, [Reply("notice")])
        (notice,) = await store.outbox.claim(10, wait=0)
        later = Settlement(SendState.PENDING, due_at=clock.now + 10, counts=False)
        await store.outbox.settle(notice, later)
        turn = await turn_of(store)
        async with waiting(store, limit=1):
            busy = asyncio.create_task(store._database.exclusively(lambda _: time.sleep(0.2)))
            commit = asyncio.create_task(store.commit(turn, TurnCommit(replies=(Reply("answer"),))))
            await asyncio.sleep(0)
        clock.advance(10)
        claimed = await store.outbox.claim(1, wait=5)
        assert [part.reply.text for part in claimed] == ["answer"]
        await asyncio.gather(busy, commit)


async def test_an_account_that_is_paused_gets_nothing(store: SqliteStore) -> None:
    async with waiting(store, paused=[(CHAIBOU.channel, CHAIBOU.account)]) as claim:
        await say(store, "held", key=CHAIBOU)
        await say(store, "goes", key=AMINA)
        assert [part.reply.text for part in await claim] == ["goes"]
    assert await states(store, CHAIBOU) == [("held", SendState.PENDING, 0)]


async def test_nothing_overtakes_what_its_chat_was_told_before(store: SqliteStore) -> None:
    await say(store, "1")
    (first,) = await store.outbox.claim(10, wait=0)
    async with waiting(store) as claim:
        await say(store, "2")
        await asyncio.sleep(0.05)
        assert not claim.done()
        await sent(store, first)
        (second,) = await claim
    assert second.reply.text == "2"


async def test_a_turn_that_lost_its_lease_gives_its_place_back(store: SqliteStore) -> None:
    lost = await turn_of(store)
    await store.inbox.retry(lost, delay=0, error="")
    (turn,) = await store.inbox.claim(10, wait=0)
    async with waiting(store, limit=1) as claim:
        assert not await store.commit(lost, TurnCommit(replies=(Reply("late"),)))
        assert await store.commit(turn, TurnCommit(replies=(Reply("answer"),)))
        assert [part.reply.text for part in await claim] == ["answer"]
    assert await states(store) == [("answer", SendState.SENDING, 1)]


async def test_a_commit_that_failed_gives_its_place_back(store: SqliteStore, path: Path) -> None:
    turn = await turn_of(store)
    commit = TurnCommit(replies=(Reply("answer"),))
    await store._database.exclusively(lambda connection: connection.execute("PRAGMA busy_timeout = 20"))
    async with waiting(store, limit=1) as claim:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable):
                await store.commit(turn, commit)
            other.execute("ROLLBACK")
        assert await store.commit(turn, commit)
        assert [part.reply.text for part in await claim] == ["answer"]


async def test_a_commit_cancelled_in_time_gives_its_place_back(store: SqliteStore) -> None:
    turn = await turn_of(store)
    commit = TurnCommit(replies=(Reply("answer"),))
    async with waiting(store, limit=1) as claim:
        cancelled = asyncio.create_task(store.commit(turn, commit))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert await store.commit(turn, commit)
        assert [part.reply.text for part in await claim] == ["answer"]


async def test_a_reply_whose_sender_went_away_is_for_the_next_one(store: SqliteStore) -> None:
    await answer_a_sender_that_leaves(store)
    (part,) = await store.outbox.claim(10, wait=0)
    assert (part.reply.text, part.attempts) == ("answer", 1)


async def test_a_reply_that_nobody_came_for_is_as_if_never_tried(path: Path) -> None:
    async with open_store(path) as store:
        await answer_a_sender_that_leaves(store)
    async with open_store(path) as store:
        assert await states(store) == [("answer", SendState.PENDING, 0)]
        (part,) = await store.outbox.claim(10, wait=0)
        assert (part.attempts, part.doubts) == (1, 0)


async def test_a_store_closes_although_it_cannot_give_a_reply_back(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        async with open_store(path) as store:
            await answer_a_sender_that_leaves(store)
            await store._database.exclusively(lambda own: own.execute("PRAGMA busy_timeout = 20"))
            other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    async with open_store(path) as store:
        assert await states(store) == [("answer", SendState.IN_DOUBT, 1)]


async def test_the_receipt_of_an_erasure_waits_for_the_bytes_to_be_gone(store: SqliteStore) -> None:
    turn = await turn_of(store)
    async with waiting(store) as claim:
        seen = await statements(
            store,
            lambda: asyncio.gather(
                store.commit(turn, TurnCommit(replies=(Reply("erased"),), erase=True)), claim
            ),
        )
        (part,) = await claim
    assert (part.reply.text, part.attempts) == ("erased", 1)
    assert seen.index("PRAGMA") < len(seen) - seen[::-1].index("COMMIT")  # the log is cut before the claim
