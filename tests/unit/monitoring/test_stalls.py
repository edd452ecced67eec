"""A loop that stands still is seen while it does, and where."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time

import pytest

from monitoring.metrics import Metrics
from monitoring.process import LoopProbe
from monitoring.stalls import StallWatch


def stalls(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if vars(record).get("action") == "loop_stall_stack"]


def hold_up_the_loop(seconds: float, secret: str) -> str:
    time.sleep(seconds)
    return secret


def wait_for(found: threading.Event) -> None:
    assert found.wait(20)


async def test_the_stack_of_a_blocked_loop_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    task = asyncio.create_task(LoopProbe(Metrics(), on_stall=lambda _: None).run())
    await asyncio.sleep(0.1)
    hold_up_the_loop(2.2, "mon code est zibeline")
    await asyncio.sleep(0.1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    (record,) = stalls(caplog)
    stack = vars(record)["stack"]
    assert stack.endswith(" hold_up_the_loop")
    assert "monitoring/test_stalls.py:" in stack
    assert " test_the_stack_of_a_blocked_loop_is_logged_once > " in stack
    assert "zibeline" not in f"{record.getMessage()}{vars(record)}"
    assert not [thread for thread in threading.enumerate() if thread.name == "stall-watch"]


def test_each_stall_is_told_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    told = threading.Event()

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.set()

    handler = Told()
    logging.getLogger("monitoring.stalls").addHandler(handler)
    try:
        with StallWatch(0.05) as watch:
            for _ in range(2):
                told.clear()
                watch.beat()
                wait_for(told)  # as long as it takes: the thread tells, not the clock
    finally:
        logging.getLogger("monitoring.stalls").removeHandler(handler)
    assert len(stalls(caplog)) == 2
    assert all(" wait_for > " in vars(record)["stack"] for record in stalls(caplog))
