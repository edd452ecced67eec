"""A claimed part is what its row holds, and only rows that may go are claimed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import StoreUnavailable
from domain.messages import Attachment, Choice, Purpose, Reply
from memory.records import OutboxPart, SendState, Settlement
from memory.sqlite import SqliteStore
from tests.contract.stores import AMINA, BOUBE, CHAIBOU, say, sent

FULL = Reply("*123# ƙ 😀", (Choice("a", "Oui"), Choice("b", "Non")), None, Purpose.NOTICE)
FILE = Reply("voici", (), Attachment("a.json", "application/json", b"\x00\n\xff"))


def change(path: Path, statement: str) -> None:
    """As another hand would, behind the store's back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


async def claimed(store: SqliteStore) -> list[OutboxPart]:
    return sorted(await store.outbox.claim(10, wait=0), key=lambda part: part.id)


@pytest.mark.parametrize("reply", [FULL, FILE])
async def test_a_claim_returns_what_the_row_holds(store: SqliteStore, reply: Reply) -> None:
    await say(store, "first")
    await sent(store, (await claimed(store))[0])
    await store.outbox.enqueue(AMINA, [reply])
    (part,) = await claimed(store)
    (row,) = await store.outbox.after(AMINA, part.id - 1, 1)
    assert part == row
    assert (part.reply, part.state, part.attempts) == (reply, SendState.SENDING, 1)


async def test_a_turns_part_is_what_its_row_holds(store: SqliteStore) -> None:
    turn = await say(store, "answer")
    (part,) = await claimed(store)
    assert [part] == await store.outbox.after(AMINA, 0, 10)
    assert (part.turn_id, part.reply_to) == (turn.id, turn.messages[-1].message.external_id)


async def test_an_erased_part_is_gone_and_the_others_of_its_claim_go(store: SqliteStore, path: Path) -> None:
    for key in (AMINA, BOUBE, CHAIBOU):
        await store.outbox.enqueue(key, [Reply(str(key))])
    change(path, f"DELETE FROM outbox WHERE chat = '{BOUBE}'")
    assert [part.key for part in await claimed(store)] == [AMINA, CHAIBOU]
    assert (await store.health()).outbox_depth == 2
    await store.outbox.enqueue(BOUBE, [Reply("next")])
    assert [part.reply.text for part in await claimed(store)] == ["next"]


async def test_evidence_before_the_first_claim_is_seen(store: SqliteStore) -> None:
    await store.outbox.enqueue(CHAIBOU, [Reply("1"), Reply("2")])
    first, _ = await store.outbox.after(CHAIBOU, 0, 10)
    assert await store.outbox.confirm(first.id, SendState.IN_DOUBT, platform_id="wamid", error="late")
    (part,) = await claimed(store)
    assert (part.id, part.platform_id, part.error) == (first.id, "wamid", "late")


async def test_a_part_put_back_is_read_again(store: SqliteStore) -> None:
    await store.outbox.enqueue(AMINA, [Reply("<b>")])
    (part,) = await claimed(store)
    await store.outbox.settle(
        part, Settlement(SendState.PENDING, due_at=1.0, plain=True, counts=False, error="markup")
    )
    (again,) = await claimed(store)
    assert again == replace(part, due_at=1.0, plain=True, error="markup")


async def test_a_claim_that_failed_is_made_again(store: SqliteStore, path: Path) -> None:
    await store.outbox.enqueue(AMINA, [Reply("once")])
    await store._database.exclusively(lambda connection: connection.execute("PRAGMA busy_timeout = 20"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await store.outbox.claim(10, wait=0)
        other.execute("ROLLBACK")
    change(path, "UPDATE outbox SET plain = 1")
    (part,) = await store.outbox.claim(10, wait=5)
    assert (part.reply.text, part.attempts, part.plain) == ("once", 1, True)


async def test_an_unreadable_row_is_set_aside_alone(store: SqliteStore, path: Path) -> None:
    await store.outbox.enqueue(AMINA, [Reply("lost")])
    await store.outbox.enqueue(BOUBE, [Reply("fine")])
    change(path, f"UPDATE outbox SET body = x'00' WHERE chat = '{AMINA}'")
    assert [part.reply.text for part in await claimed(store)] == ["fine"]
    assert (await store.health()).outbox_depth == 1
