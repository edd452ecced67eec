"""Takes due turns from the inbox and runs them: one per chat, a bounded number at a time, each one owned.

A turn is claimed only when a slot is free, so nothing waits in memory and the order between chats is that of
the inbox. Whatever a turn does, the loop goes on, and its messages are committed, parked or given back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from bot.backoff import growing, jittered
from domain.errors import BotError, StoreUnavailable
from memory.base import Store
from memory.records import Turn
from monitoring.metrics import Metrics

logger = logging.getLogger(__name__)

CLAIM_WAIT = 0.5  # how long a claim may wait for work, thus how fast a stop is noticed
GIVE_BACK_SECONDS = 2.0
CLAIMED_TOGETHER = 4
# Between the starts of two turns the loop goes round so often. An idle loop does that at once; a busy one
# does what it has first, acknowledgements too, so turns that compute never pile up in one of its rounds.
ROUNDS_APART = 3
# While more is due than a claim brings, the next one brings so many, and they start one right behind the
# other: what the first has fetched into the processor's caches serves the others, which saves a fifth of a
# turn's CPU (docs/performance.md). They keep the loop from anything else for about 20 ms.
CLAIMED_BEHIND = 24
STUCK_SECONDS = 5.0
# Turns count their own attempts and park; beyond this many the counting itself must be broken.
LAST_ATTEMPT = 6

Report = Callable[[str, str], None]


def _nobody(rule: str, value: str) -> None:
    """Nobody listens to reports."""


class Dispatcher:
    """Runs turns until cancelled. `run_turn` commits, retries or parks; what it raises is caught here."""

    def __init__(
        self,
        store: Store,
        run_turn: Callable[[Turn], Awaitable[None]],
        metrics: Metrics,
        *,
        max_concurrent: int,
        report: Report = _nobody,
        watch_every: float = STUCK_SECONDS,
    ) -> None:
        self._store = store
        self._run_turn = run_turn
        self._metrics = metrics
        self._limit = max(1, max_concurrent)
        self._report = report
        self._watch_every = watch_every
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._claiming_over = asyncio.Event()
        self._claiming_over.set()
        self._stopping = False
        self._hungry = False  # the last claim found less than it asked for
        self._behind = False  # it found all that it asked for: more may be due
        self._failures = 0

    @property
    def running(self) -> int:
        """How many turns run now."""
        return len(self._tasks)

    def limit(self, count: int) -> None:
        """Run at most so many turns at a time from now on; running ones end normally."""
        self._limit = max(1, count)
        self._changed.set()

    async def run(self) -> None:
        """Claim and run until cancelled; once drained it idles."""
        self._claiming_over.clear()
        watch = asyncio.create_task(self._watch(), name="dispatcher watch")
        try:
            while not self._stopping:
                await self._claim()
            self._claiming_over.set()
            await asyncio.Event().wait()
        finally:
            self._claiming_over.set()
            await asyncio.sleep(0)  # a task cancelled before its first step could give nothing back
            await _end((watch, *self._tasks))

    async def drain(self, seconds: float) -> None:
        """Claim no more, let running turns end within `seconds`, give the others back unharmed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        self._stopping = True
        self._changed.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._claiming_over.wait()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.0, deadline - loop.time()))
        await asyncio.sleep(0)  # lets tasks take their first step, as `run` does
        late = tuple(self._tasks)
        for task in late:
            task.cancel()
        if late:
            logger.warning("turns given back", extra={"action": "drain", "turns": len(late)})
            await asyncio.wait(late, timeout=GIVE_BACK_SECONDS)

    async def _claim(self) -> None:
        free = self._limit - len(self._tasks)
        if free <= 0:
            self._changed.clear()
            await self._changed.wait()
            return None
        count = min(free, CLAIMED_BEHIND if self._behind else CLAIMED_TOGETHER)
        try:
            turns = await self._store.inbox.claim(count, wait=CLAIM_WAIT)
        except Exception as error:  # noqa: BLE001  # logged there; the loop must survive
            return await self._claim_failed(error)
        self._failures = 0
        self._hungry, self._behind = len(turns) < count, len(turns) == count
        await self._start(turns)
        return None

    async def _claim_failed(self, error: Exception) -> None:
        self._failures += 1
        if isinstance(error, BotError):
            logger.warning("no turns claimed: %s", error, extra={"action": "claim_failed"})
        else:
            self._metrics.errors.labels(where="dispatcher").inc()
            logger.error("claim crashed", exc_info=error, extra={"action": "claim_crashed"})
        await asyncio.sleep(jittered(growing(self._failures, first=0.1, most=1.0)))

    async def _start(self, turns: Sequence[Turn]) -> None:
        left = deque(turns)
        apart = ROUNDS_APART if len(turns) <= CLAIMED_TOGETHER else 0
        try:
            while left:
                self._begin(left.popleft())
                await _go_round(apart)
        finally:  # cancelled on the way: no claimed turn may be forgotten
            for turn in left:
                self._begin(turn)

    def _begin(self, turn: Turn) -> None:
        work = self._give_back(turn, "stopping", refund=True) if self._stopping else self._run(turn)
        task = asyncio.create_task(work, name=f"turn {turn.id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("turn task crashed", exc_info=error, extra={"action": "turn_crashed"})

    async def _run(self, turn: Turn) -> None:
        try:
            await self._run_turn(turn)
        except asyncio.CancelledError:
            await self._give_back(turn, "stopping", refund=True)
            raise
        except StoreUnavailable:
            # Not the turn's fault: it must find its attempts again when the disk is back.
            await self._give_back(turn, "store unavailable", refund=True, delay=1.0)
        except Exception as error:
            self._metrics.errors.labels(where="turn").inc()
            logger.exception("turn crashed", extra={"action": "turn_crashed", "turn": turn.id})
            await self._rescue(turn, type(error).__name__)

    async def _rescue(self, turn: Turn, error: str) -> None:
        if turn.attempt < LAST_ATTEMPT:
            delay = growing(turn.attempt, first=1.0, most=60.0)
            await self._give_back(turn, error, delay=delay)
            return
        await self._insist(lambda: self._store.inbox.park(turn, error=error, replies=()))
        self._report("TURN_PARKED", f"{turn.key.channel}, {error}")

    async def _give_back(self, turn: Turn, error: str, *, delay: float = 0.0, refund: bool = False) -> None:
        await self._insist(lambda: self._store.inbox.retry(turn, delay=delay, error=error, refund=refund))

    async def _insist(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write at last: a lease that nobody gives back keeps its chat silent until the next start."""
        failures = 0
        while True:
            try:
                return await write()
            except BotError as error:
                failures += 1
                logger.warning("turn not given back yet: %s", error, extra={"action": "give_back"})
                await asyncio.sleep(jittered(growing(failures, first=0.2, most=5.0)))

    async def _watch(self) -> None:
        """Prove that nothing runnable lies untouched while claims come back unfilled."""
        while True:
            await asyncio.sleep(self._watch_every)
            try:
                oldest = (await self._store.health()).runnable_oldest
            except Exception as error:  # noqa: BLE001  # the watch outlives whatever it watches
                logger.warning("no health: %s", type(error).__name__, extra={"action": "watch"})
                continue
            if oldest > STUCK_SECONDS and self._hungry and len(self._tasks) < self._limit:
                self._metrics.errors.labels(where="stuck").inc()
                logger.error("a message is stuck", extra={"action": "stuck", "seconds": round(oldest, 1)})
                self._report("BACKLOG_OLD", f"{oldest:.0f} s")


async def _go_round(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
