"""How cost grows: with the turns of a chat, with the sessions in memory, with the sessions on disk.

Runs in a process of its own, without Telegram, from question to committed answer, and prints JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import os
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import psutil
import uvloop

from benchmarks.questions import question
from config.settings import ROOT, Settings, harden_libraries
from memory.indexing import rebuild

MARKS = (1, 10, 50, 200, 500)
WINDOW = 10  # turns around a mark that are averaged
SEEDS = 100  # chats that really talk before they are copied
_FIRST_SEED = 100  # all their names are of the same length
_KIB = 1024
# What a chat leaves on disk: table, the column that names the chat, the column that numbers rows by itself.
_PER_CHAT = (
    ("sessions", "chat", ""),
    ("profiles", "chat", ""),
    ("checkpoints", "thread_id", ""),
    ("exchanges", "chat", "id"),
)
Row = dict[str, float]


class Talker(Protocol):
    """A bot without its channel."""

    async def ask(self, chat: str, text: str) -> None:
        """One turn, everything committed."""
        ...


class Ours:
    """Our pipeline with the terminal as its channel."""

    def __init__(self, core: Any) -> None:
        from bot.answering import build_runner
        from bot.app import build_intake
        from bot.cli.ask import TerminalChannel
        from bot.thinking import build_mind

        core.add_channel(TerminalChannel())
        self.core = core
        self.mind = build_mind(core)
        self._intake = build_intake(core, burst_window=0.0)
        self._runner = build_runner(core, self.mind)
        self._number = time.time_ns()

    @classmethod
    @asynccontextmanager
    async def opened(cls, database: Path) -> AsyncIterator[Ours]:
        from bot.assembly import open_core
        from bot.collector import settle

        async with AsyncExitStack() as stack:
            core = await open_core(stack, Settings.load(None), database=database)
            ours = cls(core)
            settle()
            yield ours

    async def ask(self, chat: str, text: str) -> None:
        from domain.messages import ChatKey, InboundMessage, MessageKind, Sender
        from memory.records import SendState, Settlement

        self._number += 1
        store, now = self.core.store, self.core.clock()
        key = ChatKey("ask", "terminal", chat)
        message = InboundMessage(
            key, str(self._number), MessageKind.TEXT, text, Sender(chat), sent_at=now, received_at=now
        )
        await self._intake.accept((message,))
        for turn in await store.inbox.claim(1, wait=5.0):
            await self._runner.run(turn)
        for part in await store.outbox.claim(1, wait=5.0):
            await store.outbox.settle(part, Settlement(SendState.SENT, platform_id="1"))


class Textbook:
    """The textbook agent over its saver."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent

    @classmethod
    @asynccontextmanager
    async def opened(cls, database: Path) -> AsyncIterator[Textbook]:
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        from benchmarks.peers.textbook import build_agent

        async with AsyncSqliteSaver.from_conn_string(str(database)) as saver:
            yield cls(build_agent(saver, str(Settings.load(None).openai_base_url), ROOT / "data"))

    async def ask(self, chat: str, text: str) -> None:
        asked = {"messages": [{"role": "user", "content": text}]}
        await self._agent.ainvoke(asked, config={"configurable": {"thread_id": chat}})


async def turns(bot: Talker, database: Path, model: str, most: int) -> dict[str, Row]:
    """Milliseconds, database bytes and prompt tokens per turn, around each mark of one long talk."""
    found: dict[str, Row] = {}
    number = 0
    async with aiohttp.ClientSession() as http:
        for mark in (mark for mark in MARKS if mark <= most):
            while number < mark - 1:
                await bot.ask("1", question(number))
                number += 1
            taken: list[float] = []
            size, tokens = used_bytes(database), await _tokens(http, model)
            cpu = time.process_time()
            for _ in range(WINDOW if mark > 1 else 1):
                started = time.perf_counter()
                await bot.ask("1", question(number))
                taken.append((time.perf_counter() - started) * 1000)
                number += 1
            found[str(mark)] = {
                "ms": statistics.median(taken),
                "cpu_ms": (time.process_time() - cpu) * 1000 / len(taken),
                "bytes": (used_bytes(database) - size) / len(taken),
                "tokens": (await _tokens(http, model) - tokens) / len(taken),
            }
    return found


async def idle_ours(database: Path, sessions: int, each: int) -> Row:
    """Resident memory with so many sessions of `each` turns, of which this process served the last one.

    The turns before are copies on disk: from question to answer they would take minutes.
    """
    seeds = range(_FIRST_SEED, _FIRST_SEED + min(SEEDS, sessions))
    async with Ours.opened(database) as bot:
        await _all_talk(bot, list(map(str, seeds)), each - 1)
    copies = sessions // len(seeds) - 1
    _multiply(database, copies)
    async with Ours.opened(database) as bot:
        chats = [f"{copy}-{seed}" for copy in range(copies) for seed in seeds]
        found = await _weighed(bot, [*map(str, seeds), *chats], 1)
        bot.mind.states.shrink()  # what the memory watch does when memory is short
        return found | {"shrunk_mib": _rss() / _KIB / _KIB}


