"""The fake model server as a process that counts what is asked of it and can be told to answer badly.

GET  /control/stats   {"calls": N, "tokens": N, "seconds": S}: prompt tokens, four bytes of messages and
                      tools each; seconds between the arrival of a question and its answer, all added up
POST /control/faults  {"chance": 0.1}: that share of answers is empty or broken, in five ways by turns
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from itertools import cycle, product

import orjson
import uvloop
from aiohttp import web
from aiohttp.typedefs import Handler

from tests.fakes.openai import (
    EMPTY,
    HTML,
    NO_CHOICES,
    NOT_JSON,
    NULL,
    Body,
    FakeOpenAI,
    Script,
    Step,
    answer,
    delayed,
    quoted,
    rag,
)

_SYLLABLES = ("ka", "le", "mo", "ni", "ru", "sa")


def searching() -> Script:
    """In every turn a search first, then an answer that quotes what was found, in words of its own.

    No two answers are alike, as with a real model: a bot that remembers what it read of one gains nothing.
    """
    names = cycle(map("".join, product(_SYLLABLES, repeat=5)))

    def step(body: Body) -> Step:
        last = body["messages"][-1]
        if last.get("role") == "tool":
            return answer(f"{quoted(str(last['content']))}\nBonne journée, {next(names)}.")
        return rag({**body, "messages": [last]})

    return step


class ModelServer:
    """A scripted model behind figures and faults."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._calls = self._tokens = 0
        self._seconds = 0.0
        self._chance = 0.0
        self._random = random.Random(7)
        self._faults = cycle((EMPTY, NULL, NOT_JSON, NO_CHOICES, HTML))
        self._fake = FakeOpenAI(self._answer, record=False)

    async def start(self, port: int) -> str:
        """Listen; returns the base URL."""
        app = self._fake.app()
        app.middlewares.append(self._timed)
        app.router.add_get("/control/stats", self._stats)
        app.router.add_post("/control/faults", self._plan)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/v1"

    @web.middleware
    async def _timed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        try:
            return await handler(request)
        finally:
            if request.method == "POST":
                self._seconds += time.perf_counter() - began

    def _answer(self, body: Body) -> Step:
        self._calls += 1
        asked = len(orjson.dumps(body.get("messages"))) + len(orjson.dumps(body.get("tools", ())))
        self._tokens += asked // 4
        if self._chance and self._random.random() < self._chance:
            return next(self._faults)
        return self._script(body)

    async def _stats(self, _: web.Request) -> web.Response:
        figures = {"calls": self._calls, "tokens": self._tokens, "seconds": self._seconds}
        return web.json_response(figures)

    async def _plan(self, request: web.Request) -> web.Response:
        self._chance = float((await request.json())["chance"])
        return web.json_response({})


async def _serve(port: int, delay: float) -> None:
    server = ModelServer(delayed(searching(), delay))
    print(await server.start(port), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    options = parser.parse_args()
    uvloop.run(_serve(options.port, options.delay))


if __name__ == "__main__":
    main()
