"""Turns leave nothing behind that only the garbage collector finds: each of its rounds holds up the loop."""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.breaker import Breaker
from monitoring.metrics import Metrics
from tests.fakes.openai import EMPTY, NOT_JSON, Step, fail, rag, refuse
from tests.wire.agent_rig import Rig, agent_rig

STRAY = 5  # objects; something of the test runner's own may end meanwhile, a turn that leaves any leaves more
QUESTIONS = (
    "j'ai {price} F, je veux internet pour la semaine",
    "et 2 Go à {price} F ?",
    "forfait illimité 24h",
    "comment ouvrir un compte airtel money",
    "merci",
)


@contextmanager
def kept_garbage() -> Iterator[Counter[str]]:
    """Counts by type, after the block, what it left in cycles."""
    found: Counter[str] = Counter()
    logging.disable()  # what the test runner keeps of the log keeps the errors in it alive
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found.update(type(thing).__name__ for thing in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
        logging.disable(logging.NOTSET)


async def ask(rig: Rig, chat: int) -> None:
    """A talk about a price of its own, so that no cache knows its questions."""
    for question in QUESTIONS:
        await rig.ask(question.format(price=chat * 505), chat=str(chat))


@pytest.mark.parametrize("with_model", [True, False], ids=["model", "embedded"])
async def test_turns_leave_no_garbage(with_model: bool) -> None:
    async with agent_rig(rag, with_model=with_model) as rig:
        await ask(rig, 1)
        with kept_garbage() as found:
            await ask(rig, 2)
            await ask(rig, 3)
        assert found.total() <= STRAY, found


@pytest.mark.parametrize("step", [fail(500), NOT_JSON, EMPTY, refuse(), fail(429, retry_after="0")])
async def test_a_failing_model_leaves_none_either(step: Step) -> None:
    breaker = Breaker(Metrics().breaker_open, threshold=1000)
    async with agent_rig([step], breaker=breaker) as rig:
        await rig.ask(chat="1")
        with kept_garbage() as found:
            await rig.ask(chat="2")
        assert rig.calls() == 4
        assert found.total() <= STRAY, found
