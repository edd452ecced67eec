"""What a platform may answer: wait, no, nothing, or what nobody understands."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from pathlib import Path

import pytest

from domain.errors import (
    BotError,
    ChannelBroken,
    ChatClosed,
    MarkupRefused,
    NotSent,
    RateLimited,
    SendInDoubt,
    SendRefused,
    WindowClosed,
)
from domain.messages import Purpose
from memory.records import Profile
from tests.fakes.channels import ScriptedChannel, Step, until
from tests.wire.pipeline_rig import ACCOUNT, Clock, chat, phone_of, pipeline_at


async def test_told_to_wait_is_obeyed_and_only_by_that_chat(tmp_path: Path) -> None:
    phone = phone_of()
    phone.scripts["1"] = deque([RateLimited("429", seconds=0.3)])
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        await pipeline.say(chat(1), "a", "b")
        pipeline.start_sender()
        await until(lambda: len(phone.attempts) == 1)
        await pipeline.say(chat(2), "other")
        await until(lambda: phone.texts() == ["other", "a", "b"])
        parts = await pipeline.parts(chat(1))
    first, again = (sent.at for sent in phone.attempts if sent.text == "a")
    assert again - first >= 0.3
    assert [part.attempts for part in parts] == [1, 1]  # the refused one does not count


async def test_told_to_wait_everywhere_pauses_the_account_alone(tmp_path: Path) -> None:
    limited = phone_of(RateLimited("130429", seconds=0.3, everywhere=True), channel="whatsapp")
    other = phone_of()
    async with pipeline_at(tmp_path / "m.db", limited, other) as pipeline:
        await pipeline.say(chat(1, "whatsapp"), "a")
        pipeline.start_sender()
        await until(lambda: len(limited.attempts) == 1)
        await pipeline.say(chat(2, "whatsapp"), "b")
        await pipeline.say(chat(3), "c")
        await until(lambda: len(limited.got) == 2)
    first, *later = limited.attempts
    assert all(sent.at - first.at >= 0.3 for sent in later)
    assert other.got[0].at < later[0].at


async def test_a_blocked_chat_is_closed_quietly(tmp_path: Path) -> None:
    phone = phone_of()
    phone.scripts["gone"] = deque([ChatClosed("bot was blocked by the user")] * 9)
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        await pipeline.store.long_term.save_profile(Profile(chat("gone")))
        await pipeline.say(chat("gone"), "a", "b", "c")
        await pipeline.say(chat("here"), "d")
        pipeline.start_sender()
        await pipeline.wait_states(chat("gone"), "failed", "failed", "failed")
        await until(lambda: phone.texts() == ["d"])
        profile = await pipeline.store.long_term.profile(chat("gone"))
    assert len([sent for sent in phone.attempts if sent.chat == "gone"]) == 1
    assert profile is not None
    assert not profile.reachable
    assert pipeline.reports == []


async def test_refused_markup_goes_out_once_more_as_plain_text(tmp_path: Path) -> None:
    phone = phone_of(MarkupRefused("can't parse entities"))
    phone.scripts["2"] = deque([MarkupRefused("can't parse entities")] * 9)
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        await pipeline.say(chat(1), "a")
        pipeline.start_sender()
        await pipeline.wait_states(chat(1), "sent")
        await pipeline.say(chat(2), "b")
        await pipeline.wait_states(chat(2), "failed")
    assert [(sent.text, sent.plain) for sent in phone.attempts] == [
        ("a", False),
        ("a", True),
        ("b", False),
        ("b", True),
    ]


@pytest.mark.parametrize(
    ("error", "state", "reports"),
    [(WindowClosed("24 h"), "dead", 1), (SendRefused("too odd"), "failed", 0)],
)
async def test_a_final_refusal_costs_one_attempt_and_frees_the_chat(
    tmp_path: Path, error: BotError, state: str, reports: int
) -> None:
    phone = phone_of(error)
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        await pipeline.say(chat(1), "a", "b")
        pipeline.start_sender()
        await pipeline.wait_states(chat(1), state, "sent")
    assert phone.texts() == ["b"]
    assert len(phone.attempts) == 2
    assert len(pipeline.reports) == reports


async def test_refused_credentials_keep_the_queue_and_leave_other_channels_alone(tmp_path: Path) -> None:
    answers: dict[str, Step] = {"now": ChannelBroken("401 Unauthorized")}
    broken, other = phone_of(default=lambda: answers["now"]), phone_of(channel="whatsapp")
    async with pipeline_at(tmp_path / "m.db", broken, other) as pipeline:
        for number in range(20):
            await pipeline.say(chat(number), "a")
            await pipeline.say(chat(number, "whatsapp"), "b")
        pipeline.start_sender()
        await until(lambda: len(other.got) == 20)
        assert await pipeline.sender.check() == "telegram: 401 Unauthorized"
        tried = len(broken.attempts)
        await pipeline.say(chat(99), "c")
        await asyncio.sleep(0.1)
        assert len(broken.attempts) == tried  # nobody hammers on a closed door
        answers["now"] = None
        pipeline.clock.jump(31.0)
        await until(lambda: len(broken.got) == 21)
        assert await pipeline.sender.check() == ""
    assert [rule for rule, _ in pipeline.reports] == ["SEND_FAILING"]


async def test_an_outage_costs_nothing_and_ends_by_itself(tmp_path: Path) -> None:
    answers: dict[str, Step] = {"now": NotSent("connection refused")}
    phone = phone_of(default=lambda: answers["now"])
    async with pipeline_at(tmp_path / "m.db", phone, clock=Clock(speed=60.0)) as pipeline:
        for number in range(100):
            await pipeline.say(chat(number), "a", "b", purpose=Purpose.NOTICE)
        pipeline.start_sender()
        await asyncio.sleep(1.0)
        tried = len(phone.attempts)
        answers["now"] = None
        await until(lambda: len(phone.got) == 200)
    assert tried < 80  # a minute of outage: those in flight when it began, then single probes
    for number in range(100):
        assert phone.texts(str(number)) == ["a", "b"]


async def test_a_platform_in_doubt_about_everything_does_not_eat_the_queue(tmp_path: Path) -> None:
    """502 on every send, with new replies all the while: nothing is parked, nothing doubled."""
    answers: dict[str, Step] = {"now": SendInDoubt("HTTP 502", seconds=3.0)}
    phone = phone_of(default=lambda: answers["now"])
    async with pipeline_at(tmp_path / "m.db", phone, clock=Clock(speed=15.0)) as pipeline:
        pipeline.start_sender()
        for number in range(60):
            await pipeline.say(chat(number), "a", purpose=Purpose.NOTICE)
            await asyncio.sleep(0.02)
        answers["now"] = None
        await until(lambda: len(phone.got) == 60)
        health = await pipeline.store.health()
    assert health.dead == 0
    assert len(set(phone.texts())) == 1
    assert Counter(sent.chat for sent in phone.got).most_common(1)[0][1] == 1


async def test_a_bug_in_a_channel_counts_as_unknown(tmp_path: Path) -> None:
    class Buggy(ScriptedChannel):
        async def _follow(self, step: Step, sent: object) -> None:
            if len(self.attempts) == 1:
                raise KeyError("message_id")

    phone = Buggy(account=ACCOUNT)
    async with pipeline_at(tmp_path / "m.db", phone, clock=Clock(speed=60.0)) as pipeline:
        await pipeline.say(chat(1), "a")
        pipeline.start_sender()
        await pipeline.wait_states(chat(1), "sent")
        (part,) = await pipeline.parts(chat(1))
    assert part.doubts == 1
    assert len(phone.attempts) == 2
