"""Time limits that hardly any call ever reaches, for what is called all the time.

Each `asyncio.timeout` sets a timer of its own and takes it back, which costs more than the rest of it. Here
all that run at a time share one, set to the first deadline and left where it is when that call ends in time.
"""

from __future__ import annotations

import asyncio
from math import inf
from types import TracebackType

_EARLY = 0.001  # a loop rounds to milliseconds: its timer may ring by so much too early


class Deadlines:
    """Limits as `asyncio.timeout` sets them, for the calls of one event loop."""

    def __init__(self) -> None:
        self._running: dict[_Limit, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = inf

    def within(self, seconds: float | None) -> _Limit:
        """Raises TimeoutError out of its block when that takes longer; None is no limit."""
        return _Limit(self, inf if seconds is None else seconds)

    def begin(self, limit: _Limit, seconds: float) -> None:
        """The limit's time runs from now."""
        self._running[limit] = at = asyncio.get_running_loop().time() + seconds
        if at < self._rings_at:
            self._ring_at(at)

    def end(self, limit: _Limit) -> None:
        """What the limit was for is over."""
        self._running.pop(limit, None)

    def _ring_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = at
        self._timer = None if at == inf else asyncio.get_running_loop().call_at(at, self._ring)

    def _ring(self) -> None:
        over = asyncio.get_running_loop().time() + _EARLY
        for limit in [limit for limit, at in self._running.items() if at <= over]:
            self.end(limit)
            limit.expire()
        self._ring_at(min(self._running.values(), default=inf))


class _Limit:
    """Cancels the task that entered it, and turns that into a TimeoutError, as `asyncio.Timeout` does."""

    __slots__ = ("_cancels", "_deadlines", "_expired", "_seconds", "_task")

    _task: asyncio.Task[object]

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        self._deadlines = deadlines
        self._seconds = seconds
        self._expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a limit needs a task to cancel")
        self._task = task
        self._cancels = task.cancelling()  # by others, before us
        self._deadlines.begin(self, self._seconds)

    def expire(self) -> None:
        """Its time is up."""
        self._expired = True
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._deadlines.end(self)
        if self._expired and self._task.uncancel() <= self._cancels and kind is asyncio.CancelledError:
            raise TimeoutError from error
