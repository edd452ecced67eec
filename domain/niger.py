"""The time of the subscribers: a day of an offer ends at midnight in Niamey, wherever the server stands."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta, timezone

_AHEAD = 3600  # seconds of UTC: Niger keeps West Africa Time all year
NIAMEY = timezone(timedelta(seconds=_AHEAD))
DAY = 86_400.0  # seconds
_EPOCH = date(1970, 1, 1).toordinal()


def local(at: float) -> datetime:
    """The moment `at` (seconds since the epoch) as clocks in Niger show it."""
    return datetime.fromtimestamp(at, NIAMEY)


def day_of(at: float) -> date:
    """The day in Niger. Asked several times a turn, hence without a calendar: 0.3 us instead of 7."""
    return date.fromordinal(_EPOCH + int((at + _AHEAD) // DAY))


def start_of(step: float, at: float) -> float:
    """When the hour or day in Niger (3,600 or 86,400 seconds) began that `at` belongs to."""
    return (at + _AHEAD) // step * step - _AHEAD


def today() -> date:
    """The day it is in Niger."""
    return day_of(time.time())
