"""Keeps a failing model from slowing every turn: closed, open, half-open with one probe."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import Gauge

LONGEST_HOLD = 120.0  # seconds; a server that asks for more is asked again all the same


class Breaker:
    """Opens after `threshold` failures in a row; after `pause` seconds one call probes.

    Each granted `acquire` is followed by exactly one of `succeeded`, `failed` and `abandoned`.
    """

    def __init__(
        self,
        gauge: Gauge,
        *,
        threshold: int = 5,
        pause: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gauge = gauge
        self._threshold = threshold
        self._pause = pause
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._held_until = clock()
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether calls are refused now (the probe apart)."""
        return self._opened_at is not None

    def acquire(self) -> bool:
        """Whether a call may go out now."""
        if self._clock() < self._held_until:
            return False
        if self._opened_at is None:
            return True
        if self._probing or self._clock() - self._opened_at < self._pause:
            return False
        self._probing = True
        return True

    def hold(self, seconds: float) -> None:
        """The server said when to come back: no call goes out before."""
        self._held_until = max(self._held_until, self._clock() + min(seconds, LONGEST_HOLD))

    def succeeded(self) -> None:
        """The call was answered usefully."""
        self._failures = 0
        self._probing = False
        if self._opened_at is not None:
            self._opened_at = None
            self._gauge.set(0)

    def failed(self) -> None:
        """The call failed in a way that says something about the server."""
        self._failures += 1
        self._probing = False
        if self._opened_at is not None or self._failures >= self._threshold:
            self._opened_at = self._clock()
            self._gauge.set(1)

    def abandoned(self) -> None:
        """The call ended without saying anything about the server: cancelled, or the fault is ours."""
        self._probing = False
