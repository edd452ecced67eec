"""Sends that must wait, come too late, or are cut off by a stop."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from pathlib import Path

import pytest

from channels.base import Pacing
from domain.errors import (
    NotSent,
)
from domain.messages import Language, Purpose
from memory.records import Profile
from tests.fakes.channels import ScriptedChannel, Step, until
from tests.wire.pipeline_rig import ACCOUNT, Clock, chat, phone_of, pipeline_at


async def test_a_slow_platform_delays_no_other_and_is_bounded(tmp_path: Path) -> None:
    slow, fast = phone_of(default=lambda: 30.0), phone_of(channel="whatsapp")
    async with pipeline_at(tmp_path / "m.db", slow, fast) as pipeline:
        for number in range(60):
            await pipeline.say(chat(number), "a")
        pipeline.start_sender()
        await until(lambda: slow.in_flight == 32)
        await pipeline.say(chat(1, "whatsapp"), "b")
        await until(lambda: len(fast.got) == 1)
        assert slow.most_in_flight == 32
        assert slow.got == []


async def test_a_chat_beyond_its_pace_waits_alone(tmp_path: Path) -> None:
    phone = phone_of()
    phone.pacing = Pacing(global_rate=1e6, global_burst=1e6, chat_rate=0.5, chat_burst=3.0)
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        await pipeline.say(chat("flood"), *(f"{n}" for n in range(9)))
        for number in range(20):
            await pipeline.say(chat(number), "a", "b")
        pipeline.start_sender()
        await until(lambda: len(phone.got) == 43)
        assert phone.texts("flood") == ["0", "1", "2"]
        pipeline.clock.jump(2.0)
        await until(lambda: len(phone.got) == 44)
        assert phone.texts("flood") == ["0", "1", "2", "3"]
        waiting = (await pipeline.parts(chat("flood")))[4]
    assert waiting.attempts <= 1  # waiting costs no attempt


async def test_an_account_beyond_its_pace_never_claims_what_it_cannot_send(tmp_path: Path) -> None:
    phone = phone_of()
    phone.pacing = Pacing(global_rate=0.5, global_burst=4.0, chat_rate=1e6, chat_burst=1e6)
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        for number in range(10):
            await pipeline.say(chat(number), "a")
        pipeline.start_sender()
        await until(lambda: len(phone.got) == 4)
        states = Counter([(await pipeline.states(chat(number)))[0] for number in range(10)])
        assert states == {"sent": 4, "pending": 6}
        pipeline.clock.jump(2.0)
        await until(lambda: len(phone.got) == 5)


async def test_a_late_answer_becomes_one_apology(tmp_path: Path) -> None:
    phone, page = phone_of(NotSent("refused")), phone_of(channel="web")
    async with pipeline_at(tmp_path / "m.db", phone, page) as pipeline:
        await pipeline.store.long_term.save_profile(Profile(chat(1), language=Language.ENGLISH))
        await pipeline.say(chat(1), "a", "b")
        await pipeline.say(chat(1), "a notice stays", purpose=Purpose.NOTICE)
        await pipeline.say(chat(1, "web"), "a", "b")
        pipeline.clock.jump(601.0)
        await pipeline.say(chat(1), "fresh")
        pipeline.start_sender()
        await pipeline.wait_states(chat(1), "sent", "dead", "sent", "sent")
        await until(lambda: len(page.got) == 2)
    apology = pipeline.texts.get("pipeline.stale_apology", Language.ENGLISH)
    assert phone.texts() == [apology, "a notice stays", "fresh"]
    assert page.texts() == ["a", "b"]


async def test_what_cannot_go_out_for_a_day_is_parked_with_a_report(tmp_path: Path) -> None:
    phone = phone_of()
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        await pipeline.say(chat(1), "a", purpose=Purpose.NOTICE)
        pipeline.clock.jump(86_401.0)
        pipeline.start_sender()
        await pipeline.wait_states(chat(1), "dead")
    assert phone.attempts == []
    assert len(pipeline.reports) == 1


async def test_parts_of_a_channel_that_is_switched_off_wait_for_its_return(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with pipeline_at(path, phone_of()) as pipeline:
        await pipeline.say(chat(1, "whatsapp"), "a")
        await pipeline.say(chat(1), "b")
        pipeline.start_sender()
        await pipeline.wait_states(chat(1), "sent")
        await pipeline.wait_states(chat(1, "whatsapp"), "pending")
    back = phone_of(channel="whatsapp")
    clock = Clock()
    clock.jump(61.0)
    async with pipeline_at(path, back, clock=clock) as pipeline:
        pipeline.start_sender()
        await until(lambda: back.texts() == ["a"])


async def test_drain_flushes_and_waits_for_sends_in_flight(tmp_path: Path) -> None:
    phone = phone_of(default=lambda: 0.05)
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        for number in range(20):
            await pipeline.say(chat(number), "a", "b")
        pipeline.start_sender()
        await until(lambda: phone.in_flight > 0)
        await pipeline.sender.drain(8.0)
        assert phone.in_flight == 0
        states = [state for number in range(20) for state in await pipeline.states(chat(number))]
        assert states == ["sent"] * 40
        await pipeline.say(chat(1), "too late")
        await asyncio.sleep(0.1)
        assert (await pipeline.states(chat(1)))[-1] == "pending"


async def test_a_send_that_outlasts_the_drain_is_in_doubt_and_the_rest_untouched(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    phone = phone_of()
    phone.scripts["1"] = deque([60.0])
    async with pipeline_at(path, phone) as pipeline:
        await pipeline.say(chat(1), "a", "b")
        pipeline.start_sender()
        await until(lambda: phone.in_flight == 1)
        await pipeline.sender.drain(0.2)
        assert await pipeline.states(chat(1)) == ["in_doubt", "pending"]
        parts = await pipeline.parts(chat(1))
    assert [part.doubts for part in parts] == [1, 0]


@pytest.mark.parametrize(("channel", "least", "most"), [("telegram", 1.0, 10.0), ("whatsapp", 60.0, 90.0)])
@pytest.mark.parametrize("stopped", [True, False], ids=["cut off by a stop", "a bug in the channel"])
async def test_a_cut_off_send_waits_for_a_receipt_where_there_are_any(
    tmp_path: Path, channel: str, least: float, most: float, stopped: bool
) -> None:
    """WhatsApp tells by webhook what arrived, for up to a minute; Telegram never does."""

    class Buggy(ScriptedChannel):
        async def _follow(self, step: Step, sent: object) -> None:
            raise KeyError("message_id")

    kind = ScriptedChannel if stopped else Buggy
    phone = kind(name=channel, account=ACCOUNT, default=lambda: 3600.0)
    async with pipeline_at(tmp_path / "m.db", phone, clock=Clock(speed=0.0)) as pipeline:
        await pipeline.say(chat(1, channel), "a")
        pipeline.start_sender()
        await until(lambda: len(phone.attempts) == 1)
        if stopped:
            await pipeline.sender.drain(0.2)
        await pipeline.wait_states(chat(1, channel), "in_doubt")
        (part,) = await pipeline.parts(chat(1, channel))
        assert least <= part.due_at - pipeline.clock() <= most


async def test_drain_before_anything_ran_ends_at_once(tmp_path: Path) -> None:
    async with pipeline_at(tmp_path / "m.db") as pipeline:
        await pipeline.sender.drain(1.0)
        await pipeline.dispatcher.drain(1.0)


async def test_what_a_kill_left_in_doubt_twice_is_parked_with_a_word_to_everybody(tmp_path: Path) -> None:
    path, news = tmp_path / "m.db", Purpose.BROADCAST
    for kill in (True, True, False):
        phone = phone_of()
        async with pipeline_at(path, phone) as pipeline:
            if kill:  # claimed, and never settled
                if not await pipeline.parts(chat(1)):
                    await pipeline.say(chat(1), "answer")
                else:
                    await pipeline.say(chat(2), "news", purpose=news)
                assert await pipeline.store.outbox.claim(9, wait=1.0)
                continue
            pipeline.start_sender()
            await pipeline.wait_states(chat(1), "dead", "sent")
            await pipeline.wait_states(chat(2), "dead")
            assert phone.texts() == [pipeline.texts.get("pipeline.perhaps_lost")]
            assert [rule for rule, _ in pipeline.reports] == ["TROUBLE", "TROUBLE"]
