"""The agent over the bot's own checkpointer: what a turn stages, what a restart finds."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.settings import ROOT
from domain.messages import ChatKey
from memory.checkpointer import Checkpointer
from memory.opening import open_store
from memory.serializer import StateSerializer
from memory.sqlite import SqliteStore
from tests.fakes.openai import answer, rag
from tests.wire.agent_rig import QUESTION, TRUE_DRAFT, agent_rig

THREAD = str(ChatKey("web", "page", "1"))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "memory.db") as opened:
        yield opened


def checkpointer(store: SqliteStore) -> Checkpointer:
    return Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=1_000_000)


async def test_a_restart_goes_on_with_the_talk(store: SqliteStore) -> None:
    async with agent_rig(rag, saver=checkpointer(store)) as rig:
        await rig.ask()
    async with agent_rig(rag, saver=checkpointer(store)) as rig:
        await rig.ask("et pour le mois ?", message_id="web:2")
        assert [m["content"] for m in rig.server.bodies[0]["messages"][1:2]] == [QUESTION]
        assert "[1] 2000 F, 2 Go, validité 30 jours" in rig.server.bodies[0]["messages"][-1]["content"]
        assert [m.id for m in await rig.state()] == ["web:1", "web:1:answer", "web:2", "web:2:answer"]


async def test_the_state_of_an_earlier_release_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "released.db"
    shutil.copy(ROOT / "tests" / "data" / "schema-1.db", path)
    async with open_store(path) as store:
        (session,) = await store.sessions.recent(5)
        async with agent_rig(rag, saver=checkpointer(store)) as rig:
            await rig.ask("et pour le mois ?", chat=session.key.chat)
            assert QUESTION in [m["content"] for m in rig.server.bodies[0]["messages"][1:5]]
            said = [m.type for m in await rig.state(session.key.chat)]
            assert said == ["human", "ai", "human", "ai", "human", "ai"]


async def test_a_turn_whose_commit_failed_is_run_again_from_the_same_state(store: SqliteStore) -> None:
    saver = checkpointer(store)
    async with agent_rig([answer(TRUE_DRAFT)], saver=saver) as rig:
        with saver.staging(THREAD) as staged:
            await rig.ask(message_id="web:x")
            assert staged.write is not None  # what would have joined the turn's commit
        assert await rig.state() == []
        with saver.staging(THREAD) as staged:
            await rig.ask(message_id="web:x")
            staged.keep()
        assert [m.id for m in await rig.state()] == ["web:x", "web:x:answer"]
        assert rig.server.bodies[0]["messages"] == rig.server.bodies[1]["messages"]


async def test_the_state_of_a_long_talk_stays_small(store: SqliteStore) -> None:
    saver = checkpointer(store)
    sizes = []
    async with agent_rig([answer(TRUE_DRAFT)], saver=saver) as rig:
        for i in range(30):
            with saver.staging(THREAD) as staged:
                await rig.ask(f"j'ai {500 + i} F, je veux internet pour la semaine")
                assert staged.write is not None
                sizes.append(len(staged.write.blob))
                staged.keep()
        assert len(await rig.state()) <= 50
    assert max(sizes) < 4096
