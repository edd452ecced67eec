"""One outlet per platform account: how fast it may send, and whether it may send at all now. Pure state.

Times are seconds of a clock that does not jump; the caller passes them in.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from bot.backoff import growing
from bot.pacing import Buckets, TokenBucket
from bot.verdicts import RATE_MARGIN
from channels.base import Channel
from domain.errors import BotError, ChannelBroken, NotSent, RateLimited, SendInDoubt
from domain.messages import ChatKey
from memory.records import OutboxPart

# Each send in flight at a kill may arrive twice: no more than the pace needs when answers take that long.
ANSWER_SECONDS = 0.5
LEAST_IN_FLIGHT, MAX_IN_FLIGHT = 8, 32
FAILURES_TO_HOLD = 3
# Chats told to wait within LIMIT_WINDOW seconds before the whole account is believed to be meant.
LIMITS_TO_HOLD = 3
LIMIT_WINDOW = 10.0
HOLDS_TO_REPORT = 3
SPARE_SECONDS = 60.0
_BUSY_PAUSE = 0.05  # how soon to look again at a outlet whose sends are all in flight


@dataclass(frozen=True, slots=True)
class _Pause:
    first: float
    most: float


_SILENT = _Pause(1.0, 20.0)  # nothing reaches the platform: a probe costs nothing
_DOUBTFUL = _Pause(5.0, 30.0)  # every outcome is unclear: a probe costs a part one of its two chances
_BROKEN = _Pause(30.0, 600.0)  # credentials refused: a person must act


class Outlet:
    """Pacing and circuit breaker of one account. `trouble` says why it holds, "" when it does not."""

    def __init__(self, channel: Channel, now: float) -> None:
        pacing = channel.pacing
        self.channel = channel
        self.trouble = ""
        self._bucket = TokenBucket(pacing.global_rate, pacing.global_burst, now)
        self._chats = Buckets(pacing.chat_rate, pacing.chat_burst)
        wanted = int(pacing.global_rate * ANSWER_SECONDS)
        self._max_in_flight = max(LEAST_IN_FLIGHT, min(wanted, MAX_IN_FLIGHT))
        self._in_flight = 0
        self._held_until = now
        self._failures = 0  # in a row
        self._holds = 0  # in a row; while there are any, one send at a time finds out if it works again
        self._last_begun = now
        self._limits: deque[tuple[float, ChatKey]] = deque(maxlen=LIMITS_TO_HOLD)

    def room(self, now: float) -> int:
        """How many parts it may be given now."""
        if now < self._held_until:
            return 0
        self._bucket.refill_at(self.channel.pacing.global_rate, now)  # lowered when throttled
        free = (1 if self._holds else self._max_in_flight) - self._in_flight
        return max(0, min(free, self._bucket.available(now)))

    def opens_in(self, now: float) -> float:
        """Seconds until there may be room; 0.0 when there is."""
        if self.room(now):
            return 0.0
        return max(self._held_until - now, self._bucket.wait(now), _BUSY_PAUSE)

    def hold_back(self, part: OutboxPart, now: float) -> float:
        """Seconds this part must wait although its outlet has room; 0.0 when it may go.

        A part in doubt is spared while the platform is being probed: its second doubt would be its last, and
        a fresh part finds out as well.
        """
        if now < self._held_until:
            return self._held_until - now
        if self._holds and part.doubts and now - self._last_begun < SPARE_SECONDS:
            return _DOUBTFUL.first
        return self._chats.of(part.key, now).wait(now)

    def begin(self, key: ChatKey, now: float) -> None:
        """A send to this chat starts."""
        self._in_flight += 1
        self._last_begun = now
        self._bucket.spend(now)
        self._chats.of(key, now).spend(now)

    def end(self) -> None:
        """A send is over and settled."""
        self._in_flight -= 1

    def note(self, key: ChatKey, error: BotError | None, now: float) -> bool:
        """Learn from an outcome (None: sent). True when the operators should hear of it."""
        if isinstance(error, RateLimited):
            return self._limited(key, error, now)
        if isinstance(error, ChannelBroken):
            return self._hold(_BROKEN, str(error), now) == 1
        if isinstance(error, NotSent | SendInDoubt):
            self._failures += 1
            if self._failures < FAILURES_TO_HOLD and not self._holds:
                return False
            pause = _SILENT if isinstance(error, NotSent) else _DOUBTFUL
            return self._hold(pause, str(error), now) == HOLDS_TO_REPORT
        self._works()  # an answer, even a refusal
        return False

    def _hold(self, pause: _Pause, reason: str, now: float) -> int:
        """Hold for longer each time; the number of this hold, 0 when one is on already."""
        if now < self._held_until:
            return 0
        self._holds += 1
        self._held_until = now + growing(self._holds, first=pause.first, most=pause.most)
        self.trouble = reason or "no answer"
        return self._holds

    def _limited(self, key: ChatKey, error: RateLimited, now: float) -> bool:
        self._limits.append((now, key))
        recent = {chat for at, chat in self._limits if now - at <= LIMIT_WINDOW}
        if error.everywhere or len(recent) >= LIMITS_TO_HOLD:
            self._held_until = max(self._held_until, now + error.seconds + RATE_MARGIN)
        self._works()
        return False

    def _works(self) -> None:
        self._failures = self._holds = 0
        self.trouble = ""
