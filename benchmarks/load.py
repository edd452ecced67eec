"""Load generator: subscribers of a fake platform, in a process of its own. Prints its figures as JSON.

Closed loop: so many subscribers at a time, each waits for the answer before it asks again. Open loop:
questions come at a given rate, whatever becomes of the answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import uvloop

from benchmarks.questions import mixed
from benchmarks.wires import TelegramWire, WhatsAppWire, Wire

PATIENCE = 60.0


@dataclass(slots=True)
class Figures:
    """What the load saw. Latencies in seconds, from the push to the send of the answer."""

    pushed: int = 0
    extra: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """Counts, rate, and percentiles in milliseconds."""
        ranked = sorted(self.latencies)
        answered = len(ranked)
        return {
            "pushed": self.pushed,
            "answered": answered,
            "lost": self.pushed - answered,
            "extra": self.extra,
            "seconds": self.seconds,
            "turns_per_second": answered / self.seconds if self.seconds else 0.0,
            **{f"p{p}_ms": quantile(ranked, p / 100) * 1000 for p in (50, 90, 99, 100)},
        }


def quantile(ranked: list[float], share: float) -> float:
    """The value below which that share lies; of sorted values."""
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0


class Subscribers:
    """Chats of one fake platform, each with at most one open question."""

    def __init__(self, wire: Wire, *, rest: float) -> None:
        self._wire = wire
        self._rest = rest  # between two looks, so that watching does not cost more than answering
        self._waiting: dict[int, asyncio.Future[float]] = {}
        self.figures = Figures()

    async def watch(self) -> None:
        """Match what the bot sends with who waits for it, until cancelled."""
        while True:
            for at, chat in await self._wire.arrived():
                waiter = self._waiting.pop(chat, None)
                if waiter is None:
                    self.figures.extra += 1
                elif not waiter.done():
                    waiter.set_result(at)
            await asyncio.sleep(self._rest)

    async def ask(self, chat: int, text: str, patience: float = PATIENCE) -> None:
        """Ask and wait for the answer, or give up."""
        waiter = self._waiting[chat] = asyncio.get_running_loop().create_future()
        started = time.time()  # the clock of the fakes
        self.figures.pushed += 1
        await self._wire.push(chat, text)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                self.figures.latencies.append(await waiter - started)
        self._waiting.pop(chat, None)


async def closed(subscribers: Subscribers, options: argparse.Namespace) -> None:
    """`workers` questions are open at a time; chats take turns, until all have asked `turns` times."""
    chats = range(options.first_chat, options.first_chat + options.chats)
    texts = iter(mixed(options.chats * options.turns, first=options.first_text, unique=not options.repeat))
    over = time.monotonic() + options.seconds

    async def rest(most: float) -> None:
        left = max(0.0, over - time.monotonic())
        await asyncio.sleep(min(left, random.uniform(0, most)))

    async def work(own: range) -> None:
        await rest(options.ramp)
        for _ in range(options.turns):
            for chat in own:
                if time.monotonic() >= over:
                    return
                await subscribers.ask(chat, next(texts))
                if options.think:
                    await rest(options.think * 2)

    workers = min(options.workers, options.chats)
    await asyncio.gather(*(work(chats[i::workers]) for i in range(workers)))


async def opened(subscribers: Subscribers, options: argparse.Namespace) -> None:
    """Questions at `rate` a second for `seconds`, from chats in turn."""
    count = int(options.rate * options.seconds)
    texts = mixed(count, first=options.first_text, unique=not options.repeat)
    async with asyncio.TaskGroup() as group:
        for number, pause in zip(range(count), _pauses(options.rate), strict=False):
            chat = options.first_chat + number % options.chats
            group.create_task(subscribers.ask(chat, texts[number]))
            await asyncio.sleep(pause)


def _pauses(rate: float) -> Iterator[float]:
    while True:
        yield random.expovariate(rate)


async def run(options: argparse.Namespace) -> dict[str, float]:
    """The load from beginning to end."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        wire: Wire
        if options.whatsapp:
            wire = WhatsAppWire(http, options.whatsapp)
        else:
            wire = TelegramWire(http, options.telegram)
        await wire.skip()
        subscribers = Subscribers(wire, rest=options.rest)
        watch = asyncio.create_task(subscribers.watch())
        await asyncio.sleep(0.05)
        started = time.perf_counter()
        await (opened if options.rate else closed)(subscribers, options)
        subscribers.figures.seconds = time.perf_counter() - started
        watch.cancel()
        return subscribers.figures.summary()


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__)
    place = found.add_mutually_exclusive_group(required=True)
    place.add_argument("--telegram", default="", help="URL of the fake Telegram")
    place.add_argument("--whatsapp", default="", help="URL of the fake Graph API")
    found.add_argument("--chats", type=int, default=200)
    found.add_argument("--turns", type=int, default=3, help="questions of each chat, in the closed loop")
    found.add_argument("--workers", type=int, default=50, help="questions open at a time, in the closed loop")
    found.add_argument("--think", type=float, default=0.0, help="mean seconds between answer and question")
    found.add_argument("--ramp", type=float, default=0.0, help="seconds over which subscribers begin")
    found.add_argument("--rate", type=float, default=0.0, help="questions a second: makes it an open loop")
    found.add_argument("--seconds", type=float, default=60.0, help="the longest it takes")
    found.add_argument("--rest", type=float, default=0.005, help="seconds between two looks for answers")
    found.add_argument("--first-chat", type=int, default=1000)
    found.add_argument("--first-text", type=int, default=0)
    found.add_argument("--repeat", action="store_true", help="ask the same few questions again and again")
    return found


def main() -> None:
    random.seed(1)
    print(json.dumps(uvloop.run(run(parser().parse_args()))))


if __name__ == "__main__":
    main()
