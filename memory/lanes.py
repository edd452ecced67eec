"""The order of work, in memory: one lane per chat with work, one owner per lane at a time.

A mirror of the rows on disk, changed right after each commit, so that a claim looks at the chats that are due
and at nothing else.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

SAFETY_POLL = 1.0  # what a missed wake-up costs at most
_HELD = -1
_TAKEN = -2


@dataclass(slots=True)
class Item:
    """One row that waits: due at `due`, waiting since `since`."""

    id: int
    due: float
    since: float
    merges: bool = False


@dataclass(slots=True, eq=False)
class _Lane:
    free_since: float
    items: dict[int, Item] = field(default_factory=dict)  # by id, oldest first
    owner: int | None = None
    queued: tuple[float, int] | None = None  # its valid entry in the heap
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque)

    @property
    def head(self) -> Item:
        return next(iter(self.items.values()))


class Lanes:
    """The lanes of one queue. All calls come from the event loop."""

    def __init__(self, clock: Callable[[], float], changed: asyncio.Event | None = None) -> None:
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}
        self._due: list[tuple[float, int, str]] = []  # entries that no longer hold are skipped when met
        self._changed = changed or asyncio.Event()
        self.depth = 0

    def add(self, chat: str, item: Item) -> None:
        """Put a new row last."""
        lane = self._lane(chat)
        lane.items[item.id] = item
        self.depth += 1
        if len(lane.items) == 1:
            self._schedule(chat, lane)

    def put_back(self, chat: str, items: Collection[Item]) -> None:
        """Put older rows where their ids belong."""
        lane = self._lane(chat)
        merged = lane.items | {item.id: item for item in items}
        self.depth += len(merged) - len(lane.items)
        lane.items = dict(sorted(merged.items()))
        self._schedule(chat, lane)

    def remove(self, chat: str, ids: Collection[int]) -> None:
        """These rows are done."""
        lane = self._lanes.get(chat)
        if lane is None:
            return
        for number in ids:
            if lane.items.pop(number, None) is not None:
                self.depth -= 1
        self._settle(chat, lane)

    def clear(self, chat: str) -> None:
        """Every row of the chat is gone."""
        lane = self._lanes.get(chat)
        if lane is not None:
            self.remove(chat, tuple(lane.items))

    def delay(self, chat: str, number: int, due: float) -> None:
        """Make a row due at another time."""
        lane = self._lanes.get(chat)
        item = lane.items.get(number) if lane else None
        if lane and item:
            item.due = due
            self._schedule(chat, lane)

    def take(self, limit: int) -> list[str]:
        """Own at most `limit` free chats whose head is due, the longest due first."""
        now = self._clock()
        taken: list[str] = []
        while self._due and len(taken) < limit and self._due[0][0] <= now:
            due, number, chat = heapq.heappop(self._due)
            lane = self._lanes.get(chat)
            if lane is None or lane.queued != (due, number):
                continue
            lane.queued = None
            if lane.owner is None and lane.items:
                lane.owner = _TAKEN
                taken.append(chat)
        return taken

    def take_empty(self, chat: str) -> bool:
        """Own a chat in which nothing waits and nobody works."""
        lane = self._lane(chat)
        if lane.owner is not None or lane.items:
            return False
        lane.owner = _TAKEN
        return True

    def items(self, chat: str) -> Collection[Item]:
        """What waits in the chat, oldest first."""
        lane = self._lanes.get(chat)
        return lane.items.values() if lane else ()

    def own(self, chat: str, owner: int) -> None:
        """Name the owner of a taken chat."""
        lane = self._lanes.get(chat)
        if lane is not None:
            lane.owner = owner

    def owned_by(self, chat: str, owner: int) -> bool:
        """Whether this owner has the chat now."""
        lane = self._lanes.get(chat)
        return lane is not None and lane.owner == owner

    def release(self, chat: str, owner: int | None = None) -> None:
        """Give the chat up; `owner` other than the present one changes nothing."""
        lane = self._lanes.get(chat)
        if lane is None or (owner is not None and lane.owner != owner):
            return
        while lane.waiters:
            waiter = lane.waiters.popleft()
            if not waiter.done():
                lane.owner = _HELD
                waiter.set_result(None)
                return
        lane.owner = None
        lane.free_since = self._clock()
        self._settle(chat, lane)

    @asynccontextmanager
    async def hold(self, chat: str) -> AsyncIterator[None]:
        """Own a chat while the block is open; waits for its present owner."""
        lane = self._lane(chat)
        if lane.owner is None:
            lane.owner = _HELD
        else:
            await self._wait_for(chat, lane)
        try:
            yield
        finally:
            self.release(chat)

    async def _wait_for(self, chat: str, lane: _Lane) -> None:
        waiter = asyncio.get_running_loop().create_future()
        lane.waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.release(chat)  # ownership came together with the cancellation
            raise

    def next_due(self) -> float | None:
        """When the next chat may be due, as far as known."""
        return self._due[0][0] if self._due else None

    def oldest(self) -> float | None:
        """Since when the oldest row waits."""
        return min((lane.head.since for lane in self._lanes.values() if lane.items), default=None)

    def claimable_since(self) -> Iterator[float]:
        """Since when each chat that is due and free has been so."""
        now = self._clock()
        for lane in self._lanes.values():
            if lane.owner is None and lane.items and lane.head.due <= now:
                yield max(lane.head.due, lane.head.since, lane.free_since)

    def _lane(self, chat: str) -> _Lane:
        lane = self._lanes.get(chat)
        if lane is None:
            lane = self._lanes[chat] = _Lane(self._clock())
        return lane

    def _settle(self, chat: str, lane: _Lane) -> None:
        if lane.items:
            self._schedule(chat, lane)
        elif lane.owner is None:
            del self._lanes[chat]

    def _schedule(self, chat: str, lane: _Lane) -> None:
        if lane.owner is None and lane.items:
            head = lane.head
            if lane.queued != (head.due, head.id):
                lane.queued = (head.due, head.id)
                heapq.heappush(self._due, (head.due, head.id, chat))
            self._changed.set()


async def wait_for_change(changed: asyncio.Event, seconds: float) -> None:
    """Until something changed, at most `seconds` and never longer than the safety poll."""
    with suppress(TimeoutError):
        async with asyncio.timeout(min(seconds, SAFETY_POLL)):
            await changed.wait()
    changed.clear()
