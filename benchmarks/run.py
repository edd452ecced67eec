"""`make bench`: our bot beside its limits and its alternatives, in one run, all by turns.

Writes `docs/performance/bench.md` and `docs/images/bench.png`. Wall-clock figures depend on the machine and
on what else it does; the ratios of CPU per turn much less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks import losses, speed
from benchmarks.report import write
from benchmarks.rig import OURS, TEXTBOOK, grow
from benchmarks.speed import Size
from config.settings import ROOT

Row = dict[str, float]
Rows = dict[str, Row]
COMPARED = (OURS, TEXTBOOK)
QUICK = Size(chats=40, turns=2, busy_chats=40, busy_seconds=5.0, calm_chats=5)
PARTS = ("speed", "delay", "losses", "growth", "idle", "stored")


def medians(rounds: list[Row]) -> Row:
    """The median of each figure."""
    return {name: statistics.median(row[name] for row in rounds) for name in rounds[0]}


def sums(rounds: list[Row]) -> Row:
    """The sum of each count."""
    return {name: sum(row[name] for row in rounds) for name in rounds[0]}


async def by_turns(
    names: tuple[str, ...],
    rounds: int,
    measure: Callable[[str], Awaitable[Row]],
    merge: Callable[[list[Row]], Row] = medians,
) -> Rows:
    """Measure A B A B ..., then merge each one's rounds."""
    found: dict[str, list[Row]] = defaultdict(list)
    for number in range(rounds):
        for name in names:
            row = await measure(name)
            found[name].append(row)
            _say(f"round {number + 1}, {name}: {_short(row)}")
    return {name: merge(rows) for name, rows in found.items()}


async def measure_speed(size: Size, rounds: int) -> dict[str, Any]:
    rows = await by_turns(speed.SATURATED, rounds, lambda name: speed.saturate(name, size))
    return {"speed": rows, "commits": await speed.bare_commits()}


async def measure_delay(size: Size, rounds: int) -> dict[str, Any]:
    busy = await by_turns(
        COMPARED, rounds, lambda name: speed.delay(name, size.busy_chats, size.busy_seconds)
    )
    calm = await by_turns(COMPARED, 1, lambda name: speed.delay(name, size.calm_chats, size.busy_seconds))
    return {"busy": busy, "calm": calm}


async def measure_losses(_: Size, rounds: int) -> dict[str, Any]:
    return {
        "kill": await by_turns(COMPARED, rounds, losses.kill, sums),
        "sends": await by_turns(COMPARED, 1, losses.failing_sends, sums),
        "answers": await by_turns(COMPARED, 1, losses.bad_answers, sums),
        "burst": await by_turns(COMPARED, 1, losses.burst),
    }


async def measure_growth(_: Size, __: int) -> dict[str, Any]:
    """The textbook bot stops at 200 turns: it would need minutes for the rest."""
    ours = await grow("turns", "--turns", "500")
    _say(f"growth, ours: {ours}")
    textbook = await grow("turns", "--bot", TEXTBOOK, "--turns", "200")
    _say(f"growth, textbook: {textbook}")
    return {"growth": {OURS: ours, TEXTBOOK: textbook}}


async def measure_idle(_: Size, __: int) -> dict[str, Any]:
    """The textbook bot gets a twentieth of the sessions."""
    ours = await grow("idle", "--sessions", "10000", model=False, disk=False)
    _say(f"idle, ours: {ours}")
    textbook = await grow("idle", "--bot", TEXTBOOK, "--sessions", "500", disk=False)
    _say(f"idle, textbook: {textbook}")
    return {"idle": {OURS: ours, TEXTBOOK: textbook}}


async def measure_stored(_: Size, __: int) -> dict[str, Any]:
    found = {}
    for sessions in ("100", "10000", "100000"):
        found[sessions] = await grow("stored", "--sessions", sessions, model=False, disk=False)
        _say(f"{sessions} stored sessions: {_short(found[sessions])}")
    return {"stored": found}


async def measure(parts: list[str], size: Size, rounds: int) -> dict[str, Any]:
    """Every part asked for."""
    steps = {
        "speed": measure_speed,
        "delay": measure_delay,
        "losses": measure_losses,
        "growth": measure_growth,
        "idle": measure_idle,
        "stored": measure_stored,
    }
    found: dict[str, Any] = {}
    for part in parts:
        began = time.monotonic()
        found |= await steps[part](size, rounds)
        _say(f"{part}: {time.monotonic() - began:.0f} s")
    return found


def _short(row: Row) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in row.items())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--quick", action="store_true", help="small counts: tells that it works, not how well"
    )
    parser.add_argument("--json", type=Path, help="keep the figures there, and add to what stands in it")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    found = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    size = QUICK if options.quick else Size()
    found |= asyncio.run(measure(options.only, size, options.rounds))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    write(found, options.out, rounds=options.rounds)


if __name__ == "__main__":
    main()
