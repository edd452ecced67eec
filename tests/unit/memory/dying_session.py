"""A process that holds a talk and kills itself in its second turn."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

from langchain_core.messages import HumanMessage

from domain.messages import Reply
from memory.checkpointer import Checkpointer
from memory.opening import open_store
from memory.records import SessionRecord, Turn, TurnCommit
from memory.serializer import StateSerializer
from memory.sqlite import SqliteStore
from tests.unit.memory.chats import graph, key, said, thread

QUESTIONS = ("un", "deux", "trois")
STEPS = ("opened", "answered", "committing", "committed")


def die(*_: object) -> None:
    """No clean-up of any kind."""
    os.kill(os.getpid(), signal.SIGKILL)


async def answer(store: SqliteStore, saver: Checkpointer, turn: Turn, dies_at: str) -> None:
    """One turn: graph, commit, cache."""

    def may_die(step: str) -> None:
        if dies_at == step:
            die()

    message = turn.messages[-1].message
    with saver.staging(str(key())) as staged:
        may_die("opened")
        asked = HumanMessage(message.text, id=message.external_id)
        state = await graph(saver).ainvoke({"messages": [asked]}, thread(key()), durability="exit")
        may_die("answered")
        session = SessionRecord(key(), created_at=1.0, last_activity=1.0)
        reply = Reply(state["messages"][-1].text)
        commit = store.commit(turn, TurnCommit(replies=(reply,), session=session, checkpoint=staged.write))
        if dies_at == "committing":
            await asyncio.gather(commit, store._database.write(_die_inside))
        assert await commit
        may_die("committed")
        staged.keep()


def _die_inside(connection: sqlite3.Connection) -> None:
    die()


async def talk(path: Path, dies_at: str) -> None:
    """Ask everything, one turn after another; what was asked before a crash is a duplicate."""
    async with open_store(path) as store:
        saver = Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=1_000_000)
        for number, text in enumerate(QUESTIONS):
            await store.inbox.accept([said(key(), text, at=1.0, name=text)], backlog_limit=50)
            for turn in await store.inbox.claim(1, wait=0.1):
                await answer(store, saver, turn, dies_at if number == 1 else "")


if __name__ == "__main__":
    asyncio.run(talk(Path(sys.argv[1]), sys.argv[2]))
