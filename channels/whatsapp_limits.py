"""How WhatsApp's rate limits slow us down: one subscriber by growing pauses, the whole number by halving."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from channels.base import Pacing

# Meta allows one message per 6 s and subscriber, and 45 at once borrowed from later; we borrow less.
CHAT_RATE = 1 / 6
CHAT_BURST = 30.0
PAIR_SECONDS = 6.0
_PAIR_STEPS = 4  # 4^4 = 256 s
_HALVINGS = 5
_LONGEST_WAIT = 60.0
_QUIET_SECONDS = 60.0
_ONE_EPISODE = 1.0  # refusals of sends already on their way count once


def pacing(rate: float) -> Pacing:
    """The limits of a number that may send `rate` messages a second."""
    return Pacing(global_rate=rate, global_burst=rate, chat_rate=CHAT_RATE, chat_burst=CHAT_BURST)


class PairLimits:
    """Pauses of single chats: 6, 6, 16, 64, 256 s, until a message goes through. Bounded."""

    def __init__(self, max_chats: int = 10_000) -> None:
        self._max_chats = max_chats
        self._refusals: OrderedDict[str, int] = OrderedDict()

    def refused(self, chat: str) -> float:
        """Note a refusal; how long to leave this chat alone."""
        step = min(self._refusals.pop(chat, -1) + 1, _PAIR_STEPS)
        self._refusals[chat] = step
        if len(self._refusals) > self._max_chats:
            self._refusals.popitem(last=False)
        return max(PAIR_SECONDS, 4.0**step)

    def accepted(self, chat: str) -> None:
        """A message went through."""
        self._refusals.pop(chat, None)


class Throughput:
    """The pace of the whole number: halved by each refusal, doubled again after each quiet minute."""

    def __init__(self, full: Pacing, ticks: Callable[[], float] = time.monotonic) -> None:
        self._full = full
        self._ticks = ticks
        self._halvings = 0
        self._changed_at = 0.0
        self._wait = 0.0

    @property
    def pacing(self) -> Pacing:
        """The limits to keep now."""
        share = 0.5**self._halvings
        return replace(
            self._full,
            global_rate=self._full.global_rate * share,
            global_burst=max(1.0, self._full.global_burst * share),
        )

    def refused(self) -> float:
        """Note a refusal; how long to send nothing at all: 1, 2, 4 ... 60 s."""
        now = self._ticks()
        if not self._halvings or now - self._changed_at > _ONE_EPISODE:
            self._wait = min(_LONGEST_WAIT, max(1.0, self._wait * 2))
            self._halvings = min(self._halvings + 1, _HALVINGS)
            self._changed_at = now
        return self._wait

    def accepted(self) -> None:
        """A message went through: give pace back when the last change is a quiet minute ago."""
        if self._halvings and self._ticks() - self._changed_at > _QUIET_SECONDS:
            self._halvings -= 1
            self._changed_at = self._ticks()
            self._wait = self._wait / 2 if self._halvings else 0.0
