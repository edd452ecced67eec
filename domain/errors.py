"""Every error of ours, in one tree. The base of a leaf says what the caller does next.

BotError
├── TryAgain                  soon, with back-off
│   ├── NotSent               the request surely never reached the platform
│   ├── ModelFailed           the model gave no usable answer
│   └── StoreUnavailable      the database cannot write now (busy, full, read-only)
├── Wait                      not before `seconds`
│   ├── RateLimited           a platform or a bucket said when
│   ├── SendInDoubt           outcome unknown: wait for evidence, then at most one resend
│   └── Overloaded            our own queues are full: the platform must redeliver later
└── Never                     trying again changes nothing
    ├── SendRefused           the platform refused this message for good
    │   ├── MarkupRefused     the same text goes out once more as plain text
    │   ├── ChatClosed        the subscriber blocked the bot or is gone
    │   └── WindowClosed      WhatsApp's 24-hour customer-service window is over
    ├── ModelRefused          also a ModelFailed: the same request to the model will fail again
    ├── ChannelBroken         credentials or account refused: stop sending, keep the queue, alert
    ├── BadInput              what somebody gave us cannot be used; the message says why
    ├── BadKnowledge          a knowledge file is wrong; the message names file, row and column
    ├── BadSettings           a setting is missing or wrong; the message names the variable
    ├── StoreTooNew           the database was written by a newer version of the bot
    └── StoreCorrupt          a stored value cannot be read back
"""

from __future__ import annotations


class BotError(Exception):
    """Base of every error of ours."""


class TryAgain(BotError):
    """A passing trouble: the same call may succeed soon."""


class NotSent(TryAgain):
    """The request surely never reached the platform."""


class ModelFailed(TryAgain):
    """The model gave no usable answer."""


class StoreUnavailable(TryAgain):
    """The database cannot write now: busy, full or read-only."""


class Wait(BotError):
    """Not before `seconds` have passed."""

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class RateLimited(Wait):
    """A platform said when to come back; `everywhere` when it meant the whole account, not one chat."""

    def __init__(self, message: str, *, seconds: float, everywhere: bool = False) -> None:
        super().__init__(message, seconds=seconds)
        self.everywhere = everywhere


class SendInDoubt(Wait):
    """The outcome of a send is unknown; `seconds` is how long to wait for evidence before one resend."""


class Overloaded(Wait):
    """Our own queues are full; nothing was stored."""


class Never(BotError):
    """Trying again changes nothing."""


class ModelRefused(Never, ModelFailed):
    """The server will answer the same to the same request: wrong key, unknown model, refused content."""

    def __init__(self, message: str, *, ours: bool) -> None:
        super().__init__(message)
        self.ours = ours  # the fault lies in this request, not in the server


class SendRefused(Never):
    """The platform refused this message for good."""


class MarkupRefused(SendRefused):
    """The platform could not parse our markup: the text goes out once more as plain text."""


class ChatClosed(SendRefused):
    """The subscriber blocked the bot, or the chat is gone."""


class WindowClosed(SendRefused):
    """WhatsApp's 24-hour customer-service window is over."""


class ChannelBroken(Never):
    """The platform refused our credentials or account."""


class BadInput(Never):
    """What somebody gave us cannot be used."""


class BadKnowledge(Never):
    """A knowledge file is wrong."""


class BadSettings(Never):
    """A setting is missing or wrong."""


class StoreTooNew(Never):
    """The database was written by a newer version of the bot."""


class StoreCorrupt(Never):
    """A stored value cannot be read back."""
