"""From the outbox to the platform: order, copies, pauses, refusals, outages, stops."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

import pytest

from channels.base import Pacing
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
from domain.messages import Language, Purpose
from memory.records import Profile, SendState
from monitoring.metrics import total
from tests.fakes.channels import ScriptedChannel, Step, until
from tests.wire.pipeline_rig import ACCOUNT, Clock, chat, pipeline_at

DOUBT = SendInDoubt("timeout", seconds=0.02)


def phone_of(
    *script: Step, channel: str = "telegram", default: Callable[[], Step] = lambda: None
) -> ScriptedChannel:
    return ScriptedChannel(name=channel, account=ACCOUNT, script=deque(script), default=default)


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
