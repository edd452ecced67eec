"""How much a turn costs and how long it takes: the bots one after the other, again and again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.procs import Child, running
from benchmarks.questions import question
from benchmarks.rig import ECHO_AIOGRAM, ECHO_PTB, OURS, TEXTBOOK, Rig, open_rig

MODEL_SECONDS = 1.0
CACHED = "ours_cached"  # ours when all ask the same few questions
EMBEDDED = "ours_embedded"  # ours without a model
WHATSAPP = "ours_whatsapp"
SATURATED = (OURS, TEXTBOOK, CACHED, EMBEDDED, WHATSAPP, ECHO_PTB, ECHO_AIOGRAM)
CROWD = 200  # chats at once, from the figures to reach
# The two crowds, by the mean seconds between an answer and the next question.
CROWDS = {"in_a_turn": 0.0, "reading": 5.0}
SETTLING_SECONDS = 0.3  # after a load: the last sends are being settled
_LEAST_CHATS = 40
FIRST_QUESTION = 800_000  # asked by nobody else, so that no cache knows it
Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is asked. So many chats that each asks less than once a second: else Telegram's limit per
    chat, which our bot keeps, would be measured.
    """

    chats: int = 240
    turns: int = 5
    crowd: int = CROWD
    crowd_seconds: Mapping[str, float] = field(default_factory=lambda: {"in_a_turn": 6.0, "reading": 10.0})

    def chats_of(self, name: str) -> int:
        """The slow one gets fewer chats, which ask as often as all others: a round must end."""
        share = 0.2 if name == TEXTBOOK else 1.0
        return max(min(self.chats, _LEAST_CHATS), round(self.chats * share))


async def saturate(name: str, size: Size) -> Row:
    """Fifty questions open at a time, and a model that answers at once: what a turn costs."""
    bot = name if name in {TEXTBOOK, ECHO_PTB, ECHO_AIOGRAM} else OURS
    settings = {"OPENAI_BASE_URL": ""} if name == EMBEDDED else {}
    repeat = ("--repeat",) if name == CACHED else ()
    chats = ("--chats", str(size.chats_of(name)), "--turns", str(size.turns))
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(open_rig(settings=settings, graph=name == WHATSAPP))
        await rig.push((1, question(FIRST_QUESTION)))  # waits at Telegram for the bot to come up
        child = await stack.enter_async_context(rig.bot(bot))
        first_answer, at_rest = await rig.first_answer(), child.rss()
        await rig.load("--chats", "20", "--turns", "1", "--first-text", "900000", *repeat)
        before, cpu = await rig.model_stats(), child.cpu()
        seen = await rig.load("--first-chat", "5000", *chats, *repeat)
        await asyncio.sleep(SETTLING_SECONDS)
        cpu, after = child.cpu() - cpu, await rig.model_stats()
        turns = max(1.0, seen["answered"])
        return {
            "turns_per_second": seen["turns_per_second"],
            "cpu_ms": cpu * 1000 / turns,
            "lost": seen["lost"],
            "calls": (after["calls"] - before["calls"]) / turns,
            "tokens": (after["tokens"] - before["tokens"]) / turns,
            "start_s": rig.starts[0].poll,
            "http_s": rig.starts[0].http,
            "first_answer_s": first_answer,
            "rss_start": at_rest,
            "rss": child.rss(),
        }


class Crowds:
    """A running bot whose model takes a second for each call; crowds come to it again and again."""

    def __init__(self, rig: Rig, child: Child) -> None:
        self._rig = rig
        self._child = child
        self._met = 0

    async def meet(self, size: Size) -> dict[str, Row]:
        """What the bot adds to its model, by crowd. Each crowd is new and asks what nobody asked before."""
        found = {}
        rig, child = self._rig, self._child
        for crowd, think in CROWDS.items():
            self._met += 1
            before, cpu = await rig.model_stats(), child.cpu()
            seen = await rig.load(*_talk(size, self._met, think, size.crowd_seconds[crowd]))
            after, cpu = await rig.model_stats(), child.cpu() - cpu
            found[crowd] = _added(before, after, seen) | {"cpu_share": cpu / seen["seconds"]}
        return found


@asynccontextmanager
async def slow_model(bot: str) -> AsyncIterator[Crowds]:
    """The bot, warm. It costs nothing while nobody asks, so both bots may wait for their next round."""
    async with open_rig(delay=MODEL_SECONDS) as rig, rig.bot(bot) as child:
        await rig.load("--chats", "20", "--turns", "1", "--workers", "20", "--first-text", "900000")
        yield Crowds(rig, child)


def _added(before: Row, after: Row, seen: Row) -> Row:
    """Latencies less what the model server itself says that it took for the calls of a turn."""
    answered = max(1.0, seen["answered"])
    waited = (after["seconds"] - before["seconds"]) * 1000 / answered
    return {
        "p50_ms": seen["p50_ms"] - waited,
        "p99_ms": seen["p99_ms"] - waited,
        "model_ms": waited,
        "calls": (after["calls"] - before["calls"]) / answered,
        "turns_per_second": seen["turns_per_second"],
        "answered": answered,
        "lost": seen["lost"],
    }


def _talk(size: Size, number: int, think: float, seconds: float) -> Sequence[str]:
    """Chats that begin one after the other over the time of one turn and one pause, as crowds do."""
    return (
        "--first-chat", str(number * 10_000), "--first-text", str(number * 100_000),
        "--chats", str(size.crowd), "--workers", str(size.crowd), "--turns", "1000",
        "--seconds", str(seconds), "--think", str(think), "--rest", "0.02",
        "--ramp", str(min(seconds / 2, think + 2 * MODEL_SECONDS)),
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
