"""Kills, drowns and starves the real bot, then counts what was lost: `python -m benchmarks.chaos [RUN ...]`.

Without names every run goes, one after the other, at full size (about half an hour on two quiet cores);
`--scale 0.1` runs a tenth. The last lines are a table of goals; the exit code is 1 when one was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.crash_runs import Outcome, Plan, crash_run, truth
from tests.acceptance.flood_runs import flood_run
from tests.acceptance.fuzz_runs import fuzz_run
from tests.acceptance.load_runs import ack_run, slow_clients_run, storm_run
from tests.acceptance.trouble_runs import can_mount, disk_full_run, hanging_model_run, telegram_away_run
from tests.acceptance.whatsapp_kills import run as whatsapp_run

QUESTIONS = ("Bonjour", "Quel forfait internet pour une semaine ?", "Comment consulter mon solde ?", "/aide")
COLUMNS = (52, 84, 3)


@dataclass(frozen=True, slots=True)
class Line:
    """One goal: what was asked, what was seen."""

    goal: str
    seen: str
    met: bool


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything; `of(1000)` is 1000 at full size."""

    scale: float

    def of(self, full: float, least: int = 1) -> int:
        return max(least, round(full * self.scale))


Run = Callable[[Path, Size], Awaitable[list[Line]]]


async def kills(folder: Path, size: Size) -> list[Line]:
    """SIGKILL at random moments, forked from a warm parent."""
    outcome = await _crashes(folder, Plan(lives=size.of(1000, 5), chats=16, per_life=6))
    return _kill_lines(f"{outcome.plan.lives} SIGKILLs", outcome)


async def cold_kills(folder: Path, size: Size) -> list[Line]:
    """SIGKILL at random moments of the entry point as operators start it."""
    outcome = await _crashes(folder, Plan(lives=size.of(100, 3), chats=16, per_life=10, warm=False))
    return _kill_lines(f"{outcome.plan.lives} SIGKILLs, cold starts", outcome)


async def stops(folder: Path, size: Size) -> list[Line]:
    """SIGTERM under load."""
    outcome = await _crashes(folder, Plan(lives=size.of(100, 3), chats=16, per_life=20, gently=True))
    verdict = outcome.verdict
    seen = (
        f"{verdict.acknowledged} acknowledged, {verdict.lost} lost, {verdict.duplicates} duplicates,"
        f" {verdict.disorder} out of order; slowest stop {outcome.slowest_stop:.1f} s"
    )
    return [
        Line(
            f"{outcome.plan.lives} SIGTERMs: 0 lost, 0 twice", seen, outcome.good and not verdict.duplicates
        ),
        Line(
            "SIGTERM: exit 0 in 10 s", f"exits other than 0: {outcome.odd_exits}", outcome.slowest_stop <= 10
        ),
    ]


