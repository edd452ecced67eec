"""Token buckets and episodes: how often something may happen, and when it begins anew. Pure, no clock inside.

Times are seconds of any clock that does not jump; the caller passes them in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

MAX_KEYS = 20_000


class TokenBucket:
    """Grants `rate` tokens a second, up to `burst` at once. Spending ahead reserves a place in the queue."""

    __slots__ = ("burst", "rate", "tokens", "updated")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = max(burst, 1.0)
        self.tokens = self.burst
        self.updated = now

    def wait(self, now: float) -> float:
        """Seconds until one more token is there; 0.0 when it is."""
        self._refill(now)
        return max(0.0, (1.0 - self.tokens) / self.rate)

    def available(self, now: float) -> int:
        """How many whole tokens are there."""
        self._refill(now)
        return max(0, int(self.tokens))

    def refill_at(self, rate: float, now: float) -> None:
        """Refill at another rate from now on."""
        if rate != self.rate:
            self._refill(now)
            self.rate = rate

    def spend(self, now: float, count: float = 1.0) -> None:
        """Take tokens, into debt if need be: the debt is how a queue forms in order."""
        self._refill(now)
        self.tokens -= count

    def _refill(self, now: float) -> None:
        if now > self.updated:
            self.tokens = min(self.burst, self.tokens + (now - self.updated) * self.rate)
            self.updated = now


class Buckets:
    """One bucket per key, bounded: the key unused for longest is forgotten, and starts full again."""

    def __init__(self, rate: float, burst: float, *, max_keys: int = MAX_KEYS) -> None:
        self._rate = rate
        self._burst = burst
        self._max_keys = max_keys
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def of(self, key: Hashable, now: float) -> TokenBucket:
        """The key's bucket."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst, now)
            if len(self._buckets) > self._max_keys:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket

    def __len__(self) -> int:
        return len(self._buckets)


class Episodes:
    """Tells the first event of a kind from those that follow it without a pause of `quiet` seconds."""

    def __init__(self, quiet: float, *, max_keys: int = MAX_KEYS) -> None:
        self._quiet = quiet
        self._max_keys = max_keys
        self._last: OrderedDict[Hashable, float] = OrderedDict()

    def begins(self, key: Hashable, now: float) -> bool:
        """Note the event; True when it opens a new episode."""
        last = self._last.pop(key, None)
        self._last[key] = now
        if len(self._last) > self._max_keys:
            self._last.popitem(last=False)
        return last is None or now - last > self._quiet

    def end(self, key: Hashable) -> bool:
        """Close the episode; True when one was open."""
        return self._last.pop(key, None) is not None
