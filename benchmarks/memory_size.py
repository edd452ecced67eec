"""Bytes on disk: 200 trimmed turns on our store and on the stock saver, then 10 000 turns on ours.

python -m benchmarks.memory_size
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from benchmarks.memory_graph import Rig, Scripts, build, chat, disk_bytes, figure, open_rig, run_turn

CHATS, TURNS = 20, 200
LONG_CHATS, LONG_TURNS, STEPS = 20, 10_000, 5
TARGET = 8 * 1024
# What a session itself owns on disk; the keys that recognise redelivered messages live for 8 days instead.
_STATE = (
    "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN"
    " ('checkpoints', 'checkpoint_writes', 'sessions', 'sessions_idle', 'checkpoints_run',"
    " 'sqlite_autoindex_checkpoints_1', 'sqlite_autoindex_checkpoint_writes_1')"
)


async def turns(rig: Rig, chats: int, count: int, *, start: int = 0) -> None:
    """So many turns in each of so many chats, side by side."""

    async def talk(number: int) -> None:
        for step in range(start, start + count):
            await rig.whole_turn(chat(number), at=float(step))

    await asyncio.gather(*(talk(number) for number in range(chats)))


def state_bytes(path: Path) -> int:
    """Pages of the tables and indexes of sessions and their states."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(_STATE).fetchone()[0])


async def ours(path: Path) -> tuple[int, int]:
    """State bytes and file bytes of one session after 200 turns."""
    async with open_rig(path) as rig:
        await turns(rig, CHATS, TURNS)
    return state_bytes(path) // CHATS, disk_bytes(path) // CHATS


async def stock(path: Path) -> int:
    """File bytes of one session on AsyncSqliteSaver with its defaults, the same trimmed talk."""
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        graph, scripts = build(saver), Scripts()
        for _ in range(TURNS):
            await run_turn(graph, str(chat(0)), scripts.next(str(chat(0))))
    return disk_bytes(path)


async def growth(path: Path) -> list[tuple[int, int, int]]:
    """(turns so far, state bytes, file bytes with WAL) along 10 000 turns."""
    seen, step = [], LONG_TURNS // LONG_CHATS // STEPS
    async with open_rig(path) as rig:
        for number in range(STEPS):
            await turns(rig, LONG_CHATS, step, start=number * step)
            seen.append((LONG_CHATS * step * (number + 1), state_bytes(path), disk_bytes(path)))
    return seen


async def rows() -> list[str]:
    """The figures as rows of the report."""
    with tempfile.TemporaryDirectory() as folder:
        state, whole = await ours(Path(folder) / "ours.db")
        theirs = await stock(Path(folder) / "stock.db")
        grown = await growth(Path(folder) / "long.db")
    first, last = grown[0], grown[-1]
    per_turn = (last[2] - first[2]) / (last[0] - first[0])
    return [
        figure(
            f"state on disk per live session, {TURNS} trimmed turns",
            f"{state:,} B (whole file {whole:,} B)",
            "<= 8,192 B",
            held=state <= TARGET,
        ),
        figure("the same on AsyncSqliteSaver, defaults", f"{theirs:,} B", "", held=True),
        figure(
            f"state of {LONG_CHATS} sessions: {first[0]:,} -> {last[0]:,} turns",
            f"{first[1]:,} -> {last[1]:,} B",
            "does not grow",
            held=last[1] <= first[1] * 1.1,
        ),
        figure(
            "whole file with WAL, the same turns",
            f"{first[2]:,} -> {last[2]:,} B ({per_turn:.0f} B per turn: dedupe keys, kept 8 days)",
            "<= 100 B per turn",
            held=per_turn <= 100,
        ),
    ]


if __name__ == "__main__":
    print("\n".join(asyncio.run(rows())))
