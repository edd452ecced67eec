"""Memory watch: gives memory back when it grows scarce, refuses new work when it is nearly gone, recovers.

Above the high mark caches shrink and fewer turns run at once; above the critical mark new messages get a
polite "later". Each mark has a lower one below which its measure ends, so that nothing flaps.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from monitoring.metrics import Metrics
from monitoring.process import MemoryReading

logger = logging.getLogger(__name__)

HIGH_MARGIN = 5.0
CRITICAL_MARGIN = 3.0


class Pressure(IntEnum):
    """How scarce memory is."""

    NONE = 0
    HIGH = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True)
class Marks:
    """Percent of the memory limit."""

    high: float = 80.0
    critical: float = 90.0


def pressure(percent: float, before: Pressure, marks: Marks) -> Pressure:
    """The pressure now, given the one before; pure."""
    critical = marks.critical - (CRITICAL_MARGIN if before is Pressure.CRITICAL else 0)
    high = marks.high - (HIGH_MARGIN if before is not Pressure.NONE else 0)
    if percent > critical:
        return Pressure.CRITICAL
    return Pressure.HIGH if percent > high else Pressure.NONE


@dataclass(frozen=True, slots=True)
class Measures:
    """What the watch can do: empty caches, lower the number of turns (None: back to normal), refuse work."""

    empty_caches: Callable[[], None]
    limit_turns: Callable[[int | None], None]
    shed: Callable[[bool], None]


class MemoryWatch:
    """Reads memory and acts; `check` is a job."""

    def __init__(
        self,
        read: Callable[[], MemoryReading],
        measures: Measures,
        metrics: Metrics,
        *,
        marks: Marks,
        max_turns: int,
    ) -> None:
        self._read = read
        self._measures = measures
        self._metrics = metrics
        self._marks = marks
        self._max_turns = max_turns
        self.pressure = Pressure.NONE
        self.last = MemoryReading(0, 0, 0.0)

    async def check(self) -> None:
        """Read once and bring the measures in line."""
        self.last = reading = await asyncio.to_thread(self._read)
        self._metrics.memory_bytes.set(reading.resident)
        self._metrics.memory_limit.set(reading.limit)
        self._metrics.memory_percent.set(reading.percent)
        now = pressure(reading.percent, self.pressure, self._marks)
        if now is not Pressure.NONE:
            self._measures.empty_caches()
            await asyncio.to_thread(gc.collect)
        if now is self.pressure:
            return
        logger.warning(
            "memory pressure: %s",
            now.name.lower(),
            extra={"action": "memory_pressure", "percent": reading.percent},
        )
        self.pressure = now
        self._measures.limit_turns(None if now is Pressure.NONE else max(1, self._max_turns // 4))
        self._measures.shed(now is Pressure.CRITICAL)
        self._metrics.shed.set(now is Pressure.CRITICAL)
