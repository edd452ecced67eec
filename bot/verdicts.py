"""What one send attempt means for its part: a table over the error tree, pure.

At most two copies: a send of unknown outcome is repeated once, a broadcast never. What surely was not sent,
or was told to wait, costs no attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from channels.base import Receipt
from domain.errors import (
    BotError,
    ChannelBroken,
    ChatClosed,
    MarkupRefused,
    RateLimited,
    SendInDoubt,
    SendRefused,
    WindowClosed,
)
from domain.messages import Purpose
from memory.records import MAX_COPIES, OutboxPart, SendState, Settlement

RATE_MARGIN = 0.5  # the platform's clock and ours round differently: never early


@dataclass(frozen=True, slots=True)
class Verdict:
    """How to settle, how to count, and what to tell the operators (a text key, "" for nothing).

    `apology` says that the subscriber may miss an answer that nobody sends again.
    """

    settlement: Settlement
    outcome: str
    report: str = ""
    apology: bool = False


def sent(receipt: Receipt, note: str = "") -> Verdict:
    """The platform took it."""
    settlement = Settlement(SendState.SENT, platform_id=receipt.platform_id, error=note)
    return Verdict(settlement, "stale" if note else "sent")


def put_back(part: OutboxPart, due_at: float, reason: str = "") -> Settlement:
    """Nothing left us: due again then, at no cost. A part in doubt stays so, evidence may still come."""
    state = SendState.IN_DOUBT if part.doubts else SendState.PENDING
    return Settlement(state, error=reason or part.error, due_at=due_at, counts=False)


def parked(error: str, report: str, outcome: str = "dead") -> Verdict:
    """A person must look at it."""
    return Verdict(Settlement(SendState.DEAD, error=error), outcome, report)


def doubted(part: OutboxPart, reason: str) -> Verdict:
    """Parked after the last doubt it may cost: another send could be a third copy."""
    return replace(parked(reason, "pipeline.report_doubt"), apology=part.reply.purpose is Purpose.ANSWER)


def no_more_copies(part: OutboxPart, doubts: int) -> bool:
    """Whether after so many doubts no further copy may go: a broadcast is never repeated."""
    return doubts >= (1 if part.reply.purpose is Purpose.BROADCAST else MAX_COPIES)


def judge(part: OutboxPart, error: BotError, now: float, *, again_in: float) -> Verdict:
    """What the error asks for. `again_in` is the back-off of a send that surely never left."""
    reason = f"{type(error).__name__}: {error}"[:300]
    if isinstance(error, SendInDoubt):
        return _in_doubt(part, error, now, reason)
    if isinstance(error, RateLimited):
        return Verdict(put_back(part, now + error.seconds + RATE_MARGIN, reason), "limited")
    if isinstance(error, SendRefused):
        return _refused(part, error, now, reason)
    outcome = "broken" if isinstance(error, ChannelBroken) else "not_sent"
    return Verdict(put_back(part, now + again_in, reason), outcome)


def _in_doubt(part: OutboxPart, error: SendInDoubt, now: float, reason: str) -> Verdict:
    if no_more_copies(part, part.doubts + 1):
        return doubted(part, reason)
    return Verdict(Settlement(SendState.IN_DOUBT, error=reason, due_at=now + error.seconds), "in_doubt")


def _refused(part: OutboxPart, error: SendRefused, now: float, reason: str) -> Verdict:
    if isinstance(error, ChatClosed):
        return Verdict(Settlement(SendState.FAILED, error=reason, close_chat=True), "closed")
    if isinstance(error, WindowClosed):
        return parked(reason, "pipeline.report_window", "window")
    if isinstance(error, MarkupRefused) and not part.plain:
        settlement = Settlement(SendState.PENDING, error=reason, due_at=now, plain=True, counts=False)
        return Verdict(settlement, "markup")
    return Verdict(Settlement(SendState.FAILED, error=reason), "refused")
