"""Memory of the process and its container, lag of the event loop, free disk."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from monitoring.metrics import Metrics
from monitoring.stalls import StallWatch

logger = logging.getLogger(__name__)

_CGROUP_V2 = Path("/sys/fs/cgroup")
_CGROUP_V1 = Path("/sys/fs/cgroup/memory")
PROBE_INTERVAL = 0.5
STALL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """Bytes this process holds, the limit that counts, and the share of the limit that is in use."""

    resident: int
    limit: int
    percent: float


class MemoryProbe:
    """Reads memory; percent is of the container's limit where one is set, else of the machine.

    In a container the limit is shared by all its processes, so usage is the container's, without the page
    cache the kernel can drop (`inactive_file`). Without one, the machine's own percent counts, as the
    operator sees it in any monitor.
    """

    def __init__(self, roots: tuple[Path, Path] = (_CGROUP_V2, _CGROUP_V1)) -> None:
        self._process = psutil.Process()
        self._v2, self._v1 = roots

    def read(self) -> MemoryReading:
        """The present reading."""
        resident = int(self._process.memory_info().rss)
        machine = psutil.virtual_memory()
        used, limit = self._container()
        if limit and limit < machine.total:
            return MemoryReading(resident, limit, round(100 * (used or resident) / limit, 1))
        return MemoryReading(resident, int(machine.total), float(machine.percent))

    def _container(self) -> tuple[int, int]:
        v2_limit = _number(self._v2 / "memory.max")
        if v2_limit:
            used = _number(self._v2 / "memory.current") - _stat(self._v2 / "memory.stat", "inactive_file")
            return max(used, 0), v2_limit
        v1_limit = _number(self._v1 / "memory.limit_in_bytes")
        stat = _stat(self._v1 / "memory.stat", "total_inactive_file")
        return max(_number(self._v1 / "memory.usage_in_bytes") - stat, 0), v1_limit


class LoopProbe:
    """Measures how late the event loop runs, and tells when it was over a second late.

    While it stands still, `StallWatch` logs where.
    """

    def __init__(self, metrics: Metrics, *, on_stall: Callable[[float], None]) -> None:
        self._metrics = metrics
        self._on_stall = on_stall
        self.lag = 0.0
        self.worst = 0.0

    async def run(self) -> None:
        """Probe until cancelled."""
        loop = asyncio.get_running_loop()
        with StallWatch(PROBE_INTERVAL + STALL_SECONDS) as watch:
            while True:
                before = loop.time()
                await asyncio.sleep(PROBE_INTERVAL)
                watch.beat()
                self._note(max(0.0, loop.time() - before - PROBE_INTERVAL))

    def _note(self, lag: float) -> None:
        self.lag = lag
        self.worst = max(self.worst, lag)
        self._metrics.loop_lag_seconds.set(lag)
        if lag > STALL_SECONDS:
            logger.warning("event loop stalled %.1f s", lag, extra={"action": "loop_stall"})
            self._on_stall(lag)

    def take_worst(self) -> float:
        """The worst lag since the last call."""
        worst, self.worst = self.worst, 0.0
        return worst


def disk_free(path: Path) -> int:
    """Bytes free where `path` lies."""
    return shutil.disk_usage(path if path.exists() else path.parent).free


def _number(path: Path) -> int:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0


def _stat(path: Path, name: str) -> int:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)
