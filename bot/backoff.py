"""How long to wait after the n-th failure in a row. Pure but for the jitter."""

from __future__ import annotations

import random

JITTER = 0.25


def growing(failures: int, *, first: float, most: float) -> float:
    """`first` after one failure, doubled after each further one, never above `most`."""
    return min(most, first * 2.0 ** min(max(failures, 1) - 1, 32))


def jittered(seconds: float) -> float:
    """Up to a quarter longer, never shorter: those who failed together must not come back together."""
    return seconds * (1.0 + JITTER * random.random())
