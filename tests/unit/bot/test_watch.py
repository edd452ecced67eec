"""The memory watch: one ramp up and down gives each measure once, in the right order."""

from __future__ import annotations

import pytest

from bot.watch import Marks, Measures, MemoryWatch, Pressure, pressure
from monitoring.metrics import Metrics
from monitoring.process import MemoryReading

MARKS = Marks(high=80, critical=90)


@pytest.mark.parametrize(
    ("percent", "before", "expected"),
    [
        (79, Pressure.NONE, Pressure.NONE),
        (81, Pressure.NONE, Pressure.HIGH),
        (91, Pressure.NONE, Pressure.CRITICAL),
        (78, Pressure.HIGH, Pressure.HIGH),  # within the margin: no flapping
        (74, Pressure.HIGH, Pressure.NONE),
        (88, Pressure.CRITICAL, Pressure.CRITICAL),
        (86, Pressure.CRITICAL, Pressure.HIGH),
        (10, Pressure.CRITICAL, Pressure.NONE),
    ],
)
def test_pressure_has_hysteresis(percent: float, before: Pressure, expected: Pressure) -> None:
    assert pressure(percent, before, MARKS) is expected


async def test_a_ramp_sheds_and_recovers_by_itself() -> None:
    done: list[str] = []
    readings = iter([50.0, 85.0, 95.0, 95.0, 85.0, 60.0, 60.0])
    watch = MemoryWatch(
        lambda: MemoryReading(1, 2, next(readings)),
        Measures(
            empty_caches=lambda: done.append("empty"),
            limit_turns=lambda count: done.append(f"turns {count}"),
            shed=lambda refuse: done.append(f"shed {refuse}"),
        ),
        Metrics(),
        marks=MARKS,
        max_turns=64,
    )
    for _ in range(7):
        await watch.check()
    assert [step for step in done if step != "empty"] == [
        "turns 16",
        "shed False",
        "turns 16",
        "shed True",
        "turns 16",
        "shed False",
        "turns None",
        "shed False",
    ]
    assert done.count("empty") == 4  # once for each reading above the high mark
    assert watch.pressure is Pressure.NONE
