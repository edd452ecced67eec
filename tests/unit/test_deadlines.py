"""Limits that share one timer end each call in its own time, as `asyncio.timeout` would."""

from __future__ import annotations

import asyncio

import pytest

from transport.deadlines import Deadlines


async def _cut_after(deadlines: Deadlines, seconds: float | None, work: float = 5.0) -> float:
    """How long the work went on until it was cut; -1.0 when it ended by itself."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        with deadlines.within(seconds):
            await asyncio.sleep(work)
    except TimeoutError:
        return loop.time() - began
    return -1.0


async def test_each_call_is_cut_in_its_own_time() -> None:
    deadlines = Deadlines()
    limits = {30.0: 0.2, 0.1: 5.0, 40.0: 0.2, 0.05: 5.0}
    cut = await asyncio.gather(*(_cut_after(deadlines, limit, work) for limit, work in limits.items()))
    assert cut[0] == cut[2] == -1.0
    assert cut[1] >= 0.09
    assert cut[3] >= 0.04


async def test_a_call_after_one_that_ended_in_time_has_its_whole_time() -> None:
    deadlines = Deadlines()
    assert await _cut_after(deadlines, 0.1, work=0.06) == -1.0
    assert await _cut_after(deadlines, 0.1) >= 0.09
    assert await _cut_after(deadlines, 0.05, work=0.0) == -1.0


async def test_without_a_limit_nothing_is_cut() -> None:
    assert await _cut_after(Deadlines(), None, work=0.01) == -1.0


async def test_who_is_cancelled_hears_of_it_and_not_of_a_timeout() -> None:
    deadlines = Deadlines()
    task = asyncio.create_task(_cut_after(deadlines, 0.05))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.06)  # the timer rings for nobody


async def test_cancelled_when_its_time_is_up_as_well() -> None:
    """Whoever cancelled must find the task cancelled: the limit takes back its own cancelling only."""
    deadlines = Deadlines()
    loop = asyncio.get_running_loop()

    async def slow_to_go() -> None:
        with deadlines.within(0.02):
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                task.cancel()  # somebody else, meanwhile
                raise

    task = loop.create_task(slow_to_go())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_limits_within_limits() -> None:
    outer, inner = Deadlines(), Deadlines()
    with outer.within(1.0):
        with pytest.raises(TimeoutError), inner.within(0.02):
            await asyncio.sleep(5)
        await asyncio.sleep(0.01)  # the task goes on, its cancelling taken back
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_an_error_of_the_work_passes() -> None:
    with pytest.raises(KeyError), Deadlines().within(1.0):
        raise KeyError("x")


async def test_many_calls_set_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, timers = asyncio.get_running_loop(), []
    call_at = loop.call_at

    def counted(*args: object, **more: object) -> asyncio.TimerHandle:
        timers.append(args)
        return call_at(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_at", counted)
    deadlines = Deadlines()
    for _ in range(50):
        with deadlines.within(5.0):
            pass
    assert len(timers) == 1
