"""Token buckets in memory: enough where one process holds the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MANY = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Buckets:
    """Buckets by name; the number kept is bounded by dropping the ones used longest ago."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, *, rate: float, burst: float) -> float:
        """See `memory.base.Store.take`."""
        now = self._clock()
        bucket = self._buckets.pop(name, None) or _Bucket(burst, now)
        bucket.tokens = min(burst, bucket.tokens + max(0.0, now - bucket.at) * rate)
        bucket.at = now
        self._buckets[name] = bucket
        if len(self._buckets) > MANY:
            del self._buckets[next(iter(self._buckets))]
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return 0.0
        return (1.0 - bucket.tokens) / rate
