"""Days and hours as they are in Niger."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from domain.niger import DAY, day_of, local, start_of


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-30T22:59:59", date(2026, 11, 30)),
        ("2026-11-30T23:00:00", date(2026, 12, 1)),
        ("1970-01-01T00:00:00", date(1970, 1, 1)),
        ("2028-02-28T23:30:00", date(2028, 2, 29)),
    ],
)
def test_a_day_begins_at_midnight_in_niamey(at: str, day: date) -> None:
    seconds = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    assert day_of(seconds) == local(seconds).date() == day
    midnight = local(start_of(DAY, seconds))
    assert (midnight.date(), midnight.hour, midnight.minute) == (day, 0, 0)
