"""Token buckets and episodes, on a clock of the test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.pacing import Buckets, Episodes, TokenBucket


def test_burst_then_rate() -> None:
    bucket = TokenBucket(rate=2.0, burst=3.0, now=0.0)
    for _ in range(3):
        assert bucket.wait(0.0) == 0.0
        bucket.spend(0.0)
    assert bucket.wait(0.0) == pytest.approx(0.5)
    assert bucket.wait(0.5) == 0.0
    assert bucket.available(10.0) == 3


def test_spending_ahead_queues_in_order() -> None:
    bucket = TokenBucket(rate=1.0, burst=1.0, now=0.0)
    waits = []
    for _ in range(3):
        waits.append(bucket.wait(0.0))
        bucket.spend(0.0)
    assert waits == pytest.approx([0.0, 1.0, 2.0])
    assert bucket.available(0.0) == 0


def test_a_clock_that_goes_back_grants_nothing() -> None:
    bucket = TokenBucket(rate=1.0, burst=1.0, now=100.0)
    bucket.spend(100.0)
    assert bucket.wait(50.0) == pytest.approx(1.0)
    assert bucket.wait(101.0) == 0.0


@given(
    rate=st.floats(0.1, 100.0),
    burst=st.floats(1.0, 50.0),
    steps=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=200),
)
def test_never_more_than_burst_plus_rate(rate: float, burst: float, steps: list[float]) -> None:
    """Whoever asks before spending never gets more than the bucket promises."""
    bucket, now, spent = TokenBucket(rate, burst, 0.0), 0.0, 0
    for step in steps:
        now += step
        while bucket.wait(now) == 0.0:
            bucket.spend(now)
            spent += 1
            assert spent <= burst + rate * now + 1e-6


def test_buckets_forget_the_key_unused_for_longest() -> None:
    buckets = Buckets(1.0, 1.0, max_keys=2)
    buckets.of("a", 0.0).spend(0.0)
    buckets.of("b", 0.0).spend(0.0)
    buckets.of("a", 0.0)
    buckets.of("c", 0.0)
    assert len(buckets) == 2
    assert buckets.of("a", 0.0).wait(0.0) > 0.0  # still known, thus still empty
    assert buckets.of("b", 0.0).wait(0.0) == 0.0  # forgotten, thus full again


def test_an_episode_begins_once_and_again_after_quiet() -> None:
    episodes = Episodes(quiet=60.0)
    assert episodes.begins("chat", 0.0)
    assert not any(episodes.begins("chat", at) for at in (1.0, 50.0, 109.0))
    assert episodes.begins("other", 109.0)
    assert episodes.begins("chat", 170.0)
    assert episodes.end("chat")
    assert not episodes.end("chat")
    assert episodes.begins("chat", 171.0)
