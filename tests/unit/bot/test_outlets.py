"""Pacing and circuit breaking of one account, on a clock of the test."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.outlets import MAX_IN_FLIGHT, Outlet
from channels.base import Pacing
from domain.errors import ChannelBroken, ChatClosed, NotSent, RateLimited, SendInDoubt
from domain.messages import ChatKey, Reply
from memory.records import OutboxPart, SendState
from tests.fakes.channels import ScriptedChannel

PACING = Pacing(global_rate=10.0, global_burst=5.0, chat_rate=1.0, chat_burst=2.0)
CHAT = ChatKey("telegram", "42", "1")


def _outlet(pacing: Pacing = PACING) -> Outlet:
    return Outlet(ScriptedChannel(pacing=pacing), 0.0)


def _part(chat: str = "1", doubts: int = 0) -> OutboxPart:
    key = replace(CHAT, chat=chat)
    return OutboxPart(1, key, Reply("x"), SendState.SENDING, created_at=0.0, due_at=0.0, doubts=doubts)


def test_room_is_bounded_by_tokens_and_comes_back() -> None:
    outlet = _outlet()
    for _ in range(5):
        outlet.begin(CHAT, 0.0)
    assert outlet.room(0.0) == 0
    assert outlet.opens_in(0.0) == pytest.approx(0.1)
    assert outlet.room(0.2) == 2


def test_room_is_bounded_by_sends_in_flight() -> None:
    outlet = _outlet(Pacing(1e6, 1e6, 1e6, 1e6))
    for _ in range(MAX_IN_FLIGHT):
        outlet.begin(CHAT, 0.0)
    assert outlet.room(1.0) == 0
    outlet.end()
    assert outlet.room(1.0) == 1


@pytest.mark.parametrize(("rate", "wanted"), [(1.0, 8), (30.0, 15), (80.0, 32)])
def test_no_more_is_in_flight_than_the_pace_needs(rate: float, wanted: int) -> None:
    """Each of them may arrive twice when the process is killed."""
    assert _outlet(Pacing(rate, 1e6, 1e6, 1e6)).room(0.0) == wanted


def test_a_chat_is_paced_apart_from_the_others() -> None:
    outlet = _outlet()
    outlet.begin(CHAT, 0.0)
    outlet.begin(CHAT, 0.0)
    assert outlet.hold_back(_part("1"), 0.0) == pytest.approx(1.0)
    assert outlet.hold_back(_part("2"), 0.0) == 0.0


def test_silence_holds_the_queue_and_probes_ever_more_rarely() -> None:
    outlet, now, holds = _outlet(), 0.0, []
    for _ in range(2):
        assert not outlet.note(CHAT, NotSent("refused"), now)
    reports = []
    for _ in range(7):
        reports.append(outlet.note(CHAT, NotSent("refused"), now))
        holds.append(outlet.opens_in(now))
        now += holds[-1]
        assert outlet.room(now) == 1  # one probe, not a crowd
    assert holds == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0])
    assert reports.count(True) == 1
    assert outlet.trouble == "refused"


def test_failures_in_flight_when_a_hold_begins_do_not_lengthen_it() -> None:
    outlet = _outlet()
    for _ in range(30):
        outlet.note(CHAT, NotSent("refused"), 0.0)
    assert outlet.opens_in(0.0) == pytest.approx(1.0)


def test_any_answer_ends_the_trouble() -> None:
    for answer in (None, ChatClosed("blocked")):
        outlet = _outlet()
        for _ in range(3):
            outlet.note(CHAT, NotSent("refused"), 0.0)
        outlet.note(CHAT, answer, 1.0)
        assert outlet.trouble == ""
        assert outlet.room(1.0) > 1


def test_single_failures_between_successes_hold_nothing() -> None:
    outlet = _outlet()
    for _ in range(10):
        outlet.note(CHAT, SendInDoubt("timeout", seconds=3), 0.0)
        outlet.note(CHAT, None, 0.0)
        outlet.note(CHAT, NotSent("refused"), 0.0)
        outlet.note(CHAT, None, 0.0)
    assert outlet.room(0.0) == 5


def test_parts_in_doubt_are_spared_while_the_platform_is_probed() -> None:
    outlet = _outlet()
    outlet.begin(CHAT, 0.0)
    for _ in range(3):
        outlet.note(CHAT, SendInDoubt("HTTP 502", seconds=3), 0.0)
    outlet.end()
    assert outlet.room(4.9) == 0
    assert outlet.room(5.0) == 1
    assert outlet.hold_back(_part("9", doubts=1), 5.0) > 0.0
    assert outlet.hold_back(_part("9"), 5.0) == 0.0
    assert outlet.hold_back(_part("9", doubts=1), 60.0) == 0.0  # nothing fresh came: somebody must go first


def test_refused_credentials_pause_for_longer_each_time() -> None:
    outlet, now, holds = _outlet(), 0.0, []
    reports = []
    for _ in range(7):
        reports.append(outlet.note(CHAT, ChannelBroken("401"), now))
        holds.append(outlet.opens_in(now))
        now += holds[-1]
    assert holds == pytest.approx([30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0])
    assert reports == [True, *[False] * 6]


def test_told_to_wait_for_one_chat_leaves_the_others() -> None:
    outlet = _outlet()
    outlet.note(CHAT, RateLimited("429", seconds=30), 0.0)
    outlet.note(CHAT, RateLimited("429", seconds=30), 1.0)
    assert outlet.room(1.0) > 0


@pytest.mark.parametrize("everywhere", [True, False])
def test_told_to_wait_everywhere_or_repeatedly_pauses_the_account(everywhere: bool) -> None:
    outlet = _outlet()
    for number in range(1 if everywhere else 3):
        key = replace(CHAT, chat=str(number))
        outlet.note(key, RateLimited("429", seconds=30, everywhere=everywhere), 0.0)
    assert outlet.room(30.0) == 0
    assert outlet.room(30.5) > 0


def test_a_channel_that_lowers_its_rate_is_followed() -> None:
    channel = ScriptedChannel(pacing=Pacing(10.0, 10.0, 100.0, 100.0))
    outlet = Outlet(channel, 0.0)
    for _ in range(10):
        outlet.begin(CHAT, 0.0)
        outlet.end()
    assert outlet.room(0.5) == 5
    channel.pacing = Pacing(1.0, 10.0, 100.0, 100.0)
    assert outlet.room(0.5) == 5  # what was earned before stays
    assert outlet.room(1.5) == 6  # one second at the new rate
