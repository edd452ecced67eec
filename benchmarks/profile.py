"""Where the time of a turn goes: a saturated bot under the sampler, as a table by part of the house.

A moment of CPU time belongs to the innermost frame that is ours to answer for: what aiohttp does for a model
call counts as the model call.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
from collections import Counter
from pathlib import Path

from benchmarks.procs import Child, spawn
from benchmarks.report import number, table
from benchmarks.rig import OURS, Rig, open_rig
from config.settings import ROOT

PARTS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("logs", r"logging/__init__|config/logs"),
        ("metrics", r"prometheus_client/|monitoring/"),
        ("model calls: HTTP, JSON, budget, breaker", r"agent/(model|calling|budget|breaker)\.py"),
        ("grounding and cleaning of drafts", r"agent/(grounding|figure\w*|drafts)\.py"),
        ("prompts and tools", r"agent/(prompting|tools)\.py"),
        ("fixed answers, language, shield", r"agent/(canned|intents|language|shield)\.py"),
        ("retrieval", r"/rag/"),
        (
            "sending: python-telegram-bot, HTTP, pacing",
            r"channels/telegram(_render)?\.py|bot/(sender|outlets)",
        ),
        ("receiving: polls, parsing, intake", r"channels/telegram_\w+\.py|bot/(intake|sanitising)"),
        (
            "state: checkpoints, codec, trimming",
            r"memory/(checkpoint\w*|serial\w*|compact|stag\w*|state_\w+)|trimming",
        ),
        ("store: transactions", r"/memory/|aiosqlite/"),
        ("graph nodes, embedded answers", r"agent/(nodes|embedded|answerer|work)\.py"),
        ("LangGraph and LangChain", r"langgraph/|langchain_core/|langsmith/"),
        ("turn, handlers, dispatcher", r"/handlers/|/bot/(?!__main__)"),
    )
)
LOOP = "event loop, sockets, the rest"


def part_of(stack: str) -> str:
    """The part of the house that a stack is charged to."""
    for frame in reversed(stack.split(";")):
        for name, pattern in PARTS:
            if pattern.search(frame):
                return name
    return LOOP


async def profile(chats: int, turns: int) -> tuple[Counter[str], float]:
    """Samples by part, and CPU milliseconds per turn."""
    async with open_rig() as rig:
        stacks = rig.folder / "stacks.txt"
        child = await _start(rig, stacks)
        try:
            await rig.load("--chats", "20", "--turns", "1", "--first-text", "50000")
            child.process.send_signal(signal.SIGUSR2)
            cpu = child.cpu()
            seen = await rig.load("--first-chat", "5000", "--chats", str(chats), "--turns", str(turns))
            cpu = child.cpu() - cpu
            child.process.send_signal(signal.SIGUSR2)
        finally:
            await child.stop()
        found: Counter[str] = Counter()
        for line in stacks.read_text(encoding="utf-8").splitlines():
            stack, _, count = line.rpartition(" ")
            found[part_of(stack)] += int(count)
        return found, cpu * 1000 / seen["answered"]


async def _start(rig: Rig, stacks: Path) -> Child:
    before = await rig.polls()
    command = ("-m", "benchmarks.sampler", str(stacks))
    child = await spawn("sampled", *command, folder=rig.folder, settings=rig.environment(OURS))
    while await rig.polls() <= before:
        if child.process.returncode is not None:
            raise RuntimeError(rig.log("sampled")[-2000:])
        await asyncio.sleep(0.05)
    return child


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chats", type=int, default=200)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "performance" / "profile.md")
    options = parser.parse_args()
    found, milliseconds = asyncio.run(profile(options.chats, options.turns))
    whole = sum(found.values())
    lines = [
        [name, f"{100 * count / whole:.1f} %", number(milliseconds * count / whole)]
        for name, count in found.most_common()
    ]
    text = "# Where the CPU time of a turn goes\n\n" + table(["", "share", "ms"], lines)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