async def whatsapp_kills(folder: Path, size: Size) -> list[Line]:
    """SIGKILL under WhatsApp load, with receipts as evidence."""
    outcome = await whatsapp_run(folder, size.of(300, 2))
    seen = (
        f"{outcome.acknowledged} acknowledged, {outcome.lost} lost, {outcome.duplicates} duplicates,"
        f" at most {outcome.most_copies} copies, {outcome.disordered} out of order"
    )
    good = not (outcome.lost or outcome.disordered or outcome.faults) and outcome.most_copies <= 2
    few = outcome.duplicates <= max(1, outcome.kills // 100)
    return [Line(f"WhatsApp, {outcome.kills} SIGKILLs: twice <= 1 %", seen, good and few)]


async def storm(folder: Path, size: Size) -> list[Line]:
    """Every update twenty times, around a kill."""
    outcome = await storm_run(folder, updates=size.of(1000, 20), copies=20)
    seen = f"{outcome.turns} turns, {outcome.unfinished} unfinished"
    met = outcome.turns == outcome.updates and not outcome.unfinished
    return [Line(f"{outcome.updates} x 20 copies: 1 turn each", seen, met)]


async def fuzz(folder: Path, size: Size) -> list[Line]:
    """Spoilt updates on both webhooks."""
    outcome = await fuzz_run(folder, updates=size.of(100_000, 500))
    if outcome.first_exception:
        print(outcome.first_exception)
    seen = (
        f"{outcome.exceptions} exceptions, {sum(outcome.refused.values())} not acknowledged,"
        f" {outcome.unanswered} of {outcome.honest} honest chats blocked"
    )
    met = not (outcome.exceptions or outcome.refused or outcome.unanswered or outcome.exit_code)
    lag = f"{outcome.worst_lag * 1000:.0f} ms"
    return [
        Line(f"{outcome.offered} spoilt updates: no harm", seen, met),
        Line("meanwhile loop lag < 250 ms", lag, outcome.worst_lag < 0.25),
    ]


async def acks(folder: Path, size: Size) -> list[Line]:
    """200 updates a second."""
    seconds = size.of(120, 5)
    outcome = await ack_run(
        folder, rate=200.0, seconds=seconds, chats=10_000, texts=QUESTIONS, burst_window=1.2
    )
    times = outcome.latencies
    half, most = times.quantile(0.5), times.quantile(0.99)
    seen = f"p99 {most * 1000:.1f} ms, {times.over(1.0)} over 1 s; {dict(times.statuses)}"
    met = most <= 0.1 and not times.over(1.0) and set(times.statuses) == {200}
    emptied = f"{outcome.drained:.1f} s after the last update, with {outcome.resident / 2**20:.0f} MiB"
    quick = outcome.drained <= 10 and outcome.resident <= 2**28
    return [
        Line(f"200 updates/s, {seconds} s: p99 <= 100 ms", seen, met),
        Line("meanwhile p50 <= 10 ms", f"{half * 1000:.1f} ms", half <= 0.01),
        Line("inbox empty in 10 s, <= 256 MiB", emptied, quick),
    ]


async def flood(folder: Path, size: Size) -> list[Line]:
    """One chat writes 500 messages a second."""
    outcome = await flood_run(folder, rate=500.0, seconds=size.of(30, 10), others=40)
    before, during = outcome.before.quantile(0.95), outcome.during.quantile(0.95)
    seen = (
        f"others' p95 {before * 1000:.0f} -> {during * 1000:.0f} ms; flood: {outcome.flood_turns} turns,"
        f" {outcome.cost * 1000:.2f} ms CPU per message"
    )
    allowed = outcome.seconds / 2 + 1
    met = during <= 1.5 * before and outcome.flood_turns <= allowed
    return [Line("a flood: others' p95 <= 1.5 x", seen, met)]


async def slow_clients(folder: Path, size: Size) -> list[Line]:
    """Half-open requests and stalled bodies."""
    outcome = await slow_clients_run(folder, each=size.of(500, 20), seconds=40.0)
    slow = outcome.latencies.quantile(0.99)
    seen = f"webhook p99 {slow * 1000:.0f} ms; last hung up on after {outcome.closed_after:.1f} s"
    met = slow <= 0.25 and not outcome.still_open and outcome.closed_after <= 20
    return [Line(f"{outcome.opened} slow clients: p99 <= 250 ms", seen, met)]


async def disk(folder: Path, size: Size) -> list[Line]:
    """A disk without a free byte."""
    if not can_mount():
        return [Line("disk full: 0 false 200s", "not run: nobody may mount a small disk here", met=False)]
    outcome = await disk_full_run(folder)
    seen = (
        f"{outcome.false_acknowledgements} false 200s, {outcome.replies_when_full} replies went out,"
        f" back {outcome.recovered_after:.1f} s after space was"
    )
    good = not outcome.false_acknowledgements and outcome.replies_when_full and outcome.alive
    return [Line("disk full: 0 false 200s, back in 10 s", seen, bool(good) and outcome.recovered_after <= 10)]


async def away(folder: Path, size: Size) -> list[Line]:
    """Telegram down at the start, and again later."""
    outcome = await telegram_away_run(folder, chats=size.of(40, 5), pause=size.of(60, 2))
    seen = (
        f"{outcome.arrived} of {outcome.asked} replies arrived, at most {outcome.most_copies} copies;"
        f" the page answered {len(outcome.page_replies)} of 2"
    )
    met = outcome.arrived >= outcome.asked and outcome.in_order and len(outcome.page_replies) == 2
    return [Line("Telegram away twice: 0 lost", seen, met)]


async def model(folder: Path, size: Size) -> list[Line]:
    """A model that never answers."""
    outcome = await hanging_model_run(folder, chats=size.of(40, 4), patience=15.0)
    seen = f"{len(outcome.seconds)} answered, slowest {max(outcome.seconds):.1f} s, {outcome.empty} empty"
    return [Line("model hangs: all answered in 35 s", seen, max(outcome.seconds) <= 35 and not outcome.empty)]


RUNS: Mapping[str, Run] = {
    "kills": kills,
    "cold-kills": cold_kills,
    "stops": stops,
    "whatsapp-kills": whatsapp_kills,
    "storm": storm,
    "fuzz": fuzz,
    "acks": acks,
    "flood": flood,
    "slow-clients": slow_clients,
    "disk": disk,
    "away": away,
    "model": model,
}


async def _crashes(folder: Path, plan: Plan) -> Outcome:
    without, under = folder / "without", folder / "under"
    without.mkdir()
    under.mkdir()
    outcome = await crash_run(under, plan, wanted=await truth(without, plan.messages))
    for fault in outcome.verdict.faults:
        print(f"    {fault}")
    return outcome


def _kill_lines(name: str, outcome: Outcome) -> list[Line]:
    verdict = outcome.verdict
    seen = (
        f"{verdict.acknowledged} acknowledged, {verdict.lost} lost, {verdict.parked} parked,"
        f" {verdict.duplicates} twice, at most {verdict.most_copies} copies, {verdict.disorder} out of order"
    )
    return [Line(f"{name}: 0 lost, <= 2 copies, in order", seen, outcome.good)]


def _print(line: Line) -> None:
    cells = zip((line.goal, line.seen, "yes" if line.met else "NO"), COLUMNS, strict=True)
    print("| " + " | ".join(cell.ljust(width) for cell, width in cells) + " |", flush=True)


async def _main(names: list[str], scale: float) -> int:
    lines: list[Line] = []
    for name in names:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"chaos-{name}-") as folder:
            found = await RUNS[name](Path(folder), Size(scale))
        print(f"{name}: {time.monotonic() - started:.0f} s")
        for line in found:
            _print(line)
        lines += found
    print("\nGoals")
    for line in lines:
        _print(line)
    return int(not all(line.met for line in lines))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":", maxsplit=1)[0])
    parser.add_argument("runs", nargs="*", metavar="RUN", help=", ".join(RUNS))
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is full size")
    options = parser.parse_args()
    if unknown := set(options.runs) - set(RUNS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return asyncio.run(_main(options.runs or list(RUNS), options.scale))


if __name__ == "__main__":
    sys.exit(main())
