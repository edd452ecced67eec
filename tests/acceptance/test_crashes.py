"""The real bot, killed and restarted under load: nothing lost, nothing answered twice, nothing out of order.

`python -m benchmarks.chaos` runs the same with a thousand kills.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.acceptance.crash_runs import Outcome, Plan, crash_run, truth
from tests.acceptance.load_runs import storm_run

KILLS = Plan(lives=6, chats=4)
STOPS = Plan(lives=2, chats=4, per_life=12, gently=True)


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory, bot_server: Path) -> list[tuple[str, ...]]:
    """The replies in a run without faults."""
    messages = max(KILLS.messages, STOPS.messages)
    return asyncio.run(truth(tmp_path_factory.mktemp("truth"), messages, bot_server))


async def test_killed_again_and_again(
    tmp_path: Path, wanted: list[tuple[str, ...]], bot_server: Path
) -> None:
    outcome = await crash_run(tmp_path, KILLS, wanted=wanted, server=bot_server)
    _check(outcome)
    assert outcome.verdict.most_copies <= 2


async def test_stopped_under_load_loses_and_repeats_nothing(
    tmp_path: Path, wanted: list[tuple[str, ...]], bot_server: Path
) -> None:
    outcome = await crash_run(tmp_path, STOPS, wanted=wanted, server=bot_server)
    _check(outcome)
    assert outcome.verdict.duplicates == 0
    assert outcome.verdict.parked == 0


async def test_a_storm_of_copies_across_a_crash_is_one_turn_each(tmp_path: Path, bot_server: Path) -> None:
    outcome = await storm_run(tmp_path, updates=30, copies=20, chats=15, server=bot_server)
    assert outcome.acknowledged == 600
    assert outcome.turns == 30
    assert outcome.unfinished == 0


def _check(outcome: Outcome) -> None:
    verdict = outcome.verdict
    assert verdict.faults == []
    assert verdict.acknowledged == outcome.plan.chats * outcome.plan.messages
    assert (verdict.lost, verdict.disorder, verdict.doubled_turns) == (0, 0, 0)
    assert outcome.odd_exits == []
    assert outcome.odd_statuses == {}
    assert outcome.crashes_logged == 0
    assert outcome.intact
