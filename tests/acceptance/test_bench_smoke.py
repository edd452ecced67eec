"""The benchmarks still start, ask and count: all peers and our bot for a few turns each."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks import losses, speed
from benchmarks.peers import sqlite_commits
from benchmarks.questions import mixed
from benchmarks.report import CROWD_LABELS, LABELS, LOSSES, write
from benchmarks.rig import ECHO_AIOGRAM, ECHO_PTB, OURS, TEXTBOOK, grow
from benchmarks.run import medians_of
from benchmarks.speed import CROWDS, WHATSAPP, Row, Size

BOTS = (OURS, TEXTBOOK, WHATSAPP, ECHO_PTB, ECHO_AIOGRAM)
pytestmark = pytest.mark.timeout(300)  # some twenty processes start here
LONG_AGO = {"ms": 9.0, "bytes": -4096.0, "tokens": 2500.0}


async def test_every_bot_answers_all_it_is_asked(tmp_path: Path) -> None:
    rows = await asyncio.gather(*(speed.saturate(bot, Size(chats=5, turns=2)) for bot in BOTS))
    found = dict(zip(BOTS, rows, strict=True))
    for bot, row in found.items():
        assert row["lost"] == 0, bot
        assert min(row["cpu_ms"], row["turns_per_second"], row["rss"], row["start_s"]) > 0, bot
        assert row["first_answer_s"] > 0, bot
        assert (row["http_s"] > 0) == (bot in {OURS, WHATSAPP}), bot
    # Both bots with a model really search first and answer then, or their costs could not be compared.
    assert found[OURS]["calls"] == found[TEXTBOOK]["calls"] == found[WHATSAPP]["calls"] == 2
    bare = sqlite_commits.run(tmp_path / "bare.db", 5, 2)
    commits = {f"{kind}_{name}": value for kind in ("alone", "grouped") for name, value in bare.items()}
    write({"speed": found, "commits": commits}, tmp_path, rounds=1)
    page = (tmp_path / "performance" / "bench.md").read_text(encoding="utf-8")
    assert all(f"| {LABELS[bot]} |" in page for bot in BOTS)
    assert (tmp_path / "images" / "bench.png").stat().st_size > 10_000


async def met(bot: str, crowd: Size) -> dict[str, Row]:
    async with speed.slow_model(bot) as crowds:
        await crowds.meet(crowd)
        return await crowds.meet(crowd)  # a second crowd finds a bot that answers it like the first


async def test_what_is_counted_and_weighed_is_there() -> None:
    crowd = Size(crowd=4, crowd_seconds=dict.fromkeys(CROWDS, 0.5))
    cut, added, long = await asyncio.gather(
        losses.failing_sends(OURS, "reset_processed", messages=10, chance=0.4),
        met(OURS, crowd),
        grow("turns", "--turns", "10"),
    )
    assert (cut["asked"], cut["lost"]) == (10, 0)
    assert cut["doubled"] > 0  # Telegram took them, but never said so
    assert set(added) == set(CROWDS)
    for row in added.values():
        assert row["calls"] == 2
        assert row["answered"] > 0
        assert row["model_ms"] >= 2 * speed.MODEL_SECONDS * 1000
        assert row["p50_ms"] <= row["p99_ms"]
    assert list(long) == ["1", "10"]
    assert all(min(row["ms"], row["tokens"]) > 0 for row in long.values())
    assert long["10"]["bytes"] > 0


def test_a_whole_page_shows_every_measure(tmp_path: Path) -> None:
    counts = {"asked": 60.0, "lost": 2.0, "told": 1.0, "doubled": 3.0}
    talk = {"p50_ms": 20.0, "p99_ms": 90.0, "turns_per_second": 28.0, "cpu_share": 0.3}
    lost = {**dict.fromkeys(LOSSES, counts), "burst": {"calls": 2.0}}
    found = {
        "delay": dict.fromkeys((OURS, TEXTBOOK), dict.fromkeys(CROWDS, talk)),
        "crowd": 200,
        "growth": {OURS: {"1": LONG_AGO, "500": LONG_AGO}, TEXTBOOK: {"200": LONG_AGO}},
        "stored": {"100000": {"start_s": 0.5, "p50_ms": 4.0, "cpu_ms": 4.0, "rss_mib": 160.0}},
        "idle": {OURS: {"sessions": 10_000.0, "rss_mib": 170.0, "kib_per_session": 0.5}},
        "losses": dict.fromkeys((OURS, TEXTBOOK), lost),
    }
    write(found, tmp_path, rounds=3)
    page = (tmp_path / "performance" / "bench.md").read_text(encoding="utf-8")
    assert all(label in page for label in (*LOSSES.values(), *CROWD_LABELS.values()))
    assert "| 100 000 | 0.5 | 4 | 4 | 160 |" in page
    assert "| 2 of 60 (1 told) | 2 of 60 (1 told) |" in page
    assert "| 6 | 6 |" in page
    assert "| this bot | 500 | 9 | -4 096 | 2 500 |" in page


def test_rounds_are_merged_by_the_median_of_each_figure() -> None:
    rounds = [{"1": {"ms": ms, "bytes": size}} for ms, size in ((1.0, 9.0), (5.0, 7.0), (2.0, 8.0))]
    assert medians_of(rounds) == {"1": {"ms": 2.0, "bytes": 8.0}}


def test_questions_differ_only_when_they_must() -> None:
    assert len(set(mixed(3000))) == 3000
    assert len(set(mixed(3000, unique=False))) == 10
