"""CPU that a checkpoint costs: what LangGraph asks of a saver in one turn, replayed in 100 chats.

The calls are recorded from real runs of one graph at the history limit, once as LangGraph makes them by
default and once with durability "exit", then replayed on the stock saver and on ours, commits included.
Model, graph and history trimming are thereby left out of both.

python -m benchmarks.memory_cpu
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from benchmarks.memory_graph import OurVersions, Scripts, build, figure, run_turn
from memory.checkpointer import Checkpointer
from memory.checkpoints import Checkpoints
from memory.opening import open_store
from memory.serializer import StateSerializer
from memory.sqlite import SqliteStore

CHATS, WARM, TURNS, ROUNDS = 100, 30, 5, 3
TARGET = 8.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call that LangGraph made of a saver."""

    name: str
    config: Any
    rest: tuple[Any, ...]


class Recorder(InMemorySaver):
    """Writes down what it is asked, then does it; its versions are those of the stock savers."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[list[Call]] = []

    async def aget_tuple(self, config: Any) -> Any:
        self.turns[-1].append(Call("aget_tuple", config, ()))
        return await super().aget_tuple(config)

    async def aput(self, config: Any, *rest: Any) -> Any:
        self.turns[-1].append(Call("aput", config, rest))
        return await super().aput(config, *rest)

    async def aput_writes(self, config: Any, *rest: Any) -> None:
        self.turns[-1].append(Call("aput_writes", config, rest))
        await super().aput_writes(config, *rest)


class OurRecorder(Recorder, OurVersions):
    """With the versions of our saver."""


async def record(saver: Recorder, **how: Any) -> list[list[Call]]:
    """The calls of some turns at the history limit."""
    scripts = Scripts()
    graph = build(saver)
    for _ in range(WARM + TURNS):
        saver.turns.append([])
        await run_turn(graph, "recorded", scripts.next("recorded"), **how)
    return saver.turns[WARM:]


def _of(config: Any, thread_id: str) -> Any:
    return {"configurable": {**_names(config), "thread_id": thread_id}}


def _names(config: Any) -> dict[str, Any]:
    wanted = ("checkpoint_ns", "checkpoint_id")
    return {name: config["configurable"][name] for name in wanted if name in config["configurable"]}


async def replay(saver: BaseCheckpointSaver[Any], calls: list[Call], thread_id: str) -> None:
    """One turn's calls, for another chat."""
    for call in calls:
        await getattr(saver, call.name)(_of(call.config, thread_id), *call.rest)


async def cpu_ms(turns: list[list[Call]], one: Callable[[list[Call], str], Awaitable[None]]) -> float:
    """CPU of the process per turn, in milliseconds, all chats side by side."""

    async def talk(number: int) -> None:
        for calls in turns:
            await one(calls, f"telegram:42:{number}")

    start = time.process_time()
    await asyncio.gather(*(talk(number) for number in range(CHATS)))
    return (time.process_time() - start) * 1000 / (CHATS * len(turns))


async def stock(turns: list[list[Call]], path: Path) -> float:
    """AsyncSqliteSaver as its documentation shows it."""
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        return await cpu_ms(turns, lambda calls, thread_id: replay(saver, calls, thread_id))


async def ours(turns: list[list[Call]], path: Path, *, cache_bytes: int) -> float:
    """Our saver inside a turn: staged, then written by a synced transaction of its own."""
    async with open_store(path) as store:
        saver = Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=cache_bytes)

        async def one(calls: list[Call], thread_id: str) -> None:
            with saver.staging(thread_id) as staged:
                await replay(saver, calls, thread_id)
                await _commit(store, staged.write)
                staged.keep()

        return await cpu_ms(turns, one)


async def _commit(store: SqliteStore, write: Any) -> None:
    # What a turn's commit does for its checkpoint, without the rest of the turn.
    await store.checkpoints._database.write(lambda connection: Checkpoints.write_in(connection, write))


async def rows() -> list[str]:
    """The figures as rows of the report; the best of some rounds on each side, taken in turn."""
    default, at_exit = await record(Recorder()), await record(OurRecorder(), durability="exit")
    theirs, cached, uncached = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            base = Path(folder)
            theirs.append(await stock(default, base / f"stock{number}.db"))
            cached.append(await ours(at_exit, base / f"cached{number}.db", cache_bytes=32 * 1024 * 1024))
            uncached.append(await ours(at_exit, base / f"uncached{number}.db", cache_bytes=0))
    ratio, bare = min(theirs) / min(cached), min(theirs) / min(uncached)
    calls = ", ".join(f"{sum(c.name == n for c in default[0])} {n}" for n in ("aput", "aput_writes"))
    return [
        figure(
            f"checkpoint CPU per turn, AsyncSqliteSaver defaults ({calls})",
            f"{min(theirs):.2f} ms",
            "",
            held=True,
        ),
        figure(
            f"the same, ours, {CHATS} chats side by side",
            f"{min(cached):.2f} ms: {ratio:.1f} times cheaper",
            ">= 8 times cheaper",
            held=ratio >= TARGET,
        ),
        figure(
            "the same with an empty cache", f"{min(uncached):.2f} ms: {bare:.1f} times cheaper", "", held=True
        ),
    ]


if __name__ == "__main__":
    print("\n".join(asyncio.run(rows())))
