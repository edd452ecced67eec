"""How soon a new process serves and answers: `python -m benchmarks.start [--runs N] [--tree FOLDER]`.

Seconds from the start of the process: until the chat page answers, until `/readyz` does, and until a question
posted as soon as the page was there has its answer. `--tree` measures another checkout with the same parts.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp

from benchmarks.procs import spawn
from config.settings import ROOT
from tests.acceptance.processes import free_port
from tests.fakes.openai import FakeOpenAI, rag
from tests.fakes.telegram import TOKEN, FakeTelegram

QUESTION = "j'ai 500 F, je veux internet pour la semaine"
SECONDS = 60.0


async def once(tree: Path, settings: dict[str, str]) -> tuple[float, float, float]:
    """One start: seconds to the page, to readiness, and to the first answer."""
    with tempfile.TemporaryDirectory(prefix="airtel-bot-start-") as folder:
        port = free_port()
        places = {"MEMORY_DB_PATH": f"{folder}/memory.db", "HTTP_PORT": str(port), "PYTHONPATH": str(tree)}
        values = {**places, "BURST_WINDOW": "0", **settings}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            began = time.perf_counter()
            child = await spawn("bot", "-m", "bot", "run", folder=Path(folder), settings=values)
            try:
                page, ready, answer = await asyncio.wait_for(_watch(http), SECONDS)
            finally:
                await child.stop()
    return page - began, ready - began, answer - began


async def _watch(http: aiohttp.ClientSession) -> tuple[float, float, float]:
    await _until(http, "/")
    page = time.perf_counter()
    ready = asyncio.create_task(_until(http, "/readyz"))
    async with http.post("/api/chat/start") as response:
        headers = {"Authorization": f"Bearer {(await response.json())['token']}"}
    message = {"id": "first-question", "text": QUESTION}
    async with http.post("/api/chat/messages", json=message, headers=headers) as response:
        response.raise_for_status()
    while True:
        async with http.get("/api/chat/history?after=0", headers=headers) as response:
            if any(line["from"] == "bot" for line in (await response.json())["messages"]):
                return page, await ready, time.perf_counter()
        await asyncio.sleep(0.01)


async def _until(http: aiohttp.ClientSession, path: str) -> float:
    while True:
        with suppress(aiohttp.ClientError):
            async with http.get(path) as response:
                if response.status == 200:
                    return time.perf_counter()
        await asyncio.sleep(0.005)


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tree", type=Path, default=ROOT)
    options = parser.parse_args()
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(FakeTelegram())
        model = await stack.enter_async_context(FakeOpenAI(rag))
        kinds = {
            "no key": {},
            "a model": {"OPENAI_BASE_URL": model.url},
            "Telegram": {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_BASE_URL": telegram.url},
        }
        print(f"{sys.version.split()[0]}, median of {options.runs} starts, seconds")
        print("| With | page answers | ready | first answer |\n|---|---|---|---|")
        for name, settings in kinds.items():
            runs = [await once(options.tree, settings) for _ in range(options.runs)]
            cells = (f"{statistics.median(column):.2f}" for column in zip(*runs, strict=True))
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
