"""The webhook side of the fake: FIFO per queue, one delivery in flight in each, retries that grow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import aiohttp


@dataclass(slots=True)
class Attempt:
    """One delivery as the bot answered it; status 0 is no answer."""

    update_id: int
    status: int
    body: bytes = b""


@dataclass(slots=True)
class Pusher:
    """`scale` shortens the pauses between retries. A callback waits in a queue of its own, as on Telegram."""

    changed: Callable[[], None]
    scale: float = 1.0
    url: str = ""
    secret: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    delivered: int = 0
    last_error: str = ""
    _queues: dict[object, deque[tuple[int, bytes]]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(40))
    _session: aiohttp.ClientSession | None = None

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def set(self, url: str, secret: str, connections: int) -> None:
        self.url, self.secret = url, secret
        self._slots = asyncio.Semaphore(connections)

    async def clear(self) -> Iterator[tuple[int, bytes]]:
        """Forget the address; returns what was not delivered."""
        self.url = self.secret = ""
        await self._cancel()
        left = sorted(item for queue in self._queues.values() for item in queue)
        self._queues.clear()
        return iter(left)

    def put(self, queue: object, update_id: int, update: bytes) -> None:
        waiting = self._queues.setdefault(queue, deque())
        waiting.append((update_id, update))
        if len(waiting) == 1:
            task = asyncio.create_task(self._deliver(queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        await self._cancel()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, queue: object) -> None:
        waiting = self._queues[queue]
        pause = 1.0
        while waiting:
            update_id, update = waiting[0]
            async with self._slots:
                status, body, asked = await self._post(update)
            self.attempts.append(Attempt(update_id, status, body))
            self.changed()
            if 200 <= status < 300:
                waiting.popleft()
                self.delivered += 1
                self.changed()
                pause = 1.0
            else:
                pause = min(pause * 2, 60.0)
                self.last_error = f"Wrong response from the webhook: {status}"
                await asyncio.sleep((asked or pause) * self.scale)
        self._queues.pop(queue, None)

    async def _post(self, update: bytes) -> tuple[int, bytes, float]:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self.secret
        try:
            async with self._session.post(self.url, data=update, headers=headers) as response:
                asked = float(response.headers.get("Retry-After", 0))
                return response.status, await response.read(), asked
        except (aiohttp.ClientError, OSError):
            return 0, b"", 0.0
