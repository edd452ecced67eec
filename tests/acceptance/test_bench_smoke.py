"""The benchmarks still start, ask and count: all peers and our bot for a few turns each."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks import speed
from benchmarks.peers import sqlite_commits
from benchmarks.questions import mixed
from benchmarks.report import LABELS, write
from benchmarks.rig import ECHO_AIOGRAM, ECHO_PTB, OURS, TEXTBOOK, grow
from benchmarks.speed import Size

BOTS = (OURS, TEXTBOOK, ECHO_PTB, ECHO_AIOGRAM)


async def test_every_bot_answers_all_it_is_asked(tmp_path: Path) -> None:
    rows = await asyncio.gather(*(speed.saturate(bot, Size(chats=5, turns=2)) for bot in BOTS))
    found = dict(zip(BOTS, rows, strict=True))
    for bot, row in found.items():
        assert row["lost"] == 0, bot
        assert min(row["cpu_ms"], row["turns_per_second"], row["start_s"], row["rss"]) > 0, bot
    # Both bots with a model really search first and answer then, or their costs could not be compared.
    assert found[OURS]["calls"] == found[TEXTBOOK]["calls"] == 2
    bare = sqlite_commits.run(tmp_path / "bare.db", 5, 2)
    commits = {f"{kind}_{name}": value for kind in ("alone", "grouped") for name, value in bare.items()}
    write({"speed": found, "commits": commits}, tmp_path, rounds=1)
    page = (tmp_path / "performance" / "bench.md").read_text(encoding="utf-8")
    assert all(f"| {LABELS[bot]} |" in page for bot in BOTS)
    assert (tmp_path / "images" / "bench.png").stat().st_size > 10_000


async def test_a_long_talk_is_measured_from_turn_to_turn() -> None:
    found = await grow("turns", "--turns", "10")
    assert list(found) == ["1", "10"]
    assert all(min(row["ms"], row["tokens"]) > 0 for row in found.values())
    assert found["10"]["bytes"] > 0


def test_questions_differ_only_when_they_must() -> None:
    assert len(set(mixed(3000))) == 3000
    assert len(set(mixed(3000, unique=False))) == 10
