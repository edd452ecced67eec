"""Sends: in order, at most two copies, evidence before a second one."""

from __future__ import annotations

import random
from collections import deque
from pathlib import Path

from domain.errors import (
    MarkupRefused,
    NotSent,
    RateLimited,
    SendInDoubt,
)
from domain.messages import Language, Purpose
from memory.records import Profile, SendState
from monitoring.metrics import total
from tests.fakes.channels import Step
from tests.wire.pipeline_rig import DOUBT, Clock, chat, phone_of, pipeline_at


async def test_parts_of_a_chat_arrive_in_order_whatever_happens(tmp_path: Path) -> None:
    """Every kind of trouble that ends well, in random mixture over several chats."""
    dice = random.Random(7)
    troubles: list[Step] = [
        None,
        None,
        0.005,
        NotSent("refused"),
        RateLimited("429", seconds=0.01),
        SendInDoubt("lost before", seconds=0.01),
        MarkupRefused("parse"),
    ]

    def trouble() -> Step:
        return dice.choice(troubles)

    phone = phone_of(default=trouble)
    wanted = [f"{number:02}" for number in range(8)]
    async with pipeline_at(tmp_path / "m.db", phone, clock=Clock(speed=50.0)) as pipeline:
        for number in range(6):
            await pipeline.say(chat(number), *wanted, purpose=Purpose.NOTICE)
        pipeline.start_sender()
        await pipeline.wait_empty()
        parts = [await pipeline.parts(chat(number)) for number in range(6)]
    for number in range(6):
        said = phone.texts(str(number))
        assert said == sorted(said)
        assert {part.reply.text for part in parts[number]} >= set(wanted)
        # What never arrived stands parked (two sends without a word) or failed (refused as plain text too).
        for part in parts[number]:
            if part.reply.text not in said:
                doubtful = part.state is SendState.DEAD and part.doubts >= 1 and part.attempts >= 2
                refused = part.state is SendState.FAILED and part.plain and "MarkupRefused" in part.error
                assert doubtful or refused, part
    assert total(pipeline.metrics.sends, outcome="sent") > 30


async def test_never_more_than_two_copies(tmp_path: Path) -> None:
    phone = phone_of(default=lambda: (DOUBT,))  # everything arrives, nothing is confirmed
    async with pipeline_at(tmp_path / "m.db", phone, clock=Clock(speed=300.0)) as pipeline:
        await pipeline.say(chat(1), "a", "b", purpose=Purpose.NOTICE)
        pipeline.start_sender()
        await pipeline.wait_states(chat(1), "dead", "dead")
    assert phone.texts() == ["a", "a", "b", "b"]
    assert [rule for rule, _ in pipeline.reports].count("TROUBLE") == 2


async def test_a_subscriber_hears_once_of_answers_that_may_be_missing(tmp_path: Path) -> None:
    """A third send could be a third copy: what is left is to say so, and to tell the operators."""
    phone = phone_of()
    phone.scripts["1"] = deque([DOUBT, DOUBT, DOUBT, DOUBT])
    phone.scripts["2"] = deque([DOUBT, DOUBT])
    async with pipeline_at(tmp_path / "m.db", phone, clock=Clock(speed=60.0)) as pipeline:
        await pipeline.store.long_term.save_profile(Profile(chat(1), language=Language.ENGLISH))
        await pipeline.say(chat(1), "a", "b")
        await pipeline.say(chat(2), "notice", purpose=Purpose.NOTICE)
        pipeline.start_sender()
        await pipeline.wait_states(chat(1), "dead", "dead", "sent")
        await pipeline.wait_states(chat(2), "dead")
    assert phone.texts() == [pipeline.texts.get("pipeline.perhaps_lost", Language.ENGLISH)]
    assert [rule for rule, _ in pipeline.reports].count("TROUBLE") == 3


async def test_a_doubt_is_resent_once_and_can_end_well(tmp_path: Path) -> None:
    phone = phone_of(DOUBT)
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        await pipeline.say(chat(1), "a", "b")
        pipeline.start_sender()
        await pipeline.wait_states(chat(1), "sent", "sent")
    assert phone.texts() == ["a", "b"]
    assert len(phone.attempts) == 3
    assert pipeline.reports == []


async def test_evidence_makes_a_resend_needless(tmp_path: Path) -> None:
    phone = phone_of((SendInDoubt("timeout", seconds=3600),))
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        await pipeline.say(chat(1), "a", "b")
        pipeline.start_sender()
        await pipeline.wait_states(chat(1), "in_doubt", "pending")
        first = (await pipeline.parts(chat(1)))[0]
        assert await pipeline.store.outbox.confirm(first.id, SendState.SENT, platform_id="wamid")
        await pipeline.wait_states(chat(1), "sent", "sent")
    assert phone.texts() == ["a", "b"]


async def test_a_broadcast_in_doubt_is_parked_at_once(tmp_path: Path) -> None:
    phone = phone_of((DOUBT,))
    async with pipeline_at(tmp_path / "m.db", phone) as pipeline:
        await pipeline.say(chat(1), "news", purpose=Purpose.BROADCAST)
        await pipeline.say(chat(1), "answer")
        pipeline.start_sender()
        await pipeline.wait_states(chat(1), "dead", "sent")
    assert phone.texts() == ["news", "answer"]
    assert len(pipeline.reports) == 1
