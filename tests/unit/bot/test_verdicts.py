"""What each send error asks for."""

from __future__ import annotations

from typing import Any

import pytest

from bot.verdicts import judge
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
from domain.messages import ChatKey, Purpose, Reply
from memory.records import OutboxPart, SendState

NOW = 1000.0


def _part(purpose: Purpose = Purpose.ANSWER, **changes: Any) -> OutboxPart:
    reply = Reply("Bonjour", purpose=purpose)
    return OutboxPart(
        7, ChatKey("telegram", "42", "1"), reply, SendState.SENDING, created_at=NOW, due_at=NOW, **changes
    )


@pytest.mark.parametrize(
    ("error", "state", "due", "counts"),
    [
        (NotSent("refused"), SendState.PENDING, NOW + 2.0, False),
        (RateLimited("429", seconds=7), SendState.PENDING, NOW + 7.5, False),
        (ChannelBroken("401"), SendState.PENDING, NOW + 2.0, False),
        (SendInDoubt("timeout", seconds=3), SendState.IN_DOUBT, NOW + 3, True),
        (SendRefused("bad"), SendState.FAILED, 0.0, True),
        (ChatClosed("blocked"), SendState.FAILED, 0.0, True),
        (WindowClosed("24 h"), SendState.DEAD, 0.0, True),
        (MarkupRefused("parse"), SendState.PENDING, NOW, False),
    ],
)
def test_first_attempt(error: BotError, state: SendState, due: float, counts: bool) -> None:
    settlement = judge(_part(), error, NOW, again_in=2.0).settlement
    assert (settlement.state, settlement.due_at, settlement.counts) == (state, due, counts)
    assert settlement.close_chat is isinstance(error, ChatClosed)
    assert settlement.plain is isinstance(error, MarkupRefused)


def test_markup_is_dropped_once_only() -> None:
    assert (
        judge(_part(plain=True), MarkupRefused("parse"), NOW, again_in=1.0).settlement.state
        is SendState.FAILED
    )


def test_second_doubt_is_the_last() -> None:
    verdict = judge(_part(doubts=1), SendInDoubt("timeout", seconds=3), NOW, again_in=1.0)
    assert verdict.settlement.state is SendState.DEAD
    assert verdict.report
    assert verdict.apology


@pytest.mark.parametrize("purpose", [Purpose.NOTICE, Purpose.BROADCAST])
def test_nobody_apologises_for_what_was_no_answer(purpose: Purpose) -> None:
    verdict = judge(_part(purpose, doubts=1), SendInDoubt("timeout", seconds=3), NOW, again_in=1.0)
    assert verdict.settlement.state is SendState.DEAD
    assert not verdict.apology


@pytest.mark.parametrize("purpose", [Purpose.ANSWER, Purpose.NOTICE])
def test_answers_and_notices_go_out_again_after_a_doubt(purpose: Purpose) -> None:
    verdict = judge(_part(purpose), SendInDoubt("timeout", seconds=60), NOW, again_in=1.0)
    assert verdict.settlement.state is SendState.IN_DOUBT
    assert verdict.settlement.due_at == NOW + 60


def test_a_broadcast_in_doubt_never_goes_out_again() -> None:
    verdict = judge(_part(Purpose.BROADCAST), SendInDoubt("timeout", seconds=3), NOW, again_in=1.0)
    assert verdict.settlement.state is SendState.DEAD


def test_a_doubt_outlives_a_later_attempt_that_never_left() -> None:
    """Evidence of the first send may still come, so the part must not look untouched."""
    verdict = judge(_part(doubts=1), NotSent("refused"), NOW, again_in=1.0)
    assert verdict.settlement.state is SendState.IN_DOUBT
    assert verdict.settlement.counts is False


def test_blocked_subscribers_alert_nobody() -> None:
    assert judge(_part(), ChatClosed("blocked"), NOW, again_in=1.0).report == ""
