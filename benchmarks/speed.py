"""How much a turn costs and how long it takes: the bots one after the other, again and again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.procs import running
from benchmarks.rig import ECHO_AIOGRAM, ECHO_PTB, OURS, TEXTBOOK, Rig, open_rig

MODEL_SECONDS = 1.0
CACHED = "ours_cached"  # ours when all ask the same few questions
EMBEDDED = "ours_embedded"  # ours without a model
SATURATED = (OURS, TEXTBOOK, CACHED, EMBEDDED, ECHO_PTB, ECHO_AIOGRAM)
Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is asked. Each chat asks so often that no bot's pacing per chat holds it up."""

    chats: int = 160
    turns: int = 5
    busy_chats: int = 200
    busy_seconds: float = 12.0
    calm_chats: int = 10


async def saturate(name: str, size: Size) -> Row:
    """Fifty questions open at a time, and a model that answers at once: what a turn costs."""
    bot = name if name in {TEXTBOOK, ECHO_PTB, ECHO_AIOGRAM} else OURS
    settings = {"OPENAI_BASE_URL": ""} if name == EMBEDDED else {}
    repeat = ("--repeat",) if name == CACHED else ()
    async with open_rig(settings=settings) as rig:
        began = time.perf_counter()
        async with rig.bot(bot) as child:
            start = time.perf_counter() - began
            at_rest = child.rss()
            await rig.load("--chats", "20", "--turns", "1", "--first-text", "900000", *repeat)
            before, cpu = await rig.model_stats(), child.cpu()
            seen = await rig.load(
                "--first-chat", "5000", "--chats", str(size.chats), "--turns", str(size.turns), *repeat
            )
            await asyncio.sleep(0.3)  # the last sends are being settled
            cpu, after = child.cpu() - cpu, await rig.model_stats()
            turns = max(1.0, seen["answered"])
            return {
                "turns_per_second": seen["turns_per_second"],
                "cpu_ms": cpu * 1000 / turns,
                "lost": seen["lost"],
                "calls": (after["calls"] - before["calls"]) / turns,
                "tokens": (after["tokens"] - before["tokens"]) / turns,
                "start_s": start,
                "rss_start": at_rest,
                "rss": child.rss(),
            }


async def delay(bot: str, chats: int, seconds: float) -> Row:
    """What the bot adds to a model that takes a second for each call, with so many chats at once."""
    async with open_rig(delay=MODEL_SECONDS) as rig, rig.bot(bot) as child:
        await rig.load("--chats", "20", "--turns", "1", "--workers", "20", "--first-text", "900000")
        before, cpu = await rig.model_stats(), child.cpu()
        seen = await rig.load(*_talk(chats, seconds))
        after, cpu = await rig.model_stats(), child.cpu() - cpu
        answered = max(1.0, seen["answered"])
        waited = MODEL_SECONDS * 1000 * round((after["calls"] - before["calls"]) / answered)
        return {
            "p50_ms": seen["p50_ms"] - waited,
            "p99_ms": seen["p99_ms"] - waited,
            "turns_per_second": seen["turns_per_second"],
            "answered": answered,
            "cpu_ms": cpu * 1000 / answered,
            "cpu_share": cpu / seen["seconds"],
        }


def _talk(chats: int, seconds: float) -> Sequence[str]:
    """Subscribers who read an answer for half a second on average before they ask on."""
    return (
        "--first-chat", "5000", "--chats", str(chats), "--workers", str(chats), "--turns", "1000",
        "--seconds", str(seconds), "--think", "0.5", "--rest", "0.02",
    )  # fmt: skip


async def bare_commits() -> Row:
    """Turns a second and CPU of SQLite alone."""
    async with open_rig() as rig:
        return await _commits(rig)


async def _commits(rig: Rig) -> Row:
    command = ("-m", "benchmarks.peers.sqlite_commits", "--db", str(rig.folder / "bare.db"))
    async with running("sqlite_commits", *command, folder=rig.folder, output=True) as child:
        found = json.loads(await child.output(60))
    return {f"{kind}_{name}": value for kind, row in found.items() for name, value in row.items()}
