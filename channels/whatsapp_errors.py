"""What each Graph API error code asks of the sender: a table, and how an answer is read by it.

The HTTP status alone is not enough: a rate limit may come as 400 and a passing fault as 500 or as 400 with
`is_transient`. Codes: Meta's list of Cloud API error codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from channels.whatsapp_clean import integer_of, mapping_of, text_of
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
from memory.recovery import EVIDENCE_SECONDS

EVIDENCE_WAIT = EVIDENCE_SECONDS["whatsapp"]  # how long a status webhook may take before one resend
UPGRADE_WAIT = 60.0  # a number changing its throughput level answers 131057 for up to a minute


class Verdict(Enum):
    """What an error means for the message and for the channel."""

    IN_DOUBT = auto()  # the platform failed in the middle: it may have been sent
    NOT_SENT = auto()  # surely not accepted; the same call may succeed soon
    THROTTLED = auto()  # the whole number sends too fast
    PAIR_LIMIT = auto()  # too many messages to this one subscriber
    UPGRADING = auto()  # the number changes its throughput level
    WINDOW = auto()  # the 24-hour customer-service window is over, or the template for it is unusable
    GONE = auto()  # the subscriber cannot be reached on WhatsApp
    CONTENT = auto()  # our message is not well-formed: once more as plain text
    REFUSED = auto()  # this message will never go out
    BROKEN = auto()  # credentials or account: nothing goes out until somebody acts


_CODES: Mapping[Verdict, tuple[int, ...]] = {
    Verdict.IN_DOUBT: (1, 2, 131000, 131016, 133004),
    Verdict.THROTTLED: (4, 80007, 130429),
    Verdict.PAIR_LIMIT: (131056,),
    Verdict.UPGRADING: (131057,),
    Verdict.WINDOW: (131047, 132000, 132001, 132005, 132007, 132012, 132015, 132016, 132068, 132069),
    Verdict.GONE: (131021, 131026, 131030, 131050),
    Verdict.CONTENT: (100, 131008, 131009, 131051),
    # Spam and quality limits, Meta's own experiments, media it could not take.
    Verdict.REFUSED: (130472, 131048, 131049, 131052, 131053, 131064, 135000),
    Verdict.BROKEN: (
        *(0, 3, 10, 33, 190, 131005, *range(200, 300)),  # token and permissions
        *(368, 130497, 131031, 131037, 131042, 131045, 133010),  # account, payment, registration
    ),
}
VERDICTS: Mapping[int, Verdict] = {code: verdict for verdict, codes in _CODES.items() for code in codes}
_NUMBER = re.compile(r"\d{8,}")  # a subscriber's, quoted by the platform; this text is logged and stored
_UNKNOWN_OBJECT = (100, 33)  # code and subcode of a wrong phone number id: every send would fail


@dataclass(frozen=True, slots=True)
class GraphError:
    """One refused call, as the platform told it."""

    status: int
    code: int | None = None
    subcode: int | None = None
    transient: bool = False
    text: str = ""
    retry_after: float | None = None

    @classmethod
    def read(cls, status: int, body: object, retry_after: str | None) -> GraphError:
        """Read an answer's body, whatever it holds."""
        error = mapping_of(mapping_of(body).get("error"))
        wait = integer_of(retry_after)
        return cls(
            status=status,
            code=integer_of(error.get("code")),
            subcode=integer_of(error.get("error_subcode")),
            transient=error.get("is_transient") is True,
            text=_text(error),
            retry_after=float(wait) if wait is not None and wait <= 3600 else None,
        )

    @property
    def verdict(self) -> Verdict:
        """What to do about it."""
        if (self.code, self.subcode) == _UNKNOWN_OBJECT:
            return Verdict.BROKEN
        if self.code is not None and self.code in VERDICTS:
            return VERDICTS[self.code]
        if self.status == 429:
            return Verdict.THROTTLED
        if self.transient or self.status >= 500 or self.status == 408:
            return Verdict.IN_DOUBT
        if self.code is None:
            return Verdict.NOT_SENT  # no word of the Graph API: a proxy or a captive portal answered
        return Verdict.BROKEN if self.status in {401, 403} else Verdict.REFUSED

    def __str__(self) -> str:
        return f"HTTP {self.status}, code {self.code}: {self.text or 'no text'}"


def raised(error: GraphError, *, wait: float, plain: bool) -> BotError:
    """The error of ours that asks the sender for the right thing.

    `wait` is the back-off of the limit that was hit; `plain` whether the message went out without markup.
    """
    told = max(wait, error.retry_after + 0.5) if error.retry_after is not None else wait
    by_verdict: dict[Verdict, BotError] = {
        Verdict.IN_DOUBT: SendInDoubt(str(error), seconds=EVIDENCE_WAIT),
        Verdict.NOT_SENT: NotSent(str(error)),
        Verdict.THROTTLED: RateLimited(str(error), seconds=told, everywhere=True),
        Verdict.UPGRADING: RateLimited(str(error), seconds=UPGRADE_WAIT, everywhere=True),
        Verdict.PAIR_LIMIT: RateLimited(str(error), seconds=told),
        Verdict.WINDOW: WindowClosed(str(error)),
        Verdict.GONE: ChatClosed(str(error)),
        Verdict.CONTENT: SendRefused(str(error)) if plain else MarkupRefused(str(error)),
        Verdict.REFUSED: SendRefused(str(error)),
        Verdict.BROKEN: ChannelBroken(str(error)),
    }
    return by_verdict[error.verdict]


def _text(error: Mapping[str, Any]) -> str:
    details = mapping_of(error.get("error_data")).get("details")
    return _NUMBER.sub("<number>", text_of(details, 200) or text_of(error.get("message"), 200))
