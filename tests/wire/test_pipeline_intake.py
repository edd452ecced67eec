"""What intake lets into the store, and what it tells subscribers it keeps out."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bot.intake import IntakeLimits
from domain.errors import StoreUnavailable
from domain.messages import Language, MessageKind
from memory.records import Profile
from tests.fakes.channels import ScriptedChannel, until
from tests.wire.pipeline_rig import ACCOUNT, bytes_on_disk, chat, message, pipeline_at

STEADY = IntakeLimits(burst_window=0.0)


async def test_secrets_are_masked_before_anything_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with pipeline_at(path) as pipeline:
        spoken = message(chat(1), "mon code est 4321, aidez-moi")
        shown = replace(
            message(chat(2), ""), kind=MessageKind.IMAGE, payload={"caption": "pin 4321", "id": "4321"}
        )
        await pipeline.receive(spoken, shown)
        pipeline.start_dispatcher()
        await until(lambda: len(pipeline.turns) == 2)
        on_disk = bytes_on_disk(path)
    assert b"4321, aidez" not in on_disk
    assert b"pin 4321" not in on_disk
    stored = {turn.key.chat: turn.messages[0].message for turn in pipeline.turns}
    assert stored["1"].text == "mon code est ****, aidez-moi"
    assert stored["1"].flags == ("pin",)
    assert stored["2"].payload == {"caption": "pin ****", "id": "4321"}


async def test_the_rate_limit_tells_a_chat_once(tmp_path: Path) -> None:
    phone = ScriptedChannel(account=ACCOUNT)
    limits = replace(STEADY, chat_rate_per_minute=5.0)
    async with pipeline_at(tmp_path / "m.db", phone, limits=limits) as pipeline:
        counts = [await pipeline.intake.accept((message(chat(1), f"/{n}x"),)) for n in range(30)]
        other = await pipeline.intake.accept((message(chat(2), "q"),))
        await pipeline.intake.drain()
        pipeline.start_sender()
        await until(lambda: bool(phone.got))
        await asyncio.sleep(0.05)
        assert phone.texts() == [pipeline.texts.get("pipeline.slow_down")]
        pipeline.clock.jump(61.0)
        later = await pipeline.intake.accept((message(chat(1), "q"),))
    assert sum(each.new for each in counts) == 5
    assert sum(each.refused for each in counts) == 25
    assert other.new == later.new == 1


async def test_copies_do_not_use_up_the_rate(tmp_path: Path) -> None:
    limits = replace(STEADY, chat_rate_per_minute=3.0)
    async with pipeline_at(tmp_path / "m.db", limits=limits) as pipeline:
        for _ in range(50):
            await pipeline.receive(message(chat(1), "q", external_id="same"))
        accepted = await pipeline.intake.accept((message(chat(1), "another"),))
    assert accepted.new == 1


async def test_a_full_backlog_refuses_and_tells_once(tmp_path: Path) -> None:
    limits = replace(STEADY, chat_rate_per_minute=6000.0, chat_backlog=5)
    async with pipeline_at(tmp_path / "m.db", limits=limits) as pipeline:
        first = await pipeline.intake.accept([message(chat(1), f"{n}") for n in range(8)])
        again = await pipeline.intake.accept([message(chat(1), "more")])
        await pipeline.intake.drain()
        parts = await pipeline.parts(chat(1))
    assert (first.new, first.refused, again.refused) == (5, 3, 1)
    assert [part.reply.text for part in parts] == [pipeline.texts.get("pipeline.slow_down")]


async def test_notices_speak_the_subscribers_language(tmp_path: Path) -> None:
    limits = replace(STEADY, chat_backlog=1)
    async with pipeline_at(tmp_path / "m.db", limits=limits) as pipeline:
        await pipeline.store.long_term.save_profile(Profile(chat(1), language=Language.HAUSA))
        await pipeline.receive(message(chat(1), "a"), message(chat(1), "b"))
        await pipeline.intake.drain()
        parts = await pipeline.parts(chat(1))
    assert [part.reply.text for part in parts] == [pipeline.texts.get("pipeline.slow_down", Language.HAUSA)]


async def test_while_memory_is_short_only_commands_pass(tmp_path: Path) -> None:
    async with pipeline_at(tmp_path / "m.db") as pipeline:
        pipeline.intake.shedding = True
        refused = await pipeline.intake.accept((message(chat(1), "question"),))
        passed = await pipeline.intake.accept((message(chat(1), "/stats"),))
        await pipeline.intake.drain()
        parts = await pipeline.parts(chat(1))
    assert (refused.refused, passed.new) == (1, 1)
    assert [part.reply.text for part in parts] == [pipeline.texts.get("pipeline.busy")]


async def test_what_could_be_a_replay_is_dropped_silently(tmp_path: Path) -> None:
    async with pipeline_at(tmp_path / "m.db") as pipeline:
        old = message(chat(1), "q", at=pipeline.clock() - 9 * 86_400)
        accepted = await pipeline.intake.accept((old,))
        await pipeline.intake.drain()
        assert (accepted.new, accepted.refused) == (0, 1)
        assert await pipeline.parts(chat(1)) == []


async def test_long_texts_are_cut_and_marked(tmp_path: Path) -> None:
    limits = IntakeLimits(max_text_chars=100, burst_window=0.0)
    async with pipeline_at(tmp_path / "m.db", limits=limits) as pipeline:
        await pipeline.receive(message(chat(1), "a" * 150), message(chat(2), "a" * 500))
        pipeline.start_dispatcher()
        await until(lambda: len(pipeline.turns) == 2)
    stored = {turn.key.chat: turn.messages[0].message for turn in pipeline.turns}
    assert len(stored["1"].text) == len(stored["2"].text) == 100
    assert stored["1"].flags == ("truncated",)
    assert set(stored["2"].flags) == {"truncated", "too_long"}


async def test_poison_in_every_field_is_stored_and_answered(tmp_path: Path) -> None:
    phone = ScriptedChannel(account=ACCOUNT)
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        pipeline.start()
        poison = message(chat(1), "a\ud800\x00b\u202e", external_id="id\ud800")
        payload = {"n": 2**80, "x": float("nan"), "\ud800": ["\x00"], "o": object()}
        await pipeline.receive(replace(poison, payload=payload))
        await until(lambda: bool(phone.got))
    assert phone.texts() == ["re: a\ufffdb"]


async def test_nothing_is_acknowledged_that_was_not_stored(tmp_path: Path) -> None:
    async with pipeline_at(tmp_path / "m.db") as pipeline:
        await pipeline.store.close()
        with pytest.raises(StoreUnavailable):
            await pipeline.receive(message(chat(1), "q"))


async def test_what_is_refused_lets_the_others_go_first(tmp_path: Path) -> None:
    """A chat that floods a busy bot waits for its answer while the turns of others take their steps."""
    rounds = 0

    async def work() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            time.sleep(0.005)  # noqa: ASYNC251  # a loop that is busy
            await asyncio.sleep(0)

    limits = IntakeLimits(burst_window=0.0, chat_rate_per_minute=1.0)
    async with pipeline_at(tmp_path / "m.db", limits=limits) as pipeline:
        await pipeline.receive(message(chat(1), "first"))
        await pipeline.receive(message(chat(1), "refused, and told so"))
        await pipeline.intake.drain()
        busy = asyncio.create_task(work())
        accepted = await pipeline.intake.accept([message(chat(1), "refused")])
        busy.cancel()
        assert accepted.refused == 1
    assert rounds >= 2
