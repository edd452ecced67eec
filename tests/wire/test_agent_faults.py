"""A model server that fails in every way: the subscriber gets a right answer all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.breaker import Breaker
from agent.budget import Budget
from domain.answers import Answer, Origin
from domain.messages import ChatKey
from memory.opening import open_store
from memory.sqlite import SqliteStore
from monitoring.metrics import Metrics, total
from tests.fakes.openai import (
    CUT,
    EMPTY,
    HANG,
    HTML,
    NO_CHOICES,
    NOT_JSON,
    NOT_OBJECT,
    NULL,
    Body,
    Step,
    answer,
    call,
    fail,
    refuse,
)
from tests.wire.agent_rig import NOON, TRUE_DRAFT, agent_rig

TWICE = [fail(500), fail(503), CUT, NOT_JSON, NOT_OBJECT, NO_CHOICES, HTML, EMPTY, NULL, refuse()]
ONCE = [fail(400), fail(401), fail(404), fail(422), fail(429, retry_after="30"), fail(503, retry_after="60")]


def right(got: Answer) -> bool:
    """The embedded answer to the rig's question."""
    facts = ("400 Mo", "7 jours", "500 F", "*141*3#")
    return got.origin is Origin.EMBEDDED and all(fact in got.text for fact in facts) and got.answered


@pytest.mark.parametrize("step", TWICE, ids=range(len(TWICE)))
async def test_a_failing_model_is_tried_twice(step: Step) -> None:
    async with agent_rig([step]) as rig:
        got = await rig.ask()
        assert right(got)
        assert rig.calls() == got.model_calls == 2
        assert [m.type for m in await rig.state()] == ["human", "ai"]


@pytest.mark.parametrize("step", ONCE, ids=range(len(ONCE)))
async def test_what_would_fail_again_is_tried_once(step: Step) -> None:
    async with agent_rig([step]) as rig:
        assert right(await rig.ask())
        assert rig.calls() == 1


@pytest.mark.parametrize("step", [*TWICE, fail(429, retry_after="0")], ids=range(len(TWICE) + 1))
async def test_one_failure_is_survived(step: Step) -> None:
    async with agent_rig([step, answer(TRUE_DRAFT)]) as rig:
        got = await rig.ask()
        assert (got.origin, got.text, got.model_calls) == (Origin.MODEL, TRUE_DRAFT, 2)


async def test_two_failures_of_one_turn_end_the_models_part_wherever_they_happen() -> None:
    script = [fail(500), call("search_offers", {"budget": 500}), NOT_JSON, answer(TRUE_DRAFT)]
    async with agent_rig(script) as rig:
        got = await rig.ask()
        assert right(got)
        assert (got.model_calls, got.tool_calls) == (3, 1)


async def test_a_silent_server_costs_two_attempts() -> None:
    async with agent_rig([HANG], attempt_timeout=0.15) as rig:
        assert right(await rig.ask())
        assert rig.calls() == 2


async def test_the_turn_ends_in_time_whatever_one_attempt_may_take() -> None:
    async with agent_rig([HANG], attempt_timeout=60, turn_timeout=0.5) as rig:
        got = await asyncio.wait_for(rig.ask(), 30)
        assert right(got)
        assert [m.type for m in await rig.state()] == ["human", "ai"]
        assert total(rig.metrics.model_calls, outcome="failed") == 1


async def test_a_server_killed_in_the_middle_of_a_call() -> None:
    async with agent_rig([call("search_offers", {"budget": 500}), HANG]) as rig:
        turn = asyncio.create_task(rig.ask())
        await rig.until_called(2)
        await rig.server.stop()
        assert right(await turn)
        assert right(await rig.ask(chat="2"))  # and nobody answers at that address any more


async def test_an_endless_tool_loop_is_stopped() -> None:
    async with agent_rig([call("search_offers", {"budget": 500})]) as rig:
        got = await rig.ask()
        assert right(got)
        assert rig.calls() == got.model_calls == 8


async def test_too_many_calls_at_once_all_get_a_result() -> None:
    many = Step(calls=tuple(("search_offers", {"budget": 500}) for _ in range(50)))
    async with agent_rig([many, answer(TRUE_DRAFT)]) as rig:
        got = await rig.ask()
        assert got.text == TRUE_DRAFT
        results = rig.tool_results()
        assert len(results) == 50
        assert sum(r.startswith("Erreur") for r in results) == 46
        assert got.tool_calls == 4


