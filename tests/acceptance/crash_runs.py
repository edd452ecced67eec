"""Runs in which the bot dies again and again while subscribers write to it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from config.settings import ROOT
from config.texts import Texts
from domain.messages import Language
from tests.acceptance.bot_process import Cold, Forked, Running, environment
from tests.acceptance.history import Verdict, count_of, judge, rows_of, turns_of
from tests.acceptance.subscribers import SlowTelegram, Subscribers, script, telegram_settings

QUIET_SECONDS = 300.0
UNLIMITED = 10**9
CRASH = re.compile(r"Traceback \(most recent call last\)|\w+ crashed\"")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a crash run goes. `gently` stops by SIGTERM; `per_life` messages are let in per life of the bot."""

    lives: int
    chats: int = 8
    per_life: int = 6
    gently: bool = False
    warm: bool = True
    uptime: tuple[float, float] = (0.05, 0.5)
    seed: int = 1

    @property
    def messages(self) -> int:
        """Per chat."""
        return max(4, -(-self.lives * self.per_life // self.chats))


@dataclass
class Outcome:
    """What a crash run showed."""

    plan: Plan
    verdict: Verdict = field(default_factory=Verdict)
    copies_delivered: int = 0
    odd_statuses: dict[int, int] = field(default_factory=dict)
    odd_exits: list[int] = field(default_factory=list)
    slowest_stop: float = 0.0
    slowest_start: float = 0.0
    crashes_logged: int = 0
    seconds: float = 0.0
    intact: bool = False

    @property
    def good(self) -> bool:
        kind = self.plan.gently and self.verdict.duplicates
        return self.verdict.good and self.intact and not (kind or self.odd_exits or self.odd_statuses)


async def truth(folder: Path, messages: int, server: Path | None = None) -> list[tuple[str, ...]]:
    """The replies to the script, turn by turn, in a run without faults."""
    async with house(folder, server=server) as (telegram, http, bots):
        people = Subscribers(http, telegram, script(messages), chats=1, duplicates=0.0)
        running = await bots.start()
        people.open(await running.ready(), UNLIMITED)
        await people.run()
        await until_idle(http, running.url, queues=("inbox",))
        running.terminate()
        await running.ended()
    (rows,) = rows_of(folder / "memory.db").values()
    return turns_of(rows)


async def crash_run(
    folder: Path, plan: Plan, *, wanted: list[tuple[str, ...]], server: Path | None = None
) -> Outcome:
    """Let subscribers write while the bot is stopped `plan.lives` times; judge what is left."""
    outcome, dice, started = Outcome(plan), random.Random(plan.seed), time.monotonic()
    async with house(folder, warm=plan.warm, server=server, seed=plan.seed) as (telegram, http, bots):
        people = Subscribers(http, telegram, script(plan.messages), chats=plan.chats, seed=plan.seed)
        writing = asyncio.create_task(people.run())
        for _ in range(plan.lives):
            running = await _born(bots, outcome)
            people.open(running.url, plan.per_life)
            await asyncio.sleep(dice.uniform(*plan.uptime))
            await _died(running, people, outcome)
        running = await _born(bots, outcome)
        people.open(running.url, UNLIMITED)
        await writing
        await until_idle(http, running.url)
        running.terminate()
        outcome.odd_exits += [code for code in [await running.ended()] if code]
    texts = Texts.load(ROOT / "data" / "texts")
    apologies = {texts.get("pipeline.parked", language) for language in Language}
    notices = {texts.get("pipeline.perhaps_lost", language) for language in Language}
    database = folder / "memory.db"
    rows = rows_of(database)
    (folder / "received.json").write_bytes(orjson.dumps(telegram.texts()))
    outcome.verdict = judge(wanted, people.acknowledged, rows, telegram.texts(), apologies, notices)
    outcome.intact = (
        count_of(database, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'") == 1
    )
    outcome.copies_delivered = people.copies_sent
    outcome.odd_statuses = {code: count for code, count in people.statuses.items() if code not in (200, 503)}
    outcome.seconds = time.monotonic() - started
    return outcome


@asynccontextmanager
async def house(
    folder: Path, *, warm: bool = True, server: Path | None = None, seed: int = 1, **settings: Any
) -> AsyncIterator[tuple[SlowTelegram, aiohttp.ClientSession, Cold | Forked]]:
    """A Telegram, an HTTP client and a way to start bots: forked, from `server` if there is one, or cold."""
    async with contextlib.AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(SlowTelegram(seed))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        env = environment(folder, **{**telegram_settings(telegram), **settings})
        bots: Cold | Forked = Forked(folder, env, server) if warm else Cold(folder, env)
        await stack.enter_async_context(bots)
        yield telegram, http, bots


async def until_idle(
    http: aiohttp.ClientSession,
    url: str,
    *,
    queues: tuple[str, ...] = ("inbox", "outbox"),
    seconds: float = QUIET_SECONDS,
) -> None:
    """Until nothing waits in the queues of a running bot."""
    async with asyncio.timeout(seconds):
        while sum([await queue_depth(http, url, queue) for queue in queues]):  # noqa: ASYNC110  # it is asked over HTTP
            await asyncio.sleep(0.1)


async def queue_depth(http: aiohttp.ClientSession, url: str, queue: str) -> int:
    """How many rows wait in one queue of a running bot."""
    return int(await metric(http, url, f'bot_queue_depth{{queue="{queue}"}}'))


async def metric(http: aiohttp.ClientSession, url: str, name: str) -> float:
    """One value of `/metrics`, 0.0 when it is not there."""
    async with http.get(f"{url}/metrics") as response:
        for line in (await response.text()).splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
    return 0.0


async def _born(bots: Cold | Forked, outcome: Outcome) -> Running:
    running = await bots.start()
    await running.ready()
    outcome.slowest_start = max(outcome.slowest_start, time.monotonic() - running.started)
    return running


async def _died(running: Running, people: Subscribers, outcome: Outcome) -> None:
    stopping = time.monotonic()
    if outcome.plan.gently:
        running.terminate()
    else:
        running.kill()
    code = await running.ended()
    people.close()
    outcome.slowest_stop = max(outcome.slowest_stop, time.monotonic() - stopping)
    if code != (0 if outcome.plan.gently else -9):
        outcome.odd_exits.append(code)
    outcome.crashes_logged += len(CRASH.findall(running.text()))
