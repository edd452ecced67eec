"""A storm of spoilt updates on both webhooks; then everybody honest must still be answered."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.acceptance.crash_runs import house, metric, until_idle
from tests.acceptance.fuzzing import dumped, spoilt, telegram_seeds, torn, whatsapp_seeds
from tests.acceptance.history import rows_of
from tests.acceptance.load_runs import update
from tests.acceptance.subscribers import HEADERS
from tests.fakes import whatsapp_payloads as meta
from tests.fakes.telegram import FakeTelegram
from tests.fakes.whatsapp import TOKEN as GRAPH_TOKEN
from tests.fakes.whatsapp import FakeGraph

FUZZED_CHATS = 40
PROBES = 20
FLIGHT = 16
MAX_BODY = 200 * 1024
# What is set aside is told as an error, one by one; everything else at that level is a bug.
_WRONG = re.compile(
    r'"(?:ERROR|CRITICAL)", "logger": "(?!memory.quarantine)|Traceback \(most recent call last\)'
)
_SEED_ID = re.compile(rb'"wamid\.[^"]*"')


@dataclass
class FuzzOutcome:
    """`statuses` by webhook; `unanswered` counts honest messages before, between and after the storm."""

    offered: int = 0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    exceptions: int = 0
    first_exception: str = ""
    honest: int = 0
    unanswered: int = 0
    unfinished: int = 0
    worst_lag: float = 0.0
    exit_code: int = 0

    @property
    def refused(self) -> dict[tuple[str, int], int]:
        """What was not acknowledged although nothing of ours was in trouble."""
        return {key: count for key, count in self.statuses.items() if key[1] != 200}


async def fuzz_run(folder: Path, *, updates: int, seed: int = 1, server: Path | None = None) -> FuzzOutcome:
    """Offer so many spoilt updates, half of them on each webhook."""
    outcome, dice = FuzzOutcome(), random.Random(seed)
    async with AsyncExitStack() as stack:
        graph = FakeGraph()
        await stack.enter_async_context(graph)
        settings = _whatsapp_settings(graph)
        telegram, http, bots = await stack.enter_async_context(house(folder, server=server, **settings))
        running = await bots.start()
        url = await running.ready()
        storm = _storm(telegram, updates, dice)
        watch = asyncio.create_task(_watch(http, url, outcome))
        probe = _Probe(telegram, http, url, outcome)
        async with asyncio.TaskGroup() as group:
            for _ in range(FLIGHT):
                group.create_task(_offer(http, url, storm, outcome, probe))
        await probe.ask(PROBES)
        await until_idle(http, url, queues=("inbox",))
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        running.terminate()
        outcome.exit_code = await running.ended()
    found = list(_WRONG.finditer(log := running.text()))
    outcome.exceptions = len(found)
    if found:
        outcome.first_exception = log[max(0, found[0].start() - 300) : found[0].start() + 3000]
    rows = rows_of(folder / "memory.db")
    outcome.unanswered = sum(not rows.get(chat) for chat in probe.chats)
    return outcome


def _whatsapp_settings(graph: FakeGraph) -> dict[str, Any]:
    return {
        "whatsapp_access_token": GRAPH_TOKEN,
        "whatsapp_phone_number_id": meta.ACCOUNT,
        "whatsapp_app_secret": meta.APP_SECRET,
        "whatsapp_verify_token": meta.VERIFY_TOKEN,
        "whatsapp_graph_base_url": graph.base_url,
    }


def _storm(telegram: FakeTelegram, updates: int, dice: random.Random) -> Iterator[tuple[str, bytes]]:
    """Spoilt bodies with fresh ids, so that deduplication lets them through to whatever they may break."""
    chats = range(70_000, 70_000 + FUZZED_CHATS)
    of_telegram = [seed for chat in chats for seed in telegram_seeds(telegram, chat)]
    of_whatsapp = [seed for chat in chats for seed in whatsapp_seeds(f"2279{chat:07d}")]
    for number in range(updates):
        if number % 2:
            seed = dice.choice(of_telegram)
            path, raw = "/telegram", dumped(spoilt({"update_id": number, **seed}, dice))
        else:
            raw = dumped(spoilt(dice.choice(of_whatsapp), dice))
            path, raw = "/whatsapp", _SEED_ID.sub(b'"wamid.%d.%d"' % (number, dice.getrandbits(16)), raw)
        if dice.random() < 0.1:
            raw = torn(raw, dice)
        yield path, raw[:MAX_BODY]


async def _offer(
    http: aiohttp.ClientSession,
    url: str,
    storm: Iterator[tuple[str, bytes]],
    outcome: FuzzOutcome,
    probe: _Probe,
) -> None:
    for path, raw in storm:
        headers = HEADERS if path == "/telegram" else {"X-Hub-Signature-256": meta.signature(raw)}
        async with http.post(url + path, data=raw, headers=headers) as response:
            await response.read()
            outcome.statuses[path, response.status] += 1
        outcome.offered += 1
        if outcome.offered % 1000 == 0:
            await probe.ask(1)


@dataclass
class _Probe:
    """Honest people in between, each in a chat of their own."""

    telegram: FakeTelegram
    http: aiohttp.ClientSession
    url: str
    outcome: FuzzOutcome
    chats: list[str] = field(default_factory=list)

    async def ask(self, count: int) -> None:
        for _ in range(count):
            number = len(self.chats)
            chat = 90_000 + number
            body = update(self.telegram, 10_000_000 + number, chat, "/aide")
            async with self.http.post(f"{self.url}/telegram", data=body, headers=HEADERS) as response:
                self.outcome.statuses["/telegram", response.status] += 1
            self.chats.append(str(chat))
            self.outcome.honest += 1


async def _watch(http: aiohttp.ClientSession, url: str, outcome: FuzzOutcome) -> None:
    while True:
        await asyncio.sleep(0.5)
        outcome.worst_lag = max(outcome.worst_lag, await metric(http, url, "bot_loop_lag_seconds"))