async def test_arguments_without_end_are_not_repeated() -> None:
    async with agent_rig([call("search_knowledge", {"query": "x" * 50_000})]) as rig:
        assert right(await rig.ask())
        assert rig.calls() == 1


async def test_the_breaker_opens_probes_once_and_closes() -> None:
    now = [0.0]
    metrics = Metrics()
    healthy = [False]

    def script(_: Body) -> Step:
        return answer(TRUE_DRAFT, delay=0.05) if healthy[0] else fail(500)

    breaker = Breaker(metrics.breaker_open, clock=lambda: now[0])
    async with agent_rig(script, breaker=breaker) as rig:
        for i in range(3):
            await rig.ask(chat=str(i))
        assert total(metrics.breaker_open) == 1
        assert rig.calls() == 5
        assert right(await rig.ask())
        assert rig.calls() == 5  # nobody waits for a server known to be down
        now[0] = 31
        await rig.ask()
        assert rig.calls() == 6  # the probe failed, its retry found the breaker open
        healthy[0], now[0] = True, 62
        several = await asyncio.gather(*(rig.ask(chat=str(i)) for i in range(5)))
        assert rig.calls() == 7  # one probe, the others answered without it
        assert sorted(got.origin for got in several) == [Origin.EMBEDDED] * 4 + [Origin.MODEL]
        assert total(metrics.breaker_open) == 0
        assert (await rig.ask()).origin is Origin.MODEL


async def test_a_server_that_says_when_is_left_alone_until_then() -> None:
    now = [0.0]
    breaker = Breaker(Metrics().breaker_open, clock=lambda: now[0])
    async with agent_rig([fail(429, retry_after="20"), answer(TRUE_DRAFT)], breaker=breaker) as rig:
        assert right(await rig.ask())
        assert right(await rig.ask(chat="2"))
        assert rig.calls() == 1
        now[0] = 21
        assert (await rig.ask()).origin is Origin.MODEL


async def test_a_refused_request_says_nothing_about_the_server() -> None:
    breaker = Breaker(Metrics().breaker_open, threshold=1)
    async with agent_rig([fail(400)], breaker=breaker) as rig:
        await rig.ask()
        assert not breaker.is_open


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "memory.db") as opened:
        yield opened


async def test_past_the_daily_budget_the_catalogue_answers(store: SqliteStore) -> None:
    alerts: list[str] = []
    budget = Budget(
        store.notes, daily=1000, per_chat=0, on_alert=lambda rule, _: alerts.append(rule), clock=lambda: NOON
    )
    async with agent_rig([answer(TRUE_DRAFT)], budget=budget) as rig:
        origins = [(await rig.ask(chat=str(i))).origin for i in range(6)]
        assert origins[0] is Origin.MODEL
        assert origins[-2:] == [Origin.EMBEDDED] * 2
        assert alerts == ["llm_daily_budget"]
        assert rig.calls() == origins.count(Origin.MODEL)
        assert right(await rig.ask())


async def test_a_subscribers_budget_is_his_own(store: SqliteStore) -> None:
    alerts: list[str] = []
    budget = Budget(
        store.notes, daily=0, per_chat=500, on_alert=lambda rule, _: alerts.append(rule), clock=lambda: NOON
    )
    async with agent_rig([answer(TRUE_DRAFT)], budget=budget) as rig:
        assert (await rig.ask()).origin is Origin.MODEL
        assert right(await rig.ask())
        assert (await rig.ask(chat="12")).origin is Origin.MODEL
        assert not budget.allows(ChatKey("web", "page", "1"))
        assert alerts == ["llm_chat_budget"]


async def test_a_lookup_of_what_was_counted() -> None:
    async with agent_rig([fail(500), answer(TRUE_DRAFT)]) as rig:
        got = await rig.ask()
        assert total(rig.metrics.model_calls, outcome="failed") == 1
        assert total(rig.metrics.model_calls, outcome="ok") == 1
        assert total(rig.metrics.tokens, direction="prompt") == got.prompt_tokens
        assert total(rig.metrics.tokens, direction="completion") == got.completion_tokens
