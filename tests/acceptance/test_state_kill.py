"""kill -9 in the middle of a turn: one answer, and a state that is neither lost nor doubled."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path

from memory.checkpointer import Checkpointer
from memory.opening import open_store
from memory.serializer import StateSerializer
from tests.unit.memory.chats import key, thread
from tests.unit.memory.dying_session import STEPS, talk

TALK = ["un", "réponse 1", "deux", "réponse 3", "trois", "réponse 5"]
ROOT = Path(__file__).parents[2]


async def killed(path: Path, step: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.unit.memory.dying_session", str(path), step, cwd=ROOT
    )
    assert await process.wait() == -signal.SIGKILL


async def history(path: Path) -> list[str]:
    async with open_store(path) as store:
        saver = Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=0)
        found = await saver.aget_tuple(thread(key()))
        assert found is not None
        return [message.text for message in found.checkpoint["channel_values"]["messages"]]


async def test_a_killed_turn_is_answered_once_and_remembered_once(tmp_path: Path) -> None:
    paths = {step: tmp_path / f"{step}.db" for step in STEPS}
    await asyncio.gather(*(killed(path, step) for step, path in paths.items()))
    for step, path in paths.items():
        assert await history(path) == (TALK[:4] if step == "committed" else TALK[:2])
        await talk(path, "never")
        assert await history(path) == TALK
        with sqlite3.connect(path) as connection:
            queued = connection.execute("SELECT count(*), count(DISTINCT turn_id) FROM outbox").fetchone()
            states = connection.execute("SELECT count(*) FROM checkpoints").fetchone()
        assert (queued, states) == ((3, 3), (1,))
