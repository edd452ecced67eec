"""The bot serves before what thinks is loaded; what it takes meanwhile is answered once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.bot_process import Cold, Running, environment
from tests.fakes.openai import FakeOpenAI, answer
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.wire.house import House

QUESTION = "combien coûte 1 Go ?"


@asynccontextmanager
async def visitor(running: Running) -> AsyncIterator[House]:
    """Somebody who opens the page as soon as it is there."""
    url = await running.ready()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        async with http.get(f"{url}/") as page:
            assert page.status == 200
        yield House(None, url, http)


def gated(folder: Path, **settings: object) -> tuple[Cold, Path]:
    """Starts of a bot that loads what thinks only once the file exists."""
    gate = folder / "open"
    wrapper = (sys.executable, "-m", "tests.acceptance.gated_bot", str(gate))
    return Cold(folder, environment(folder, **settings), wrapper), gate


async def lines_of_bot(house: House) -> list[str]:
    url = f"{house.url}/api/chat/history?after=0"
    async with house.http.get(url, headers=house.headers) as response:
        return [line["text"] for line in (await response.json())["messages"] if line["from"] == "bot"]


async def logged(running: Running, action: str) -> None:
    async with asyncio.timeout(30):
        while True:
            if f'"action":"{action}"' in running.text().replace(" ", ""):
                return
            await asyncio.sleep(0.01)


async def test_a_message_before_the_agent_is_there_gets_its_answer_once(tmp_path: Path) -> None:
    async with FakeTelegram() as telegram, FakeOpenAI(lambda body: answer("Bonjour.")) as model:
        starts, gate = gated(
            tmp_path,
            openai_base_url=model.url,
            telegram_bot_token=TOKEN,
            telegram_api_base_url=telegram.url,
        )
        async with starts as bots, visitor(await bots.start()) as house:
            await house.open_chat()
            await house.say(QUESTION, "question-1")
            telegram.push_text(7, "bonjour")
            await telegram.wait_confirmed()  # committed: Telegram is told to forget it
            assert (await house.get("/readyz"))["ok"] is True
            assert await lines_of_bot(house) == []
            assert telegram.chats[7] == []

            gate.touch()
            assert len(await house.read(seconds=60.0)) == 1
            assert len(await telegram.wait_sent(7, seconds=60.0)) == 1
            await house.say(QUESTION, "question-1")  # delivered again
            await house.ask("merci", "question-2")
            assert len(await lines_of_bot(house)) == 2


async def test_a_stop_before_the_agent_is_there_loses_nothing(tmp_path: Path) -> None:
    starts, gate = gated(tmp_path)
    async with starts as bots:
        running = await bots.start()
        async with visitor(running) as house:
            token = await house.open_chat()
            await house.say(QUESTION, "question-1")
        running.terminate()
        await logged(running, "stopped")
        gate.touch()
        assert await running.ended() == 0

        async with visitor(await bots.start()) as house:
            house.token = token
            assert "1 Go" in (await house.read(seconds=60.0))[0]["text"]


@pytest.mark.parametrize("command", [("check",), ("ask", "bonjour")])
def test_a_command_collects_garbage_once_it_is_loaded(tmp_path: Path, command: tuple[str, ...]) -> None:
    code = f"import gc, sys; from bot.__main__ import main; sys.exit(main({command!r}) or not gc.isenabled())"
    env = environment(tmp_path)
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True)
    assert result.returncode == 0, result.stderr
