"""A process that works on a store and kills itself: `python -m tests.unit.memory.dying DB STEP`."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable
from pathlib import Path

from domain.messages import Reply
from memory.opening import open_store
from memory.records import SendState, Settlement, TurnCommit
from memory.sqlite import SqliteStore
from tests.contract.stores import AMINA, BACKLOG, exchange, message, session

STEPS = ("accepting", "accepted", "claimed", "committing", "committed", "sending", "settling", "settled")


def die() -> None:
    """No clean-up of any kind."""
    os.kill(os.getpid(), signal.SIGKILL)


async def die_within(store: SqliteStore, write: Awaitable[object]) -> None:
    """Die after the write was executed and before its transaction is committed."""

    def work(connection: sqlite3.Connection) -> None:
        die()

    await asyncio.gather(write, store._database.write(work))


async def live(path: Path, until: str) -> None:
    """Take one message through everything, up to the step."""

    async def step(name: str, write: Awaitable[object]) -> None:
        if until == f"{name}ing":
            await die_within(store, write)
        await write
        if until == f"{name}ed":
            die()

    async with open_store(path) as store:
        await step("accept", store.inbox.accept([message(external_id="u1", at=1.0)], backlog_limit=BACKLOG))
        (turn,) = await store.inbox.claim(10, wait=5)
        if until == "claimed":
            die()
        done = TurnCommit(
            replies=(Reply("answer"), Reply("more")),
            session=session(created=1.0),
            exchange=exchange(at=1.0),
        )
        await step("committ", store.commit(turn, done))
        (part,) = await store.outbox.claim(10, wait=5)
        if until == "sending":
            die()
        assert part.key == AMINA
        await step("settl", store.outbox.settle(part, Settlement(SendState.SENT, platform_id="p")))


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2]))
