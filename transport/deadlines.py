"""Time limits that hardly any call ever reaches, for what is called all the time.

Each `asyncio.timeout` sets a timer of its own and takes it back, which costs more than the rest of it. Here
all that run at a time share one, set to the first deadline and left where it is when that call ends in time.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

_EARLY = 0.001  # a loop rounds to milliseconds; a timer that rings so much too early counts as in time


class Deadlines:
    """Limits as `asyncio.timeout` sets them, for the calls of one event loop."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Timeout, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float | None) -> _Limit:
        """Raises TimeoutError out of the block when it takes longer; None is no limit."""
        return _Limit(self, seconds)

    def begin(self, limit: asyncio.Timeout, seconds: float) -> None:
        """The limit's time runs from now."""
        at = asyncio.get_running_loop().time() + seconds
        self._running[limit] = at
        if self._timer is None or at < self._timer.when():
            self._ring_at(at)

    def end(self, limit: asyncio.Timeout) -> None:
        """What the limit was for is over."""
        self._running.pop(limit, None)

    def _ring_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for limit in [limit for limit, at in self._running.items() if at <= now + _EARLY]:
            del self._running[limit]
            limit.reschedule(now)  # its time is up
        if self._running:
            self._ring_at(min(self._running.values()))


class _Limit:
    """One limit: its own Timeout never sets a timer while the shared one has not rung."""

    __slots__ = ("_deadlines", "_seconds", "_timeout")

    def __init__(self, deadlines: Deadlines, seconds: float | None) -> None:
        self._deadlines = deadlines
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        if self._seconds is not None:
            self._deadlines.begin(self._timeout, self._seconds)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._deadlines.end(self._timeout)
        await self._timeout.__aexit__(kind, error, trace)
