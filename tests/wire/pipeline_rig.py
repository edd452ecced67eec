"""The pipeline around a real store: intake, dispatcher and sender, on clocks of the test."""

from __future__ import annotations

import asyncio
import itertools
import re
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.dispatcher import Dispatcher
from bot.intake import Intake, IntakeLimits
from bot.sender import Sender
from channels.base import Channel
from config.settings import ROOT
from config.texts import Texts
from domain.errors import SendInDoubt
from domain.messages import ChatKey, InboundMessage, MessageKind, Reply
from domain.messages import Sender as Person
from memory.opening import open_store
from memory.records import OutboxPart, Turn, TurnCommit
from memory.sqlite import SqliteStore
from monitoring.metrics import Metrics
from tests.fakes.channels import ScriptedChannel, Step

ACCOUNT = "42"
DOUBT = SendInDoubt("timeout", seconds=0.02)
_ids = itertools.count(1)


@dataclass
class Clock:
    """Runs `speed` times as fast as the computer's, and jumps when told to."""

    speed: float = 1.0
    shift: float = 0.0
    _wall: float = field(default_factory=time.time)
    _start: float = field(default_factory=time.monotonic)

    def __call__(self) -> float:
        return self._wall + self.ticks()

    def ticks(self) -> float:
        return (time.monotonic() - self._start) * self.speed + self.shift

    def jump(self, seconds: float) -> None:
        self.shift += seconds


def chat(number: int | str, channel: str = "telegram") -> ChatKey:
    return ChatKey(channel, ACCOUNT, str(number))


def phone_of(
    *script: Step, channel: str = "telegram", default: Callable[[], Step] = lambda: None
) -> ScriptedChannel:
    return ScriptedChannel(name=channel, account=ACCOUNT, script=deque(script), default=default)


def message(key: ChatKey, text: str, *, external_id: str = "", at: float | None = None) -> InboundMessage:
    now = time.time() if at is None else at
    return InboundMessage(
        key=key,
        external_id=external_id or str(next(_ids)),
        kind=MessageKind.TEXT,
        text=text,
        sender=Person(key.chat),
        sent_at=now,
        received_at=now,
    )


def mask_four_digits(text: str) -> tuple[str, tuple[str, ...]]:
    masked, count = re.subn(r"\b\d{4}\b", "****", text)
    return masked, ("pin",) if count else ()


@dataclass
class Pipeline:
    store: SqliteStore
    texts: Texts
    metrics: Metrics
    clock: Clock
    intake: Intake
    dispatcher: Dispatcher
    sender: Sender
    reports: list[tuple[str, str]]
    turns: list[Turn]
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        self.start_dispatcher()
        self.start_sender()

    def start_dispatcher(self) -> None:
        self._tasks.append(asyncio.create_task(self.dispatcher.run()))

    def start_sender(self) -> None:
        self._tasks.append(asyncio.create_task(self.sender.run()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self.intake.drain()

    async def receive(self, *messages: InboundMessage) -> None:
        await self.intake.accept(messages)

    async def say(self, key: ChatKey, *texts: str, **reply: Any) -> None:
        await self.store.outbox.enqueue(key, [Reply(text, **reply) for text in texts])

    async def parts(self, key: ChatKey) -> Sequence[OutboxPart]:
        return await self.store.outbox.after(key, 0, 1000)

    async def states(self, key: ChatKey) -> list[str]:
        return [str(part.state) for part in await self.parts(key)]

    async def wait_states(self, key: ChatKey, *wanted: str, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while await self.states(key) != list(wanted):  # noqa: ASYNC110  # the rows signal nobody
                await asyncio.sleep(0.01)

    async def wait_empty(self, seconds: float = 20.0) -> None:
        """Until nothing waits to be sent."""
        async with asyncio.timeout(seconds):
            while (await self.store.health()).outbox_depth:  # noqa: ASYNC110  # the rows signal nobody
                await asyncio.sleep(0.02)


RunTurn = Callable[[Pipeline, Turn], Awaitable[None]]


async def echo(pipeline: Pipeline, turn: Turn) -> None:
    """Answer with what was asked."""
    text = " | ".join(stored.message.text for stored in turn.messages)
    await pipeline.store.commit(turn, TurnCommit(replies=(Reply(f"re: {text}"),)))


@asynccontextmanager
async def pipeline_at(
    path: Path,
    *channels: Channel,
    run_turn: RunTurn = echo,
    clock: Clock | None = None,
    max_concurrent: int = 8,
    limits: IntakeLimits | None = None,
    watch_every: float = 5.0,
) -> AsyncIterator[Pipeline]:
    """Everything built, nothing started."""
    clock = clock or Clock()
    metrics, texts = Metrics(), Texts.load(ROOT / "data" / "texts")
    reports: list[tuple[str, str]] = []
    turns: list[Turn] = []

    def report(rule: str, value: str) -> None:
        reports.append((rule, value))

    async def run(turn: Turn) -> None:
        turns.append(turn)
        await run_turn(pipeline, turn)

    chosen = channels or (ScriptedChannel(account=ACCOUNT),)
    async with open_store(path, clock=clock) as store:
        pipeline = Pipeline(
            store=store,
            texts=texts,
            metrics=metrics,
            clock=clock,
            intake=Intake(
                store,
                texts,
                metrics,
                mask=mask_four_digits,
                limits=limits or IntakeLimits(burst_window=0.0, chat_rate_per_minute=6000.0),
                clock=clock,
                ticks=clock.ticks,
            ),
            dispatcher=Dispatcher(
                store, run, metrics, max_concurrent=max_concurrent, report=report, watch_every=watch_every
            ),
            sender=Sender(
                store,
                {(each.name, each.account): each for each in chosen},
                metrics,
                texts=texts,
                report=report,
                clock=clock,
                ticks=clock.ticks,
            ),
            reports=reports,
            turns=turns,
        )
        try:
            yield pipeline
        finally:
            await pipeline.stop()


def bytes_on_disk(path: Path) -> bytes:
    """The database, its log and whatever else stands beside it."""
    return b"".join(each.read_bytes() for each in sorted(path.parent.iterdir()) if each.is_file())


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Look into a closed database from outside."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
