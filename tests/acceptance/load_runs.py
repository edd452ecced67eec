"""Runs under load: acknowledgements, slow clients, and a storm of copies around a crash."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from tests.acceptance.bot_process import Running
from tests.acceptance.crash_runs import house, metric, until_idle
from tests.acceptance.history import count_of
from tests.acceptance.subscribers import HEADERS
from tests.fakes.telegram import FakeTelegram

COMMAND = "/inconnu"
_ANSWERED_QUERY = "SELECT count(DISTINCT turn_id) FROM outbox WHERE turn_id IS NOT NULL"


@dataclass
class Latencies:
    """Seconds of each request, in order, and what was answered."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def quantile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def over(self, limit: float) -> int:
        return sum(value > limit for value in self.seconds)


def update(telegram: FakeTelegram, update_id: int, chat: int, text: str) -> bytes:
    """One text as Telegram posts it."""
    return orjson.dumps({"update_id": update_id, "message": telegram.message(chat, text=text)})


async def post(http: aiohttp.ClientSession, url: str, body: bytes, latencies: Latencies) -> bool:
    """Deliver once; True when acknowledged."""
    started = time.perf_counter()
    try:
        async with http.post(f"{url}/telegram", data=body, headers=HEADERS) as response:
            await response.read()
            status = response.status
    except (aiohttp.ClientError, OSError, TimeoutError):
        status = 0
    latencies.seconds.append(time.perf_counter() - started)
    latencies.statuses[status] += 1
    return status == 200


# Acknowledgements


@dataclass
class AckOutcome:
    """`drained` is how long the inbox took to empty after the last update, `unprocessed` what was left."""

    latencies: Latencies = field(default_factory=Latencies)
    offered: int = 0
    unprocessed: int = 0
    drained: float = 0.0
    resident: int = 0


async def ack_run(
    folder: Path, *, rate: float, seconds: float, chats: int, texts: Sequence[str], **settings: Any
) -> AckOutcome:
    """Offer `rate` updates a second, whatever the answers take."""
    outcome, dice = AckOutcome(), random.Random(1)
    async with house(folder, warm=False, **settings) as (telegram, http, bots):
        running = await bots.start()
        url = await running.ready()
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            while (now := time.perf_counter() - started) < seconds:
                while outcome.offered < now * rate:
                    outcome.offered += 1
                    chat, text = 10_000 + dice.randrange(chats), dice.choice(texts)
                    body = update(telegram, outcome.offered, chat, text)
                    group.create_task(post(http, url, body, outcome.latencies))
                await asyncio.sleep(0.002)
        emptied = time.perf_counter()
        await until_idle(http, url, queues=("inbox",))
        outcome.drained = time.perf_counter() - emptied
        outcome.resident = int(await metric(http, url, "bot_memory_bytes"))
        running.terminate()
        await running.ended()
    outcome.unprocessed = count_of(folder / "memory.db", "SELECT count(*) FROM inbox")
    return outcome


# A storm of copies


@dataclass
class StormOutcome:
    """`turns` must be exactly `updates`."""

    updates: int
    turns: int = 0
    acknowledged: int = 0
    unfinished: int = 0


async def storm_run(
    folder: Path, *, updates: int, copies: int, chats: int = 50, server: Path | None = None
) -> StormOutcome:
    """Every update `copies` times in parallel; the bot is killed in the middle and started again."""
    outcome = StormOutcome(updates)
    async with house(folder, server=server) as (telegram, http, bots):
        address: list[Running] = [await bots.start()]
        await address[0].ready()
        bodies = [update(telegram, 1 + n, 30_000 + n % chats, COMMAND) for n in range(updates)]
        latencies, gate = Latencies(), asyncio.Semaphore(200)

        async def deliver(body: bytes) -> None:
            async with gate:
                while not await post(http, address[0].url, body, latencies):  # noqa: ASYNC110  # as Telegram does
                    await asyncio.sleep(0.02)
            outcome.acknowledged += 1

        storm = [deliver(body) for body in bodies for _ in range(copies)]
        random.Random(1).shuffle(storm)
        async with asyncio.TaskGroup() as group:
            for each in storm:
                group.create_task(each)
            while outcome.acknowledged < updates * copies // 2:  # noqa: ASYNC110  # counted, not signalled
                await asyncio.sleep(0.005)
            address[0].kill()
            await address[0].ended()
            reborn = await bots.start()
            await reborn.ready()
            address[0] = reborn
        await until_idle(http, address[0].url, queues=("inbox",))
        address[0].terminate()
        await address[0].ended()
    outcome.turns = count_of(folder / "memory.db", _ANSWERED_QUERY)
    outcome.unfinished = count_of(folder / "memory.db", "SELECT count(*) FROM inbox")
    return outcome


# Slow clients


@dataclass
class SlowOutcome:
    """What others felt while many clients dawdled, and how many of those were still connected in the end."""

    latencies: Latencies = field(default_factory=Latencies)
    opened: int = 0
    still_open: int = 0
    closed_after: float = 0.0


async def slow_clients_run(
    folder: Path, *, each: int, seconds: float, server: Path | None = None
) -> SlowOutcome:
    """`each` clients stop in the head of a request, as many in its body; Telegram goes on delivering."""
    outcome = SlowOutcome()
    async with house(folder, server=server) as (telegram, http, bots):
        running = await bots.start()
        url = await running.ready()
        port = urlsplit(url).port or 0
        head = b"POST /telegram HTTP/1.1\r\nHost: bot\r\n"
        body = head + b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        started = time.perf_counter()
        dawdlers = [
            asyncio.create_task(_dawdle(port, begin, seconds)) for begin in (head, body) for _ in range(each)
        ]
        await asyncio.sleep(0.2)
        number = 0
        while time.perf_counter() - started < seconds and not all(task.done() for task in dawdlers):
            number += 1
            await post(http, url, update(telegram, number, 40_000 + number % 50, COMMAND), outcome.latencies)
            await asyncio.sleep(0.01)
        closed = await asyncio.gather(*dawdlers)
        outcome.opened = len(closed)
        outcome.still_open = sum(each is None for each in closed)
        outcome.closed_after = max((each for each in closed if each is not None), default=0.0)
        running.terminate()
        await running.ended()
    return outcome


async def _dawdle(port: int, begin: bytes, seconds: float) -> float | None:
    """Begin a request and never end it; seconds until the bot hung up, None when it did not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started = time.perf_counter()
    try:
        writer.write(begin)
        async with asyncio.timeout(seconds):
            while await reader.read(4096):
                pass
        return time.perf_counter() - started
    except ConnectionError:
        return time.perf_counter() - started
    except TimeoutError:
        return None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
