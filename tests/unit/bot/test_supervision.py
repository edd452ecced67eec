"""The supervisor: no task is forgotten, and a death is seen."""

from __future__ import annotations

import asyncio

import pytest

from bot.supervision import Supervisor


async def test_the_death_of_a_task_is_reported_by_name(caplog: pytest.LogCaptureFixture) -> None:
    async def dies() -> None:
        raise ValueError("broken")

    tasks = Supervisor()
    tasks.start("works", asyncio.sleep(3600))
    tasks.start("dies", dies())
    assert await asyncio.wait_for(tasks.wait_for_death(), 2) == "dies"
    assert "ValueError: broken" in caplog.text
    await tasks.stop_all()


async def test_a_task_that_may_end_ends_quietly() -> None:
    tasks = Supervisor()
    tasks.start("once", asyncio.sleep(0), may_end=True)
    await asyncio.sleep(0.01)
    assert tasks.dead == ""
    await tasks.stop_all()


async def test_stop_waits_until_tasks_are_gone() -> None:
    gone: list[str] = []

    async def cleans_up(name: str) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            gone.append(name)

    tasks = Supervisor()
    tasks.start("a", cleans_up("a"))
    tasks.start("b", cleans_up("b"))
    await asyncio.sleep(0)
    await tasks.stop("a")
    assert gone == ["a"]
    await tasks.stop_all()
    assert gone == ["a", "b"]
    assert tasks.dead == ""
