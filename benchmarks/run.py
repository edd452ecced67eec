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
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import losses, speed
from benchmarks.report import write
from benchmarks.rig import OURS, TEXTBOOK, grow
from benchmarks.speed import Size
from config.settings import ROOT

Row = dict[str, float]
Rows = dict[str, Row]
Found = TypeVar("Found")
COMPARED = (OURS, TEXTBOOK)
LAST_TURN = {OURS: 500, TEXTBOOK: 200}  # the textbook bot would need minutes for the rest
QUICK = Size(chats=20, turns=2, crowd=20, crowd_seconds={"in_a_turn": 2.0, "reading": 2.0})
# What is timed runs alone; what is only counted or weighed runs side by side at the end.
TIMED = ("speed", "delay", "growth", "stored")
COUNTED = ("losses", "idle")


def medians(rounds: Sequence[Row]) -> Row:
    """The median of each figure."""
    return {name: statistics.median(row[name] for row in rounds) for name in rounds[0]}


def medians_of(rounds: Sequence[Rows]) -> Rows:
    """The medians of each row."""
    return {name: medians([rows[name] for rows in rounds]) for name in rounds[0]}


async def by_turns(
    names: Sequence[str],
    rounds: int,
    measure: Callable[[str], Awaitable[Found]],
    merge: Callable[[Sequence[Found]], Found],
) -> dict[str, Found]:
    """Measure A B A B ..., then merge each one's rounds."""
    found: dict[str, list[Found]] = defaultdict(list)
    for number in range(rounds):
        for name in names:
            began = time.monotonic()
            row = await measure(name)
            found[name].append(row)
            _say(f"round {number + 1}, {name}, {time.monotonic() - began:.0f} s: {_short(row)}")
    return {name: merge(rows) for name, rows in found.items()}


class Bench:
    """One run: `quick` tells that everything works, not how well."""

    def __init__(self, rounds: int, *, quick: bool) -> None:
        self._rounds = rounds
        self._quick = quick
        self._size = QUICK if quick else Size()

    async def speed(self) -> dict[str, Any]:
        rows = await by_turns(
            speed.SATURATED, self._rounds, lambda name: speed.saturate(name, self._size), medians
        )
        return {"speed": rows, "commits": await speed.bare_commits()}

    async def delay(self) -> dict[str, Any]:
        async with AsyncExitStack() as stack:
            bots = {name: await stack.enter_async_context(speed.slow_model(name)) for name in COMPARED}
            rows = await by_turns(
                COMPARED, self._rounds, lambda name: bots[name].meet(self._size), medians_of
            )
        return {"delay": rows, "crowd": self._size.crowd}

    async def growth(self) -> dict[str, Any]:
        async def talk(name: str) -> Rows:
            last = 10 if self._quick else LAST_TURN[name]
            found: Rows = await grow("turns", "--bot", name, "--turns", str(last))
            return found

        return {"growth": await by_turns(COMPARED, 1, talk, medians_of)}

    async def stored(self) -> dict[str, Any]:
        async def beside(sessions: str) -> Row:
            found: Row = await grow("stored", "--sessions", sessions, model=False, disk=False)
            return found

        most = ("100", "1000") if self._quick else ("100", "10000", "100000")
        return {"stored": await by_turns(most, 1, beside, medians)}

    async def losses(self) -> dict[str, Any]:
        """Both bots at the same time: nothing here is timed."""
        share = 0.2 if self._quick else 1.0
        rows = await asyncio.gather(*(losses.all_of(bot, self._rounds, share=share) for bot in COMPARED))
        return {"losses": dict(zip(COMPARED, rows, strict=True))}

    async def idle(self) -> dict[str, Any]:
        """The textbook bot gets a hundredth of the sessions."""

        async def weigh(name: str, sessions: int) -> Row:
            arguments = ("idle", "--bot", name, "--sessions", str(sessions))
            found: Row = await grow(*arguments, model=name != OURS, disk=False, seconds=600.0)
            _say(f"idle, {name}: {_short(found)}")
            return found

        sessions = (200, 20) if self._quick else (20_000, 200)
        rows = await asyncio.gather(*map(weigh, COMPARED, sessions))
        return {"idle": dict(zip(COMPARED, rows, strict=True))}

    async def measure(self, parts: Sequence[str], keep: Callable[[dict[str, Any]], None]) -> None:
        """Every part asked for; each hands its figures over as soon as it has them."""

        async def part(name: str) -> None:
            keep(await self._part(name))

        for name in TIMED:
            if name in parts:
                await part(name)
        await asyncio.gather(*(part(name) for name in COUNTED if name in parts))

    async def _part(self, part: str) -> dict[str, Any]:
        began = time.monotonic()
        steps: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
            "speed": self.speed,
            "delay": self.delay,
            "growth": self.growth,
            "stored": self.stored,
            "losses": self.losses,
            "idle": self.idle,
        }
        found = await steps[part]()
        _say(f"{part}: {time.monotonic() - began:.0f} s")
        return found


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(inner)}" for name, inner in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=TIMED + COUNTED, default=TIMED + COUNTED)
    parser.add_argument("--rounds", type=int, help="3, or 1 when quick")
    parser.add_argument(
        "--quick", action="store_true", help="small counts: tells that it works, not how well"
    )
    parser.add_argument("--json", type=Path, help="keep the figures there, and add to what stands in it")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else 3)
    found = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    began = time.monotonic()

    def keep(figures: dict[str, Any]) -> None:
        found.update(figures)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1))

    asyncio.run(Bench(rounds, quick=options.quick).measure(options.only, keep))
    _say(f"all: {time.monotonic() - began:.0f} s")
    write(found, options.out, rounds=rounds)


if __name__ == "__main__":
    main()
