"""The main job, end to end: a subscriber writes, the bot answers from the catalogue, a restart goes on."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.openai import FakeOpenAI, rag
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.wire.house import bot

QUESTION = "j'ai 500 F, je veux internet pour la semaine"
FACTS = ("400 Mo", "7 jours", "500", "*141*3#")


def assert_right(text: str) -> None:
    for fact in FACTS:
        assert fact in text, f"{fact} is missing in: {text}"


async def test_the_chat_page_answers_and_a_restart_goes_on(tmp_path: Path) -> None:
    async with bot(tmp_path) as first:
        token = await first.open_chat()
        assert_right(await first.ask(QUESTION, "message-1"))
        last = first.last
    async with bot(tmp_path) as second:
        second.token, second.last = token, last
        # A follow-up that means nothing without the first question.
        answer = await second.ask("et pour 1000 F ?", "message-2")
        assert "1 Go" in answer
        assert "7 jours" in answer
        history = await second.get("/api/chat/history", **second.headers)
        assert [line["from"] for line in history["messages"]] == ["you", "bot", "you", "bot"]


async def test_the_same_on_telegram(tmp_path: Path) -> None:
    async with (
        FakeTelegram() as telegram,
        bot(tmp_path, telegram_bot_token=TOKEN, telegram_api_base_url=telegram.url),
    ):
        telegram.push_text(7, QUESTION)
        sent = await telegram.wait_sent(7)
        assert_right(sent[0].text)
        await telegram.wait_called("setMyCommands")


async def test_the_same_through_a_model_with_tools(tmp_path: Path) -> None:
    async with FakeOpenAI(rag) as model, bot(tmp_path, openai_base_url=model.url) as house:
        await house.open_chat()
        assert "*141*3#" in await house.ask(QUESTION, "message-1")
        assert model.bodies[0]["messages"][0]["role"] == "system"
        assert any(body["messages"][-1]["role"] == "tool" for body in model.bodies)


async def test_a_model_killed_in_the_middle_still_gives_a_right_answer(tmp_path: Path) -> None:
    model = FakeOpenAI(rag)
    await model.start()
    try:
        async with bot(tmp_path, openai_base_url=model.url, llm_timeout=2, rag_cache_enabled=False) as house:
            await house.open_chat()
            await house.ask(QUESTION, "message-1")
            await model.stop()
            assert_right(await house.ask(QUESTION, "message-2"))
    finally:
        await model.stop()
