"""A flood: one chat writes far too fast, and the others must hardly notice."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil

from config.settings import ROOT
from tests.acceptance.crash_runs import house
from tests.acceptance.flooder import CHAT
from tests.acceptance.history import count_of
from tests.acceptance.load_runs import Latencies, post, update
from tests.fakes.telegram import FakeTelegram

PAUSE = 4.0  # well inside the rate limit of a chat
QUESTION = "Comment consulter mon solde ?"


@dataclass
class FloodOutcome:
    """Seconds from acknowledgement to reply of the other chats, before and during the flood.

    `flood` is what the flooder saw; `cost` the bot's CPU seconds for one flooded message, beyond what the
    others cost it.
    """

    before: Latencies = field(default_factory=Latencies)
    during: Latencies = field(default_factory=Latencies)
    flood: Mapping[str, Any] = field(default_factory=dict)
    flood_turns: int = 0
    seconds: float = 0.0
    cost: float = 0.0


async def flood_run(
    folder: Path, *, rate: float, seconds: float, others: int, pause: float = PAUSE
) -> FloodOutcome:
    """`others` chats ask one question after the other; then one more chat writes `rate` times a second."""
    outcome = FloodOutcome()
    settings: dict[str, Any] = {"chat_rate_per_minute": 20, "chat_backlog": 50, "burst_window": 0.1}
    async with house(folder, warm=False, **settings) as (telegram, http, bots):
        running = await bots.start()
        url = await running.ready()
        bot = psutil.Process(running.pid)
        asking = _Asking(telegram, http, url, others, pause)
        await asking.ask(pause + 1.0, Latencies())  # the first answers find nothing warm
        alone = _cpu(bot)
        await asking.ask(seconds, outcome.before)
        alone, beside = _cpu(bot) - alone, _cpu(bot)
        started = time.perf_counter()
        outcome.flood, _ = await asyncio.gather(
            _flood(url, rate, seconds), asking.ask(seconds, outcome.during)
        )
        outcome.seconds = time.perf_counter() - started
        outcome.cost = (_cpu(bot) - beside - alone) / outcome.flood["sent"]
        running.terminate()
        await running.ended()
    outcome.flood_turns = count_of(
        folder / "memory.db",
        f"SELECT count(DISTINCT turn_id) FROM outbox WHERE turn_id IS NOT NULL AND chat LIKE '%:{CHAT}'",
    )
    return outcome


@dataclass
class _Asking:
    telegram: FakeTelegram
    http: aiohttp.ClientSession
    url: str
    others: int
    pause: float
    asked: int = 0

    async def ask(self, seconds: float, latencies: Latencies) -> None:
        """Each chat asks, waits for the reply, and asks again after a pause."""
        async with asyncio.TaskGroup() as group:
            for number in range(self.others):
                group.create_task(self._chat(20_000 + number, number / self.others, seconds, latencies))

    async def _chat(self, chat: int, phase: float, seconds: float, latencies: Latencies) -> None:
        deadline = time.perf_counter() + seconds
        await asyncio.sleep(self.pause * phase)
        while time.perf_counter() < deadline:
            self.asked += 1
            count = len(self.telegram.chats[chat])
            body = update(self.telegram, 1_000_000 + self.asked, chat, QUESTION)
            if await post(self.http, self.url, body, Latencies()):
                started = time.perf_counter()
                await self.telegram.wait_sent(chat, count + 1, 30.0)
                latencies.seconds.append(time.perf_counter() - started)
            await asyncio.sleep(self.pause)


async def _flood(url: str, rate: float, seconds: float) -> Mapping[str, Any]:
    """Run the flooder to its end; what it saw."""
    command = (sys.executable, "-m", "tests.acceptance.flooder", url, str(rate), str(seconds))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(seconds + 60.0):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"the flooder ended with {process.returncode}")
    return dict(orjson.loads(out))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
