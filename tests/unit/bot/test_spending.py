"""What the model cost: today's tokens times the prices, over restarts and midnights, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from bot.spending import Cost, Prices, Spending
from memory.records import TurnFacts
from monitoring.metrics import Metrics

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
PRICES = Prices(prompt=100, completion=1000)


class Past:
    """Facts of earlier runs, as the Store gives them."""

    def __init__(self, *facts: TurnFacts) -> None:
        self.kept = facts

    async def facts(self, since: float) -> Sequence[TurnFacts]:
        return [one for one in self.kept if one.at >= since]

    async def total_turns(self) -> int:
        return len(self.kept)

    async def top_questions(self, since: float, limit: int) -> Sequence[tuple[str, int]]:
        return []


class Now:
    def __init__(self, at: float = NOON) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def turn(at: float, prompt: int = 0, completion: int = 0) -> TurnFacts:
    return TurnFacts(at, "web", "fr", "model", "", True, 1, 0, 0, 0, 0, prompt, completion)


def count(metrics: Metrics, prompt: int, completion: int) -> None:
    metrics.tokens.labels(direction="prompt").inc(prompt)
    metrics.tokens.labels(direction="completion").inc(completion)
    metrics.answers.labels(origin="model", language="fr").inc()


async def test_without_prices_nothing_is_said() -> None:
    metrics = Metrics()
    count(metrics, 1000, 1000)
    assert await Spending(Past(), metrics, Prices()).cost() is None


async def test_both_directions_have_their_price() -> None:
    metrics = Metrics()
    spending = Spending(Past(), metrics, PRICES, clock=Now())
    assert await spending.cost() == Cost(0.0, None)
    count(metrics, 10_000, 1000)
    count(metrics, 0, 0)  # an answer of the catalogue is an answer too
    assert await spending.cost() == Cost(2.0, 1.0)


async def test_a_restart_forgets_nothing_of_today_and_counts_nothing_twice() -> None:
    now, metrics = Now(), Metrics()
    past = Past(turn(NOON - 86_400, 9_000_000), turn(NOON - 60, 10_000, 1000))
    spending = Spending(past, metrics, PRICES, clock=now)
    count(metrics, 10_000, 1000)
    past.kept += (turn(NOON + 1, 10_000, 1000),)  # the same turn, stored
    assert await spending.cost() == Cost(4.0, 2.0)


@pytest.mark.parametrize("prompt", [0, 20_000])
async def test_a_day_ends_at_midnight_in_niamey(prompt: int) -> None:
    now, metrics = Now(), Metrics()
    spending = Spending(Past(turn(NOON - 60, 5000)), metrics, PRICES, clock=now)
    count(metrics, 10_000, 1000)
    now.at = datetime(2026, 11, 25, 22, 59, tzinfo=UTC).timestamp()
    assert (await spending.cost() or Cost(0, 0)).today == 2.5
    now.at += 120
    assert await spending.cost() == Cost(0.0, None)
    count(metrics, prompt, 0)
    assert await spending.cost() == Cost(prompt / 10_000, prompt / 10_000)
