"""The real bot among strangers and failing neighbours. The runs go side by side, since most of them wait.

`python -m benchmarks.chaos` runs the same at full size.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.fuzz_runs import FuzzOutcome, fuzz_run
from tests.acceptance.load_runs import SlowOutcome, slow_clients_run
from tests.acceptance.trouble_runs import (
    AwayOutcome,
    DiskOutcome,
    ModelOutcome,
    can_mount,
    disk_full_run,
    hanging_model_run,
    telegram_away_run,
)

FUZZED = 1000
DAWDLERS = 40


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory, bot_server: Path) -> dict[str, Any]:
    """What each run showed, or the exception that ended it."""
    folder = tmp_path_factory.mktemp
    runs: dict[str, Coroutine[Any, Any, object]] = {
        "fuzz": fuzz_run(folder("fuzz"), updates=FUZZED, server=bot_server),
        "slow": slow_clients_run(folder("slow"), each=DAWDLERS, seconds=40.0, server=bot_server),
        "away": telegram_away_run(folder("away"), chats=5, pause=1.0, server=bot_server),
        "model": hanging_model_run(folder("model"), chats=4, patience=1.0, server=bot_server),
    }
    if can_mount():
        runs["disk"] = disk_full_run(folder("disk"))
    return asyncio.run(_side_by_side(runs))


async def _side_by_side(runs: dict[str, Coroutine[Any, Any, object]]) -> dict[str, Any]:
    results = await asyncio.gather(*map(_bounded, runs.values()), return_exceptions=True)
    return dict(zip(runs, results, strict=True))


async def _bounded(run: Coroutine[Any, Any, object]) -> object:
    async with asyncio.timeout(90.0):
        return await run


def _outcome(outcomes: dict[str, Any], name: str) -> Any:
    if isinstance(outcomes[name], BaseException):
        raise outcomes[name]
    return outcomes[name]


def test_spoilt_updates_harm_nobody(outcomes: dict[str, Any]) -> None:
    outcome: FuzzOutcome = _outcome(outcomes, "fuzz")
    assert outcome.offered == FUZZED
    assert outcome.first_exception == ""
    assert outcome.refused == {}
    assert outcome.unanswered == 0
    assert outcome.exit_code == 0


def test_slow_clients_are_hung_up_on(outcomes: dict[str, Any]) -> None:
    outcome: SlowOutcome = _outcome(outcomes, "slow")
    assert outcome.opened == 2 * DAWDLERS
    assert outcome.still_open == 0
    assert set(outcome.latencies.statuses) == {200}


def test_the_page_works_without_telegram_and_telegram_catches_up(outcomes: dict[str, Any]) -> None:
    outcome: AwayOutcome = _outcome(outcomes, "away")
    assert len(outcome.page_replies) == 2
    assert outcome.arrived == outcome.asked
    assert outcome.most_copies == 1
    assert outcome.in_order
    assert outcome.ready_when_back == 200


def test_a_hanging_model_leaves_nobody_without_an_answer(outcomes: dict[str, Any]) -> None:
    outcome: ModelOutcome = _outcome(outcomes, "model")
    assert len(outcome.seconds) == 4
    assert outcome.empty == 0
    assert outcome.asked_of_model >= 1


def test_a_full_disk_refuses_honestly_and_recovers(outcomes: dict[str, Any]) -> None:
    if "disk" not in outcomes:
        pytest.skip("this machine lets nobody mount a small disk (unshare -rm)")
    outcome: DiskOutcome = _outcome(outcomes, "disk")
    assert outcome.statuses_when_full.statuses[503] >= 5
    assert outcome.false_acknowledgements == 0
    assert outcome.replies_when_full >= 1
    assert outcome.alive
    assert outcome.exit_code == 0
