"""CPU per turn of two bots in short turns: `python -m benchmarks.pairs [--rounds N] [--tree FOLDER]`.

Both bots run all the time and are asked one after the other for some seconds each, so that a machine which
changes its speed within minutes changes it for both. The second bot is the textbook bot, or this bot as it
stands in another checkout. What counts is the ratio within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from benchmarks.procs import Child
from benchmarks.questions import question
from benchmarks.rig import OURS, TEXTBOOK, Rig, open_rig
from benchmarks.speed import SETTLING_SECONDS

CHATS = {OURS: 200, TEXTBOOK: 30}  # of five turns each: some seconds of work for either


@dataclass(slots=True)
class Side:
    """One bot and the servers it talks to."""

    name: str
    bot: str
    rig: Rig
    child: Child
    slices: count[int]

    async def cpu_ms(self) -> float:
        """CPU milliseconds per turn of the next slice, whose chats and questions are new."""
        number, before = next(self.slices), self.child.cpu()
        seen = await self.rig.load(
            *("--chats", str(CHATS[self.bot]), "--turns", "5"),
            *("--first-chat", str(number * 10_000), "--first-text", str(number * 100_000)),
        )
        await asyncio.sleep(SETTLING_SECONDS)
        return (self.child.cpu() - before) * 1000 / max(1.0, seen["answered"])


async def open_side(stack: AsyncExitStack, name: str, bot: str, tree: Path | None) -> Side:
    """A warm bot. It costs next to nothing while the other one is asked."""
    settings = {"PYTHONPATH": str(tree)} if tree else {}
    rig = await stack.enter_async_context(open_rig(settings=settings))
    await rig.push((1, question(0)))
    child = await stack.enter_async_context(rig.bot(bot))
    await rig.first_answer()
    side = Side(name, bot, rig, child, count(1))
    await side.cpu_ms()
    return side


async def compare(rounds: int, tree: Path | None) -> list[str]:
    """The figures as lines."""
    async with AsyncExitStack() as stack:
        ours = await open_side(stack, "this bot", OURS, None)
        other, bot = (str(tree), OURS) if tree else ("textbook bot", TEXTBOOK)
        sides = (ours, await open_side(stack, other, bot, tree))
        taken: list[tuple[float, float]] = []
        for number in range(rounds):
            order = sides if number % 2 else sides[::-1]
            found = {side.name: await side.cpu_ms() for side in order}
            taken.append((found[ours.name], found[other]))
            print(f"{taken[-1][0]:.2f} {taken[-1][1]:.2f} ms", flush=True)
    ratios = [theirs / mine for mine, theirs in taken]
    medians = [statistics.median(column) for column in zip(*taken, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return [
        f"this bot {medians[0]:.2f} ms, {other} {medians[1]:.2f} ms a turn, medians of {rounds}",
        f"{other} / this bot: {middle:.2f} (half of the rounds {low:.2f} to {high:.2f})",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tree", type=Path, help="another checkout of this bot, instead of the textbook bot")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("quartiles take two rounds or more")
    for line in asyncio.run(compare(options.rounds, options.tree)):
        print(line)


if __name__ == "__main__":
    main()
