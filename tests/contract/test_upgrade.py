"""A database of every released schema opens, and what stands in it goes on: `tests/data/schema-N.db`.

Each was written by the bot that released that schema: one web chat with two questions. They never change.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from config.settings import ROOT
from domain.messages import ChatKey
from memory.checkpointer import Checkpointer
from memory.checkpoints import Checkpoints
from memory.opening import open_store
from memory.serializer import StateSerializer
from memory.versions import migrations

FILES = sorted((ROOT / "tests" / "data").glob("schema-*.db"))


def test_every_released_schema_has_its_file() -> None:
    assert [path.stem for path in FILES] == [f"schema-{n}" for n in range(1, len(migrations()) + 1)]


@pytest.mark.parametrize("released", FILES, ids=lambda path: path.stem)
async def test_a_released_database_opens_and_goes_on(tmp_path: Path, released: Path) -> None:
    path = tmp_path / "memory.db"
    shutil.copy(released, path)
    async with open_store(path) as store:
        health = await store.health()
        assert health.schema_version == len(migrations())
        assert (await store.sessions.counts()).total == 1
        assert await store.statistics.total_turns() == 2
        (session,) = await store.sessions.recent(5)
        exchanges = await store.long_term.history(session.key, 5)
        assert [exchange.question for exchange in exchanges] == [
            "et pour 1000 F ?",
            "j'ai 500 F, je veux internet pour la semaine",
        ]
        assert "*141*3#" in exchanges[0].answer
        found = await store.long_term.search("internet", key=session.key, limit=5)
        assert len(found) == 1
        await _state_can_be_read(store.checkpoints, session.key)


async def _state_can_be_read(checkpoints: Checkpoints, key: ChatKey) -> None:
    saver = Checkpointer(checkpoints, StateSerializer(), cache_bytes=0)
    saved = await saver.aget_tuple({"configurable": {"thread_id": str(key), "checkpoint_ns": ""}})
    assert saved is not None
    messages = saved.checkpoint["channel_values"]["messages"]
    assert [message.type for message in messages] == ["human", "ai", "human", "ai"]
