"""Vectors of the knowledge: computed once, kept, and never in the way when the server has none."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.acceptance.processes import free_port
from tests.fakes.openai import FakeOpenAI, answer
from tests.wire.house import House, bot

_MODEL = "fake-embeddings"


async def _loaded(house: House) -> int:
    for _ in range(1500):  # the first start of a process also loads the model's library
        if "vectors" in house.app.core.preloading:
            break
        await asyncio.sleep(0.02)
    return int(str(house.app.core.preloading["vectors"]))


async def test_topics_get_vectors_which_a_restart_takes_up(tmp_path: Path) -> None:
    async with FakeOpenAI([answer("Bonjour.")]) as model:
        settings = {"openai_base_url": model.url, "openai_embeddings_model": _MODEL}
        async with bot(tmp_path, **settings) as house:
            topics = house.app.core.library.sizes["topics"]
            assert await _loaded(house) == topics
            assert (await house.get("/performance"))["preloading"]["vectors"] == topics
            kept = await house.app.core.store.notes.items(f"embeddings:{_MODEL}")
            assert len(kept) == topics
    # The server is gone: what was computed is still used.
    async with bot(tmp_path, **settings) as house:
        assert await _loaded(house) == topics


async def test_without_a_server_the_search_by_words_answers(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    async with bot(tmp_path, openai_base_url=url, openai_embeddings_model=_MODEL) as house:
        await house.open_chat()
        assert "*121#" in await house.ask("comment voir mon solde ?", "message-1")
        assert "vectors" not in house.app.core.preloading
