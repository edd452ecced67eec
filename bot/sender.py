"""Drains the outbox to the platforms: paced, in order per chat, and at most two copies of anything.

A part is claimed only when its account has room, so that what stands as `sending` on disk really is on its
way. What became of it is written before the next part of its chat may go.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.apologies import Apologies
from bot.backoff import growing, jittered
from bot.outlets import Outlet
from bot.verdicts import Verdict, doubted, judge, no_more_copies, parked, put_back, sent
from channels.base import Channel
from config.texts import Texts
from domain.errors import BotError, SendInDoubt
from domain.messages import Purpose
from memory.base import Store
from memory.records import OutboxPart, SendState, Settlement
from memory.recovery import EVIDENCE_SECONDS
from monitoring.metrics import Metrics
from transport.deadlines import Deadlines

logger = logging.getLogger(__name__)

CLAIM_WAIT = 0.5  # how long a claim may wait for work, thus how fast a stop is noticed
FLUSH_SECONDS = 3.0  # how long a stopping sender still takes up parts
SEND_SECONDS = 20.0  # channels keep their own shorter limits; this one is for a channel that does not
STALE_SECONDS = 600.0
GIVE_UP_SECONDS = 86_400.0
BLIND_SECONDS = 5.0  # before a send of unknown outcome is repeated where no receipt can be hoped for
STRANGER_SECONDS = 60.0
# Channels where the outbox itself is the delivery: nothing there is ever late.
_KEPT = frozenset({"web"})
_MAX_TRIES = 10_000
_FIRST_RETRY, _LAST_RETRY = 0.5, 30.0

Report = Callable[[str, str], None]
AccountKey = tuple[str, str]


class Sender:
    """Sends until cancelled. `report` takes a rule name and a value in words, for the operators."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[AccountKey, Channel],
        metrics: Metrics,
        *,
        texts: Texts,
        report: Report,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._texts = texts
        self._metrics = metrics
        self._report = report
        self._clock = clock
        self._ticks = ticks
        now = ticks()
        self._outlets = {key: Outlet(channel, now) for key, channel in channels.items()}
        self._strangers: set[AccountKey] = set()  # accounts of stored parts that are not set up now
        self._tries: OrderedDict[int, int] = OrderedDict()
        self._apologies = Apologies(store, texts, ticks)
        self._deadlines = Deadlines()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._over.set()
        self._flush_until: float | None = None
        self._failures = 0

    def trouble(self) -> Mapping[AccountKey, str]:
        """Which accounts hold their queue now, and why: for readiness and the admin page."""
        return {key: outlet.trouble for key, outlet in self._outlets.items() if outlet.trouble}

    async def check(self) -> str:
        """Readiness: "" while every account can send, else which ones cannot and why."""
        return "; ".join(f"{channel}: {why}"[:200] for (channel, _), why in self.trouble().items())

    async def run(self) -> None:
        """Claim and send until cancelled; once drained it idles."""
        self._over.clear()
        try:
            while self._flush_until is None or self._ticks() < self._flush_until:
                if not await self._round() and self._flush_until is not None and not self._tasks:
                    break
            while self._tasks:
                await asyncio.wait(self._tasks)
            self._over.set()
            await asyncio.Event().wait()
        finally:
            self._over.set()
            await _end(tuple(self._tasks))

    async def drain(self, seconds: float) -> None:
        """Take up what is due for at most three seconds, let sends in flight end within `seconds`.

        A send cut off after that is in doubt; everything else stays queued for the next start.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        self._flush_until = self._ticks() + min(FLUSH_SECONDS, seconds / 2)
        self._changed.set()
        try:
            async with asyncio.timeout_at(deadline):
                await self._over.wait()
        except TimeoutError:
            late = tuple(self._tasks)
            logger.warning("sends cut off", extra={"action": "drain", "sends": len(late)})
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)

    async def _round(self) -> bool:
        """Claim once and start what was claimed. False when there was nothing to do."""
        now = self._ticks()
        room = {key: outlet.room(now) for key, outlet in self._outlets.items()}
        full = {key for key, free in room.items() if not free}
        opens = min((self._outlets[key].opens_in(now) for key in full), default=CLAIM_WAIT)
        wait = 0.0 if self._flush_until is not None else min(CLAIM_WAIT, opens)
        if len(full) == len(room):
            await self._pause(min(CLAIM_WAIT, opens))
            return False
        limit = min(free for free in room.values() if free)
        try:
            parts = await self._store.outbox.claim(limit, wait=wait, paused=full | self._strangers)
        except Exception as error:  # noqa: BLE001  # logged there; the loop must survive
            await self._claim_failed(error)
            return False
        self._failures = 0
        for part in parts:
            self._start(part)
        if not parts and self._flush_until is not None:
            await self._pause(0.02)
        return bool(parts)

    async def _pause(self, seconds: float) -> None:
        """Wait until something ended, but no longer than that."""
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _claim_failed(self, error: Exception) -> None:
        self._failures += 1
        if isinstance(error, BotError):
            logger.warning("no parts claimed: %s", error, extra={"action": "claim_failed"})
        else:
            self._metrics.errors.labels(where="sender").inc()
            logger.error("claim crashed", exc_info=error, extra={"action": "claim_crashed"})
        await asyncio.sleep(jittered(growing(self._failures, first=0.1, most=1.0)))

    def _start(self, part: OutboxPart) -> None:
        now = self._ticks()
        outlet = self._outlets.get((part.key.channel, part.key.account))
        work: Coroutine[Any, Any, None]
        if outlet is None:
            work = self._strange(part)
        elif no_more_copies(part, part.doubts):
            work = self._settle(part, doubted(part, part.error or "in doubt"))
        elif wait := outlet.hold_back(part, now):
            work = self._write(part, put_back(part, self._clock() + wait))
        else:
            outlet.begin(part.key, now)
            work = self._deliver(part, outlet)
        task = asyncio.create_task(work, name=f"send {part.id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("send task crashed", exc_info=error, extra={"action": "send_crashed"})

    async def _deliver(self, part: OutboxPart, outlet: Outlet) -> None:
        try:
            fresh = part if outlet.channel.name in _KEPT else await self._freshened(part)
            if fresh is not None:
                await self._settle(part, await self._send(fresh, outlet, apology=fresh is not part))
        finally:
            outlet.end()

    async def _freshened(self, part: OutboxPart) -> OutboxPart | None:
        """The part, an apology in place of a stale answer, or None when it was parked instead."""
        age = self._clock() - part.created_at
        if age > GIVE_UP_SECONDS:
            await self._settle(part, parked("undeliverable for a day", "pipeline.report_old"))
            return None
        if part.reply.purpose is not Purpose.ANSWER or age <= STALE_SECONDS:
            return part
        # A part tried before already speaks for its chat: its apology may have arrived, or must be repeated.
        if not self._apologies.begins(part.key) and part.id not in self._tries:
            await self._settle(part, parked("stale", "", "stale"))
            return None
        return replace(part, reply=await self._apologies.late(part.key))

    async def _send(self, part: OutboxPart, outlet: Outlet, *, apology: bool) -> Verdict:
        started = self._ticks()
        try:
            with self._deadlines.within(SEND_SECONDS):
                receipt = await outlet.channel.send(part)
        except asyncio.CancelledError:
            doubt = SendInDoubt("cut off by a stop", seconds=doubt_seconds(outlet.channel.name))
            await self._settle(part, judge(part, doubt, self._clock(), again_in=0.0))
            raise
        except BotError as error:
            return self._judged(part, outlet, error)
        except Exception as error:
            self._metrics.errors.labels(where=f"send:{outlet.channel.name}").inc()
            logger.exception("send crashed", extra={"action": "send_crashed", "part": part.id})
            doubt = SendInDoubt(type(error).__name__, seconds=doubt_seconds(outlet.channel.name))
            return self._judged(part, outlet, doubt)
        outlet.note(part.key, None, self._ticks())
        self._metrics.stage_seconds.labels(stage="send").observe(self._ticks() - started)
        return sent(receipt, "stale: an apology went out instead" if apology else "")

    def _judged(self, part: OutboxPart, outlet: Outlet, error: BotError) -> Verdict:
        if outlet.note(part.key, error, self._ticks()):
            self._report("SEND_FAILING", f"{part.key.channel}: {error}")
        tries = self._tries[part.id] = self._tries.pop(part.id, 0) + 1
        if len(self._tries) > _MAX_TRIES:
            self._tries.popitem(last=False)
        again_in = jittered(growing(tries, first=_FIRST_RETRY, most=_LAST_RETRY))
        return judge(part, error, self._clock(), again_in=again_in)

    async def _strange(self, part: OutboxPart) -> None:
        """A part for an account that is not set up: it waits until somebody sets it up again."""
        account = (part.key.channel, part.key.account)
        if account not in self._strangers:
            self._strangers.add(account)
            logger.warning("no such channel", extra={"action": "send_stranger", "channel": part.key.channel})
        await self._write(part, put_back(part, self._clock() + STRANGER_SECONDS, "channel not set up"))

    async def _settle(self, part: OutboxPart, verdict: Verdict) -> None:
        channel = part.key.channel
        self._metrics.sends.labels(channel=channel, outcome=verdict.outcome).inc()
        if verdict.settlement.state not in (SendState.PENDING, SendState.IN_DOUBT):
            self._tries.pop(part.id, None)
        if verdict.outcome != "sent":
            logger.warning(
                "not sent: %s",
                verdict.settlement.error,
                extra={"action": "send", "channel": channel, "part": part.id, "outcome": verdict.outcome},
            )
        await self._write(part, verdict.settlement)
        if verdict.report:
            self._report("TROUBLE", self._texts.get(verdict.report, channel=channel, part=part.id))
        if verdict.apology:
            await self._apologies.doubtful(part.key)

    async def _write(self, part: OutboxPart, settlement: Settlement) -> None:
        """Write at last: a part that stays `sending` keeps its chat silent until the next start."""
        failures = 0
        while True:
            try:
                return await self._store.outbox.settle(part, settlement)
            except BotError as error:
                failures += 1
                logger.warning("send not settled yet: %s", error, extra={"action": "settle"})
                await asyncio.sleep(jittered(growing(failures, first=0.1, most=2.0)))


def doubt_seconds(channel: str) -> float:
    """How long a send that the sender itself cut off waits before its second copy."""
    return EVIDENCE_SECONDS.get(channel, BLIND_SECONDS)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
