"""What the model cost today: tokens counted by the metrics, times the operator's prices.

Tokens of today from before this start come from the stored facts, so that a restart forgets nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from domain.niger import DAY, start_of
from memory.base import Statistics
from memory.records import TurnFacts
from monitoring.metrics import Metrics, total

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Prices:
    """Per million tokens, in the operator's currency. Both 0: the prices are not known."""

    prompt: float = 0.0
    completion: float = 0.0

    @property
    def known(self) -> bool:
        """Whether there is anything to tell."""
        return self.prompt > 0 or self.completion > 0


UNKNOWN = Prices()


@dataclass(frozen=True, slots=True)
class Cost:
    """Of today. `per_turn` is the mean over today's answers, with or without the model; None before any."""

    today: float
    per_turn: float | None


@dataclass(frozen=True, slots=True)
class _Count:
    prompt: float = 0.0
    completion: float = 0.0
    answers: float = 0.0

    def __add__(self, other: _Count) -> _Count:
        return _Count(
            self.prompt + other.prompt, self.completion + other.completion, self.answers + other.answers
        )

    def __sub__(self, other: _Count) -> _Count:
        return _Count(
            self.prompt - other.prompt, self.completion - other.completion, self.answers - other.answers
        )


class Spending:
    """Knows the cost of the day that now is in Niamey."""

    def __init__(
        self,
        statistics: Statistics,
        metrics: Metrics,
        prices: Prices,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._statistics = statistics
        self._metrics = metrics
        self._prices = prices
        self._clock = clock
        self._started = clock()
        self._midnight = -1.0
        self._offset = _Count()  # added to the counters of this process, it gives the counts of the day

    async def cost(self) -> Cost | None:
        """The cost of today, None without prices. Raises StoreUnavailable."""
        if not self._prices.known:
            return None
        midnight = start_of(DAY, self._clock())
        if midnight != self._midnight:
            self._offset = await self._offset_of(midnight)
            self._midnight = midnight
        count = self._counted() + self._offset
        today = (count.prompt * self._prices.prompt + count.completion * self._prices.completion) / 1e6
        return Cost(round(today, _DIGITS), round(today / count.answers, _DIGITS) if count.answers else None)

    async def _offset_of(self, midnight: float) -> _Count:
        if self._started < midnight:  # the counters hold days before
            return _Count() - self._counted()
        facts = await self._statistics.facts(midnight)
        return _sum(one for one in facts if one.at < self._started)

    def _counted(self) -> _Count:
        metrics = self._metrics
        return _Count(
            total(metrics.tokens, direction="prompt"),
            total(metrics.tokens, direction="completion"),
            total(metrics.answers),
        )


def _sum(facts: Iterable[TurnFacts]) -> _Count:
    count = _Count()
    for one in facts:
        count += _Count(one.prompt_tokens, one.completion_tokens, 1)
    return count
