"""How often one address may start a chat. In memory: it only slows down who mints chats by the thousand."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable


class AddressLimit:
    """One token bucket per remote address, for the addresses seen last.

    Forwarding headers are claims and not read; behind a proxy all callers share one bucket, and so do the
    subscribers behind one carrier gateway: hence the wide default.
    """

    def __init__(
        self,
        *,
        rate: float = 2.0,
        burst: float = 60.0,
        addresses: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._addresses = addresses
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> float:
        """Take one token: 0.0 when granted, else the seconds until there is one."""
        now = self._clock()
        tokens, at = self._buckets.pop(address, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        granted = tokens >= 1
        self._buckets[address] = (tokens - 1 if granted else tokens, now)
        if len(self._buckets) > self._addresses:
            self._buckets.popitem(last=False)
        return 0.0 if granted else (1 - tokens) / self._rate
