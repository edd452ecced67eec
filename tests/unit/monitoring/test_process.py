from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

from monitoring.metrics import Metrics
from monitoring.process import LoopProbe, MemoryProbe


def test_percent_is_of_the_containers_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("209715200\n")
    (tmp_path / "memory.current").write_text("178257920\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 10485760\n")
    reading = MemoryProbe((tmp_path, tmp_path / "v1")).read()
    assert (reading.limit, reading.percent) == (209715200, 80.0)


def test_an_unlimited_container_falls_back_to_the_machine(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    reading = MemoryProbe((tmp_path, tmp_path / "v1")).read()
    assert reading.limit > 0
    assert 0 < reading.percent <= 100


def test_version_one_groups_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "memory.limit_in_bytes").write_text("1000000")
    (tmp_path / "memory.usage_in_bytes").write_text("900000")
    (tmp_path / "memory.stat").write_text("total_inactive_file 400000\n")
    assert MemoryProbe((tmp_path / "v2", tmp_path)).read().percent == 50.0


async def test_a_blocked_loop_is_seen() -> None:
    stalls: list[float] = []
    probe = LoopProbe(Metrics(), on_stall=stalls.append)
    task = asyncio.create_task(probe.run())
    await asyncio.sleep(0.1)
    time.sleep(1.8)  # noqa: ASYNC251  # the stall itself
    await asyncio.sleep(0.1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert stalls
    assert probe.take_worst() > 1.0
    assert probe.take_worst() == 0.0
