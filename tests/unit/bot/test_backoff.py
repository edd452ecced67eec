"""Waits after failures."""

from __future__ import annotations

from bot.backoff import growing, jittered


def test_waits_double_up_to_the_cap() -> None:
    waits = [growing(failures, first=0.5, most=8.0) for failures in range(1, 8)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_absurd_counts_stay_bounded() -> None:
    assert growing(10**9, first=0.5, most=30.0) == 30.0
    assert growing(0, first=0.5, most=30.0) == 0.5


def test_jitter_never_shortens_a_wait() -> None:
    waits = [jittered(4.0) for _ in range(200)]
    assert min(waits) >= 4.0
    assert max(waits) <= 5.0
    assert len(set(waits)) > 100
