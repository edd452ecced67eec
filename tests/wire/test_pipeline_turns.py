"""From the inbox to the turn: order, merging, concurrency, failures, stops. Real store, real tasks."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bot.dispatcher import LAST_ATTEMPT, Dispatcher
from bot.intake import IntakeLimits
from domain.errors import StoreUnavailable
from domain.messages import Reply
from memory.records import Turn, TurnCommit
from monitoring.metrics import Metrics
from tests.fakes.channels import ScriptedChannel, until
from tests.wire.pipeline_rig import ACCOUNT, Clock, Pipeline, chat, echo, message, pipeline_at, rows


def _texts(turn: Turn) -> list[str]:
    return [stored.message.text for stored in turn.messages]


async def test_five_quick_texts_become_one_turn_and_one_reply(tmp_path: Path) -> None:
    phone = ScriptedChannel(account=ACCOUNT)
    limits = IntakeLimits(burst_window=0.4)
    async with pipeline_at(tmp_path / "m.db", phone, limits=limits) as pipeline:
        pipeline.start()
        for number in range(5):
            await pipeline.receive(message(chat(1), f"t{number}"))
            await asyncio.sleep(0.03)
        await until(lambda: bool(phone.got))
        await asyncio.sleep(0.1)
    assert [_texts(turn) for turn in pipeline.turns] == [["t0", "t1", "t2", "t3", "t4"]]
    assert phone.texts() == ["re: t0 | t1 | t2 | t3 | t4"]


async def test_texts_that_arrive_while_a_turn_runs_share_the_next_one(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def wait(pipeline: Pipeline, turn: Turn) -> None:
        await gate.wait()
        await echo(pipeline, turn)

    async with pipeline_at(tmp_path / "m.db", run_turn=wait) as pipeline:
        pipeline.start()
        await pipeline.receive(message(chat(1), "first"))
        await until(lambda: len(pipeline.turns) == 1)
        await pipeline.receive(message(chat(1), "second"))
        await pipeline.receive(message(chat(1), "third"))
        gate.set()
        await until(lambda: len(pipeline.turns) == 2)
    assert [_texts(turn) for turn in pipeline.turns] == [["first"], ["second", "third"]]


async def test_commands_are_never_merged(tmp_path: Path) -> None:
    async with pipeline_at(tmp_path / "m.db") as pipeline:
        await pipeline.receive(*(message(chat(1), text) for text in ("a", "b", "/aide", "c", "d")))
        pipeline.start()
        await until(lambda: len(pipeline.turns) == 3)
    assert [_texts(turn) for turn in pipeline.turns] == [["a", "b"], ["/aide"], ["c", "d"]]


async def test_a_storm_of_copies_is_one_turn(tmp_path: Path) -> None:
    phone = ScriptedChannel(account=ACCOUNT)
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        pipeline.start()
        copies = [message(chat(n), "q", external_id=f"same-{n}") for n in range(10) for _ in range(20)]
        accepted = await asyncio.gather(*(pipeline.intake.accept((copy,)) for copy in copies))
        await until(lambda: len(phone.got) == 10)
        await asyncio.sleep(0.1)
    assert sum(each.new for each in accepted) == 10
    assert sum(each.duplicate for each in accepted) == 190
    assert len(pipeline.turns) == len(phone.got) == 10


async def test_one_turn_per_chat_and_a_bound_over_all_chats(tmp_path: Path) -> None:
    running: Counter[str] = Counter()
    most = {"chat": 0, "all": 0}
    order: dict[str, list[str]] = defaultdict(list)

    async def count(pipeline: Pipeline, turn: Turn) -> None:
        running[turn.key.chat] += 1
        most["chat"] = max(most["chat"], running[turn.key.chat])
        most["all"] = max(most["all"], running.total())
        await asyncio.sleep(0.002)
        order[turn.key.chat] += _texts(turn)
        running[turn.key.chat] -= 1
        await echo(pipeline, turn)

    async with pipeline_at(tmp_path / "m.db", run_turn=count, max_concurrent=4) as pipeline:
        pipeline.start()
        for number in range(12):
            await pipeline.receive(*(message(chat(n), f"/c{number}") for n in range(10)))
        await until(lambda: sum(map(len, order.values())) == 120)
    assert most["chat"] == 1
    assert 2 <= most["all"] <= 4
    assert all(said == [f"/c{number}" for number in range(12)] for said in order.values())


async def test_a_backlog_is_claimed_many_at_a_time_in_its_order(tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []
    async with pipeline_at(tmp_path / "m.db", max_concurrent=200) as pipeline:
        claim = pipeline.store.inbox.claim

        async def noted(limit: int, *, wait: float) -> Sequence[Turn]:
            turns = await claim(limit, wait=wait)
            asked.append((limit, len(turns)))
            return turns

        pipeline.store.inbox.claim = noted  # type: ignore[method-assign]
        await pipeline.receive(*(message(chat(n), "q") for n in range(100)))
        pipeline.start()
        await until(lambda: len(pipeline.turns) == 100)
        await pipeline.receive(message(chat(1), "alone"))
        await until(lambda: len(pipeline.turns) == 101)
    assert [turn.key for turn in pipeline.turns[:100]] == [chat(n) for n in range(100)]
    assert asked[:3] == [(4, 4), (24, 24), (24, 24)]
    assert all(limit == (24 if taken == before else 4) for (before, taken), (limit, _) in pairwise(asked))


async def test_concurrency_follows_a_live_limit(tmp_path: Path) -> None:
    gate, running = asyncio.Event(), 0

    async def wait(pipeline: Pipeline, turn: Turn) -> None:
        nonlocal running
        running += 1
        await gate.wait()
        running -= 1
        await echo(pipeline, turn)

    async with pipeline_at(tmp_path / "m.db", run_turn=wait, max_concurrent=2) as pipeline:
        pipeline.start()
        await pipeline.receive(*(message(chat(n), "q") for n in range(12)))
        await until(lambda: running == 2)
        pipeline.dispatcher.limit(5)
        await until(lambda: running == 5)
        pipeline.dispatcher.limit(1)
        gate.set()
        await until(lambda: len(pipeline.turns) == 12)


async def test_a_flooding_chat_leaves_room_for_the_others(tmp_path: Path) -> None:
    finished: list[str] = []

    async def slow(pipeline: Pipeline, turn: Turn) -> None:
        await asyncio.sleep(0.01)
        await echo(pipeline, turn)
        finished.append(turn.key.chat)

    async with pipeline_at(tmp_path / "m.db", run_turn=slow, max_concurrent=2) as pipeline:
        await pipeline.receive(*(message(chat("flood"), f"/{'x' * (n + 1)}") for n in range(50)))
        pipeline.start()
        await until(lambda: len(finished) >= 3)
        await pipeline.receive(*(message(chat(n), "q") for n in range(10)))
        await until(lambda: len(finished) == 60)
    last_of_others = max(place for place, name in enumerate(finished) if name != "flood")
    assert last_of_others < 30  # they took turns with the flood instead of standing behind it


async def test_a_crashing_turn_is_run_again_and_stops_nobody_else(tmp_path: Path) -> None:
    async def fail_once(pipeline: Pipeline, turn: Turn) -> None:
        if _texts(turn) == ["first"] and turn.attempt == 1:
            raise RuntimeError("a bug")
        await echo(pipeline, turn)

    phone = ScriptedChannel(account=ACCOUNT)
    async with pipeline_at(tmp_path / "m.db", phone, run_turn=fail_once) as pipeline:
        pipeline.start()
        await pipeline.receive(message(chat("bad"), "first"))
        await until(lambda: len(pipeline.turns) == 1)
        await pipeline.receive(message(chat("bad"), "/second"), message(chat("good"), "q"))
        await until(lambda: len(phone.got) == 1)
        assert phone.texts() == ["re: q"]
        pipeline.clock.jump(2.0)
        await until(lambda: len(phone.got) == 3)
    assert phone.texts("bad") == ["re: first", "re: /second"]
    assert [turn.attempt for turn in pipeline.turns if turn.key.chat == "bad"] == [1, 2, 1]


async def test_a_turn_that_always_crashes_is_parked_in_the_end(tmp_path: Path) -> None:
    async def fail(pipeline: Pipeline, turn: Turn) -> None:
        if _texts(turn) == ["/poison"]:
            raise RuntimeError("a bug")
        await echo(pipeline, turn)

    async with pipeline_at(tmp_path / "m.db", run_turn=fail) as pipeline:
        pipeline.start()
        await pipeline.receive(message(chat(1), "/poison"), message(chat(1), "/fine"))
        for attempt in range(1, LAST_ATTEMPT + 1):
            await until(lambda wanted=attempt: len(pipeline.turns) >= wanted)  # type: ignore[misc]
            await asyncio.sleep(0.02)
            pipeline.clock.jump(120.0)
        await until(lambda: len(pipeline.turns) == LAST_ATTEMPT + 1)
        letters = await pipeline.store.editors.dead_letters(10)
    assert _texts(pipeline.turns[-1]) == ["/fine"]
    assert [letter.source for letter in letters] == ["inbox"]
    assert pipeline.reports == [("TURN_PARKED", "telegram, RuntimeError")]


async def test_trouble_of_the_store_costs_the_turn_no_attempt(tmp_path: Path) -> None:
    async def full(pipeline: Pipeline, turn: Turn) -> None:
        if len(pipeline.turns) <= 4:
            raise StoreUnavailable("the disk is full")
        await echo(pipeline, turn)

    phone = ScriptedChannel(account=ACCOUNT)
    async with pipeline_at(tmp_path / "m.db", phone, run_turn=full) as pipeline:
        pipeline.start()
        await pipeline.receive(message(chat(1), "q"))
        for attempt in range(1, 5):
            await until(lambda wanted=attempt: len(pipeline.turns) >= wanted)  # type: ignore[misc]
            await asyncio.sleep(0.02)
            pipeline.clock.jump(2.0)
        await until(lambda: len(phone.got) == 1)
    assert [turn.attempt for turn in pipeline.turns] == [1] * 5


async def test_drain_lets_running_turns_end_and_claims_no_more(tmp_path: Path) -> None:
    async def slow(pipeline: Pipeline, turn: Turn) -> None:
        await asyncio.sleep(0.3)
        await echo(pipeline, turn)

    async with pipeline_at(tmp_path / "m.db", run_turn=slow, max_concurrent=1) as pipeline:
        pipeline.start_dispatcher()
        await pipeline.receive(message(chat(1), "a"), message(chat(2), "b"))
        await until(lambda: pipeline.dispatcher.running == 1)
        await pipeline.dispatcher.drain(5.0)
        assert pipeline.dispatcher.running == 0
        assert len(pipeline.turns) == 1
        assert (await pipeline.store.health()).inbox_depth == 1


async def test_drain_gives_hanging_turns_back_unharmed(tmp_path: Path) -> None:
    async def hang(pipeline: Pipeline, turn: Turn) -> None:
        await asyncio.Event().wait()

    path = tmp_path / "m.db"
    async with pipeline_at(path, run_turn=hang) as pipeline:
        pipeline.start_dispatcher()
        await pipeline.receive(*(message(chat(n), "q") for n in range(5)))
        await until(lambda: pipeline.dispatcher.running == 5)
        await pipeline.dispatcher.drain(0.05)
        assert pipeline.dispatcher.running == 0
    assert rows(path, "SELECT attempts, lease FROM inbox") == [(0, None)] * 5
    phone = ScriptedChannel(account=ACCOUNT)
    async with pipeline_at(path, phone) as pipeline:
        pipeline.start()
        await until(lambda: len(phone.got) == 5)
    assert {turn.attempt for turn in pipeline.turns} == {1}


async def test_a_turn_whose_lease_was_lost_writes_nothing(tmp_path: Path) -> None:
    fenced: list[bool] = []

    async def twice(pipeline: Pipeline, turn: Turn) -> None:
        commit = TurnCommit(replies=(Reply("once"),))
        fenced.append(await pipeline.store.commit(turn, commit))
        fenced.append(await pipeline.store.commit(turn, commit))

    phone = ScriptedChannel(account=ACCOUNT)
    async with pipeline_at(tmp_path / "m.db", phone, run_turn=twice) as pipeline:
        pipeline.start()
        await pipeline.receive(message(chat(1), "q"))
        await until(lambda: len(fenced) == 2 and bool(phone.got))
    assert fenced == [True, False]
    assert phone.texts() == ["once"]


class _BlindInbox:
    """Finds no work although there is some: the bug the watch is there for."""

    async def claim(self, limit: int, *, wait: float) -> Sequence[Turn]:
        await asyncio.sleep(0.01)
        return ()


async def test_the_watch_reports_a_message_nobody_takes(tmp_path: Path) -> None:
    reports: list[tuple[str, str]] = []
    clock = Clock()

    async def never(turn: Turn) -> None:
        raise AssertionError

    async with pipeline_at(tmp_path / "m.db", clock=clock) as pipeline:
        await pipeline.receive(message(chat(1), "q"))
        blind: Any = SimpleNamespace(inbox=_BlindInbox(), health=pipeline.store.health)
        dispatcher = Dispatcher(
            blind,
            never,
            Metrics(),
            max_concurrent=1,
            report=lambda rule, value: reports.append((rule, value)),
            watch_every=0.02,
        )
        task = asyncio.create_task(dispatcher.run())
        await asyncio.sleep(0.1)
        assert reports == []
        clock.jump(6.0)
        await until(lambda: bool(reports))
        await dispatcher.drain(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert reports[0][0] == "BACKLOG_OLD"
