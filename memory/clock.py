"""A clock of our own: it starts with the computer's time and never jumps while the process lives.

Sessions, leases and due times compare stamps with "now": were both read from a clock that somebody sets two
hours forward, every session would end at once. The price: a correction of the computer's time reaches the bot
with its next restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

# Seconds since the computer started, sleep included where the system can tell.
boot_seconds: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)


class SteadyClock:
    """Seconds since the epoch, UTC. One per process, given to everything that stamps or compares times."""

    def __init__(
        self, wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = boot_seconds
    ) -> None:
        self._elapsed = elapsed
        self._offset = wall() - elapsed()

    def __call__(self) -> float:
        """Now."""
        return self._offset + self._elapsed()
