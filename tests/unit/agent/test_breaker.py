"""The circuit breaker."""

from __future__ import annotations

from agent.breaker import LONGEST_HOLD, Breaker
from monitoring.metrics import Metrics, total


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def breaker(clock: Clock) -> tuple[Breaker, Metrics]:
    metrics = Metrics()
    return Breaker(metrics.breaker_open, threshold=3, pause=30, clock=clock), metrics


def opened(clock: Clock) -> tuple[Breaker, Metrics]:
    subject, metrics = breaker(clock)
    for _ in range(3):
        assert subject.acquire()
        subject.failed()
    return subject, metrics


def test_it_opens_after_failures_in_a_row() -> None:
    subject, metrics = opened(Clock())
    assert subject.is_open
    assert not subject.acquire()
    assert total(metrics.breaker_open) == 1


def test_a_success_starts_the_count_anew() -> None:
    subject, _ = breaker(Clock())
    for _ in range(4):
        subject.failed()
        subject.failed()
        subject.succeeded()
    assert not subject.is_open


def test_one_probe_goes_out_and_closes_it() -> None:
    clock = Clock()
    subject, metrics = opened(clock)
    clock.now += 29.9
    assert not subject.acquire()
    clock.now += 0.2
    assert [subject.acquire() for _ in range(3)] == [True, False, False]
    subject.succeeded()
    assert subject.acquire()
    assert total(metrics.breaker_open) == 0


def test_a_failed_probe_waits_another_pause() -> None:
    clock = Clock()
    subject, _ = opened(clock)
    clock.now += 31
    assert subject.acquire()
    subject.failed()
    clock.now += 29
    assert not subject.acquire()
    clock.now += 2
    assert subject.acquire()


def test_an_abandoned_probe_frees_the_next() -> None:
    clock = Clock()
    subject, _ = opened(clock)
    clock.now += 31
    assert subject.acquire()
    subject.abandoned()
    assert subject.is_open
    assert subject.acquire()


def test_a_server_that_said_when_is_held_until_then_and_not_for_ever() -> None:
    clock = Clock()
    subject, _ = breaker(clock)
    subject.hold(10)
    subject.hold(2)
    assert not subject.acquire()
    clock.now += 10
    assert subject.acquire()
    subject.hold(10**9)
    clock.now += LONGEST_HOLD
    assert subject.acquire()
