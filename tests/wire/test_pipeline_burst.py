"""Five texts within 300 ms, through the whole bot: one call of the model and one reply."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import SecretStr

from tests.fakes.openai import FakeOpenAI, answer
from tests.wire.house import bot

BURST = ("Bonjour", "j'ai une question", "internet", "pour la semaine", "avec 500 F")


async def test_a_burst_is_one_model_call_and_one_reply(tmp_path: Path) -> None:
    async with (
        FakeOpenAI([answer("Avec 500 F, composez *141*3#.")]) as model,
        bot(
            tmp_path, burst_window=0.6, openai_base_url=model.url, openai_api_key=SecretStr("sk-of-the-tests")
        ) as house,
    ):
        await house.open_chat()
        for number, text in enumerate(BURST):
            await house.say(text, f"burst-{number:04}")
            await asyncio.sleep(0.05)
        (reply,) = await house.read()
        await asyncio.sleep(0.8)
        history = await house.get("/api/chat/history", **house.headers)
    assert len([line for line in history["messages"] if line["from"] == "bot"]) == 1
    assert reply["text"]
    assert len(model.bodies) == 1
    asked = str(model.bodies[0]["messages"])
    assert all(text in asked for text in BURST)
