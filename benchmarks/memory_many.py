"""100 000 stored sessions: how fast the store starts, what 10 000 active ones take, whom the clean-up delays.

python -m benchmarks.memory_many
"""

from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from benchmarks.memory_graph import Rig, chat, disk_bytes, figure, open_rig
from benchmarks.memory_ram import blobs
from memory.opening import open_store
from memory.session_manager import SessionManager

STORED, ACTIVE, EXPIRED = 100_000, 10_000, 10_000
TIMEOUT = 1800.0
SIDE_BY_SIDE = 50
PAUSE = 0.02  # between the turns that are timed
CALM = 14.0  # seconds of turns without a clean-up: about as many as during it


async def fill(path: Path, now: float) -> None:
    """Sessions of one to forty turns; the last EXPIRED of them fell silent."""
    async with open_store(path):
        pass
    states = [state for turns in (1, 1, 4, 40) for state in await blobs(turns)]
    with closing(sqlite3.connect(path)) as connection, connection:
        for number in range(STORED):
            kind, blob = states[number % len(states)]
            name, at = str(chat(number)), now - (TIMEOUT + 60 if number >= STORED - EXPIRED else 60)
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, 4, 2, 1, 'fr', '[]', '')", (name, at - 300, at)
            )
            connection.execute(
                "INSERT INTO checkpoints VALUES (?, '', ?, NULL, NULL, ?, ?, ?)",
                (name, f"1f0{number:033d}", kind, blob, b'{"source": "loop", "step": 3, "parents": {}}'),
            )


async def timed(work: Awaitable[None]) -> float:
    """Seconds it took."""
    start = time.perf_counter()
    await work
    return time.perf_counter() - start


async def activate(rig: Rig, now: float) -> None:
    """One turn in each of ACTIVE sessions."""

    async def some(first: int) -> None:
        for number in range(first, ACTIVE, SIDE_BY_SIDE):
            await rig.whole_turn(chat(number), at=now)

    await asyncio.gather(*(some(first) for first in range(SIDE_BY_SIDE)))


async def clean_up(rig: Rig) -> dict[str, Any]:
    """Turns timed one after another, before and during the clean-up."""
    sessions = SessionManager(rig.store, timeout=TIMEOUT, forget=rig.saver.forget)
    seconds: dict[str, list[float]] = {"before": [], "during": []}

    async def talk(when: str, stop: asyncio.Event) -> None:
        while not stop.is_set() or len(seconds[when]) < 20:
            number = len(seconds[when])
            seconds[when].append(await timed(rig.whole_turn(chat(number), at=time.time())))
            await asyncio.sleep(PAUSE)

    stop = asyncio.Event()
    calm = asyncio.create_task(talk("before", stop))
    await asyncio.sleep(CALM)
    stop.set()
    await calm
    stop.clear()
    busy = asyncio.create_task(talk("during", stop))
    start = time.perf_counter()
    ended = await sessions.clean_up()
    took = time.perf_counter() - start
    stop.set()
    await busy
    return {"ended": ended, "took": took, **seconds}


async def child(path: Path, started: float) -> None:
    """In a fresh process: open, activate, clean up; prints JSON."""
    opening = time.perf_counter()
    async with open_rig(path) as rig:
        facts: dict[str, Any] = {
            "open": time.perf_counter() - opening,
            "start": time.time() - started,
            "cpu": time.process_time(),
            "rss_idle": psutil.Process().memory_info().rss,
        }
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 1000)  # as the bot sets it once it has started
        await activate(rig, time.time())
        facts["rss_active"] = psutil.Process().memory_info().rss
        facts["cached"] = [rig.saver.cached_sessions, rig.saver.cached_bytes]
        facts.update(await clean_up(rig))
    print(json.dumps(facts))


async def rows() -> list[str]:
    """The figures as rows of the report."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.db"
        await fill(path, time.time())
        size = disk_bytes(path)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __spec__.name, str(path), str(time.time()), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
    facts = json.loads(out)
    return report(facts, size)


def report(facts: dict[str, Any], size: int) -> list[str]:
    """The child's facts as rows."""
    mib, calm, busy = 1024 * 1024, facts["before"], facts["during"]
    # The machine does other work too: what it does to the slowest turn without a clean-up is not ours.
    delay = (max(busy) - max(calm)) * 1000
    usual = (statistics.median(busy) - statistics.median(calm)) * 1000
    return [
        figure(
            f"{STORED:,} stored sessions: file",
            f"{size / mib:.0f} MiB, {size // STORED:,} B each",
            "",
            held=True,
        ),
        figure(
            "process start until the store serves",
            f"{facts['start']:.2f} s (CPU {facts['cpu']:.2f} s; opening the file {facts['open']:.2f} s)",
            "< 3 s",
            held=facts["start"] < 3,
        ),
        figure(
            f"resident memory, {ACTIVE:,} sessions active",
            f"{facts['rss_active'] / mib:.0f} MiB (before: {facts['rss_idle'] / mib:.0f};"
            f" {facts['cached'][0]:,} sessions cached)",
            "< 256 MiB",
            held=facts["rss_active"] < 256 * mib,
        ),
        figure(
            f"clean-up of {facts['ended']:,} expired sessions",
            f"{facts['took']:.1f} s; slowest of {len(busy)} turns {max(busy) * 1000:.0f} ms, of {len(calm)}"
            f" without clean-up {max(calm) * 1000:.0f} ms; median {usual:+.0f} ms",
            "delays no turn > 50 ms",
            held=facts["ended"] == EXPIRED and delay <= 50,
        ),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 2:
        asyncio.run(child(Path(sys.argv[1]), float(sys.argv[2])))
    else:
        print("\n".join(asyncio.run(rows())))
