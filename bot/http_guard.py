"""Keeps slow, idle and too many clients from starving the server.

aiohttp limits neither the time a request head takes nor the number of connections. A guard stands between
the sockets and aiohttp: a connection that has begun a request must finish its head within `head_seconds`, one
between requests may rest `idle_seconds`, and above `limit` connections the one that dawdles longest makes
room. While a request is being answered the guard is silent; bodies and answers have their own time limits.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class ConnectionGuard:
    """Watches every connection of one server."""

    def __init__(self, *, limit: int = 4096, head_seconds: float = 10.0, idle_seconds: float = 30.0) -> None:
        self._limit = limit
        self._head_seconds = head_seconds
        self._idle_seconds = idle_seconds
        self._connections: dict[asyncio.Transport, GuardedConnection] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self.closed_slow = 0
        self.refused = 0

    def __len__(self) -> int:
        return len(self._connections)

    def start(self) -> None:
        """Begin to sweep; call inside the running loop."""
        self._sweeper = asyncio.create_task(self._sweep(), name="http-guard")

    async def stop(self) -> None:
        """End the sweep; connections are closed by the server."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
            self._sweeper = None

    def protocol(self, factory: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """A guarded protocol for one new connection."""
        return GuardedConnection(self, factory())

    def begin(self, transport: asyncio.Transport | None) -> None:
        """A whole request head has arrived on this connection."""
        if transport is not None and (connection := self._connections.get(transport)):
            connection.deadline = None
            connection.answering = True

    def end(self, transport: asyncio.Transport | None) -> None:
        """The answer is ready; the connection may rest until its next request."""
        if transport is not None and (connection := self._connections.get(transport)):
            connection.answering = False
            connection.resting = True
            connection.deadline = self._now() + self._idle_seconds

    def opened(self, connection: GuardedConnection, transport: asyncio.Transport) -> bool:
        """Count a new connection in; False when there is no room and none could be made."""
        if len(self._connections) >= self._limit and not self._evict():
            self.refused += 1
            transport.write(BUSY)
            transport.close()
            return False
        connection.deadline = self._now() + self._head_seconds
        self._connections[transport] = connection
        return True

    def closed(self, transport: asyncio.Transport) -> None:
        """Count a connection out."""
        self._connections.pop(transport, None)

    def woke(self, connection: GuardedConnection) -> None:
        """The first bytes of the next request arrived on a resting connection."""
        connection.resting = False
        connection.deadline = self._now() + self._head_seconds

    def _evict(self) -> bool:
        waiting = (
            (connection.deadline, transport)
            for transport, connection in self._connections.items()
            if connection.deadline is not None
        )
        oldest = min(waiting, key=lambda pair: pair[0], default=None)
        if oldest is None:
            return False
        self._drop(oldest[1])
        return True

    def _drop(self, transport: asyncio.Transport) -> None:
        self.closed_slow += 1
        self._connections.pop(transport, None)
        transport.abort()

    async def _sweep(self) -> None:
        pause = min(1.0, self._head_seconds / 4)
        while True:
            await asyncio.sleep(pause)
            now = self._now()
            late = [t for t, c in self._connections.items() if c.deadline is not None and c.deadline < now]
            for transport in late:
                self._drop(transport)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class GuardedConnection(asyncio.Protocol):
    """Passes everything on to aiohttp's protocol and tells the guard what happens."""

    def __init__(self, guard: ConnectionGuard, inner: asyncio.Protocol) -> None:
        self._guard = guard
        self._offered = inner
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self.deadline: float | None = None
        self.answering = False
        self.resting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the connection in, or answer 503 and close it."""
        self._transport = stream = cast(asyncio.Transport, transport)  # create_server makes streams only
        if self._guard.opened(self, stream):
            self._inner = self._offered
            self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection out and tell aiohttp."""
        if self._transport is not None:
            self._guard.closed(self._transport)
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Start the clock of the next request, then pass the bytes on."""
        if self._inner is None:
            return
        if self.resting and not self.answering:
            self._guard.woke(self)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on the client's half-close."""
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        """Pass on back-pressure."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on the end of back-pressure."""
        if self._inner is not None:
            self._inner.resume_writing()
