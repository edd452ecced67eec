"""The dispatcher's own watch: a backlog is no fault, a message that nobody takes up is one."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from memory.records import Turn
from tests.fakes.channels import until
from tests.wire.pipeline_rig import Pipeline, chat, echo, message, pipeline_at

LATE = 60.0


async def test_a_backlog_that_is_being_worked_off_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Turns are started a few at a time, so slots are free and messages old while all goes well."""
    looked = [0]

    async def slowly(pipeline: Pipeline, turn: Turn) -> None:
        looked[0] += (await pipeline.store.health()).runnable_oldest > LATE
        await echo(pipeline, turn)

    async with pipeline_at(
        tmp_path / "m.db", run_turn=slowly, max_concurrent=64, watch_every=0.001
    ) as pipeline:
        await pipeline.receive(*(message(chat(number), "a") for number in range(600)))
        pipeline.clock.jump(LATE)
        pipeline.start_dispatcher()
        await until(lambda: len(pipeline.turns) == 600)
    assert looked[0] > 10  # there was something to be mistaken about
    assert not pipeline.reports
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_message_that_nobody_takes_up_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with pipeline_at(tmp_path / "m.db", watch_every=0.01) as pipeline:
        await pipeline.receive(message(chat(1), "a"))
        pipeline.store.inbox.lanes._due.clear()  # the fault: the chat's turn was forgotten
        pipeline.clock.jump(LATE)
        pipeline.start_dispatcher()
        async with asyncio.timeout(10):
            while not pipeline.reports:  # noqa: ASYNC110  # the report signals nobody
                await asyncio.sleep(0.01)
        assert not pipeline.turns
    assert pipeline.reports[0][0] == "BACKLOG_OLD"
    assert "a message is stuck" in caplog.messages
