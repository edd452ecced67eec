"""Kills the real bot at random under WhatsApp load, and counts what subscribers got.

`python -m tests.acceptance.whatsapp_kills --kills 200` prints one line. Every message is a command, which is
never merged with others: one message acknowledged, one reply owed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.acceptance.bot_process import Forked, environment
from tests.fakes.whatsapp import TOKEN, FakeGraph
from tests.fakes.whatsapp_payloads import ACCOUNT, APP_SECRET, VERIFY_TOKEN, one, text

CHATS = 300
WRITERS = 8
_DEPTH = re.compile(r'^bot_queue_depth{queue="(inbox|outbox|dead)"} (\S+)', re.MULTILINE)
REPEATED = 0.05  # share of webhooks that Meta delivers twice


@dataclass
class Outcome:
    kills: int
    acknowledged: int = 0
    delivered: int = 0
    duplicates: int = 0
    most_copies: int = 0
    disordered: int = 0
    waiting: int = 0  # still owed and visible in the database
    parked: int = 0  # of these, set aside for a person: a turn or send that kills interrupted too often
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return self.acknowledged - self.delivered - self.waiting


class Writers:
    """Subscribers who write all the time; a webhook is delivered again until it is acknowledged."""

    def __init__(self, graph: FakeGraph, seed: int) -> None:
        self._graph = graph
        self._random = random.Random(seed)
        self._stopping = False
        self.acknowledged = 0

    async def run(self, pause: float = 0.02) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(self._write(pause))

    def stop(self) -> None:
        self._stopping = True

    async def _write(self, pause: float) -> None:
        while not self._stopping:
            body = one(text("/aide", sender=f"2279{self._random.randrange(CHATS):07d}"))
            await self._insist(body)
            self.acknowledged += 1
            if self._random.random() < REPEATED:
                await self._insist(body)
            await asyncio.sleep(pause)

    async def _insist(self, body: object) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, ValueError):
                if await self._graph.push(body) == 200:
                    return
            await asyncio.sleep(0.02)


async def run(folder: Path, kills: int, *, seed: int = 1, settle: float = 300.0) -> Outcome:
    """Kill that often, start once more, and wait at most `settle` seconds until nothing is owed."""
    began = time.monotonic()
    chance = random.Random(seed)
    async with FakeGraph(statuses=("sent", "delivered"), delay=0.01, patience=0.1) as graph:
        settings = environment(
            folder,
            whatsapp_access_token=TOKEN,
            whatsapp_phone_number_id=ACCOUNT,
            whatsapp_app_secret=APP_SECRET,
            whatsapp_verify_token=VERIFY_TOKEN,
            whatsapp_graph_base_url=graph.base_url,
        )
        writers = Writers(graph, seed)
        async with Forked(folder, settings) as bots:
            running = await bots.start()
            graph.callback = await running.ready() + "/whatsapp"
            writing = asyncio.create_task(writers.run())
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(0.05, 0.6))
                running.kill()
                await running.ended()
                running = await bots.start()
                graph.callback = await running.ready() + "/whatsapp"
            writers.stop()
            await writing
            waiting, parked = await _until_settled(running.url, settle)
            running.terminate()
            assert await running.ended() == 0
        outcome = _count(graph, kills, writers.acknowledged, waiting + parked)
        outcome.parked = parked
    outcome.seconds = time.monotonic() - began
    return outcome


async def _until_settled(url: str, seconds: float) -> tuple[int, int]:
    """Until nothing waits; what still does then, and what is parked and waits for a person only."""
    deadline = time.monotonic() + seconds
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/metrics") as response:
                depths = {queue: int(float(depth)) for queue, depth in _DEPTH.findall(await response.text())}
            waiting = depths["inbox"] + depths["outbox"]
            if not waiting or time.monotonic() > deadline:
                return waiting, depths["dead"]
            await asyncio.sleep(0.2)


def _count(graph: FakeGraph, kills: int, acknowledged: int, waiting: int) -> Outcome:
    copies = Counter(sent.callback for sent in graph.sent)
    by_chat: dict[str, list[int]] = defaultdict(list)
    for sent in graph.sent:
        number = int(sent.callback.partition(".")[0])
        if number not in by_chat[sent.to]:
            by_chat[sent.to].append(number)
    # A part that arrived while its proof is still on the way stands in both counts.
    doubly = max(0, len(copies) + waiting - acknowledged)
    return Outcome(
        kills,
        acknowledged=acknowledged,
        delivered=len(copies),
        duplicates=sum(count - 1 for count in copies.values()),
        most_copies=max(copies.values(), default=0),
        disordered=sum(numbers != sorted(numbers) for numbers in by_chat.values()),
        waiting=waiting - doubly,
        faults=graph.faults,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill the bot under WhatsApp load")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(run(Path(folder), options.kills, seed=options.seed)))  # noqa: T201  # its purpose


if __name__ == "__main__":
    main()