async def _weighed(bot: Talker, chats: Sequence[str], each: int) -> Row:
    """Resident memory after half of them have talked, and what each chat of the other half added.

    The first half warms everything up and fills the caches, which do not grow any more then.
    """
    half = len(chats) // 2
    await _all_talk(bot, chats[:half], each)
    before = _rss()
    await _all_talk(bot, chats[half:], each)
    return {
        "sessions": half,
        "rss_mib": before / _KIB / _KIB,
        "kib_per_session": (_rss() - before) / _KIB / (len(chats) - half),
    }


async def _all_talk(bot: Talker, chats: Sequence[str], each: int) -> None:
    """Each chat says its lines one after the other, 20 chats at a time."""

    numbers = itertools.count()

    async def talk(own: Sequence[str]) -> None:
        for chat in own:
            for _ in range(each):
                await bot.ask(chat, question(next(numbers)))

    await asyncio.gather(*(talk(chats[i::20]) for i in range(20)))


async def stored(database: Path, sessions: int) -> Row:
    """Start-up and turns of our bot beside so many stored sessions."""
    seeds = range(_FIRST_SEED, _FIRST_SEED + SEEDS)
    async with Ours.opened(database) as bot:
        await _all_talk(bot, list(map(str, seeds)), 1)
    copies = sessions // SEEDS - 1
    _multiply(database, copies)
    started = time.perf_counter()
    async with Ours.opened(database) as bot:
        opened = time.perf_counter() - started
        await _all_talk(bot, [f"new-{number}" for number in range(20)], 1)
        taken, cpu = [], time.process_time()
        for number, chat in enumerate(_spread(seeds, copies)):
            began = time.perf_counter()
            await bot.ask(chat, question(1000 + number))
            taken.append((time.perf_counter() - began) * 1000)
        return {
            "sessions": sessions,
            "start_s": opened,
            "p50_ms": statistics.median(taken),
            "cpu_ms": (time.process_time() - cpu) * 1000 / len(taken),
            "rss_mib": _rss() / _KIB / _KIB,
        }


def _spread(seeds: range, copies: int) -> Sequence[str]:
    """200 chats from everywhere among the stored ones; all of them twice when there are no copies."""
    if not copies:
        return [str(seed) for _ in range(2) for seed in seeds]
    return [f"{number * copies // 200}-{seeds[number % len(seeds)]}" for number in range(200)]


def _multiply(database: Path, copies: int) -> None:
    """Copy every chat's session, state, profile and exchanges to new chats.

    Indexed and checkpointed, as a bot that had grown so far would have left them.
    """
    with closing(sqlite3.connect(database)) as connection:
        with connection:
            _copy(connection, copies)
            rebuild(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _copy(connection: sqlite3.Connection, copies: int) -> None:
    for table, column, key in _PER_CHAT:
        connection.execute(f"CREATE TEMP TABLE seed_{table} AS SELECT * FROM {table}")
        if key:
            connection.execute(f"UPDATE seed_{table} SET {key} = NULL")
        for copy in range(copies):
            connection.execute(
                f"UPDATE seed_{table} SET {column} ="
                f" 'ask:terminal:' || ? || '-' || substr({column}, -{len(str(_FIRST_SEED))})",
                (copy,),
            )
            connection.execute(f"INSERT INTO {table} SELECT * FROM seed_{table}")


def used_bytes(database: Path) -> int:
    """Bytes of the database's pages that hold something."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        count, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return int((count - free) * size)


async def _tokens(http: aiohttp.ClientSession, model: str) -> int:
    async with http.get(model.removesuffix("/v1") + "/control/stats") as response:
        return int((await response.json())["tokens"])


def _rss() -> int:
    gc.collect()
    return int(psutil.Process(os.getpid()).memory_info().rss)


async def run(options: argparse.Namespace) -> Any:
    kind = Ours if options.bot == "ours" else Textbook
    if options.measure == "stored":
        return await stored(options.db, options.sessions)
    if options.measure == "idle" and kind is Ours:
        return await idle_ours(options.db, options.sessions, options.turns)
    async with kind.opened(options.db) as bot:
        if options.measure == "turns":
            return await turns(bot, options.db, str(Settings.load(None).openai_base_url), options.turns)
        return await _weighed(bot, [str(number) for number in range(options.sessions)], options.turns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure", choices=("turns", "idle", "stored"))
    parser.add_argument("--bot", choices=("ours", "textbook"), default="ours")
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=100)
    options = parser.parse_args()
    harden_libraries()
    print(json.dumps(uvloop.run(run(options))))


if __name__ == "__main__":
    main()
