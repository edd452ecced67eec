"""The messages that travel through the pipeline, free of any platform."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Language(StrEnum):
    """Languages a subscriber is answered in."""

    FRENCH = "fr"
    HAUSA = "ha"
    ZARMA = "dje"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True, order=True)
class ChatKey:
    """Names one conversation: the key of its queue, its session and its memory.

    `account` is our side (bot id, WhatsApp phone number id), `chat` the subscriber's side. Neither the
    channel nor the account holds a colon; the chat may.
    """

    channel: str
    account: str
    chat: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.account}:{self.chat}"

    @classmethod
    def parse(cls, text: str) -> ChatKey:
        """Read back what `str()` wrote. Raises ValueError on anything else."""
        channel, account, chat = text.split(":", 2)
        return cls(channel, account, chat)


class MessageKind(StrEnum):
    """What a subscriber sent, as far as an answer depends on it."""

    TEXT = "text"
    COMMAND = "command"  # starts with "/"; never merged with other messages
    CHOICE = "choice"  # a button or list row; `text` is what the same choice reads when typed
    VOICE = "voice"
    IMAGE = "image"
    VIDEO = "video"
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    REACTION = "reaction"
    EDITED = "edited"  # an edit is never a second turn
    GROUP = "group"  # groups and channels are left politely
    SYSTEM = "system"  # a platform notice about the chat itself: number changed, bot blocked
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote. Only `user_id` is trusted; name, phone and locale are claims of the client."""

    user_id: str
    name: str = ""
    phone: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message from a subscriber, sanitised by its channel and masked by intake.

    Times are seconds since the epoch, UTC. `external_id` is unique per (channel, account). `ready_at` is when
    the message may start a turn: intake delays texts by the burst window. `flags` says what intake found
    ("pin", "otp", "voucher", "too_long", "truncated"). `payload` carries JSON-able extras of the platform:
    media id, duration, file size, reply target, callback id, private, forwarded.
    """

    key: ChatKey
    external_id: str
    kind: MessageKind
    text: str
    sender: Sender
    sent_at: float
    received_at: float
    ready_at: float = 0.0
    flags: tuple[str, ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)

    @property
    def merges(self) -> bool:
        """Whether this message may share a turn with its neighbours; an overlong one would drown them."""
        return self.kind is MessageKind.TEXT and "too_long" not in self.flags


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to tap. `id` is opaque and at most 64 bytes; the same choice can be typed as a digit."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file sent with a reply: a data export, a chart picture."""

    name: str
    media_type: str
    data: bytes


class Purpose(StrEnum):
    """Why a reply is sent: decides what happens when its delivery is in doubt."""

    ANSWER = "answer"  # resent once
    NOTICE = "notice"  # resent once
    BROADCAST = "broadcast"  # parked: a doubled broadcast is worse than a missing one


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bot says, as plain text; each channel renders it.

    USSD codes stand in the text, alone on their line where possible; channels find and protect them.
    """

    text: str
    choices: tuple[Choice, ...] = ()
    attachment: Attachment | None = None
    purpose: Purpose = Purpose.ANSWER


@dataclass(frozen=True, slots=True)
class Accepted:
    """What intake did with a batch: how many messages were new, duplicate, or refused by the rate limit."""

    new: int
    duplicate: int = 0
    refused: int = 0


# How channels hand over what they received. Returns after the commit is synced; raises StoreUnavailable or
# Overloaded (then nothing of the batch was stored and the platform must redeliver).
AcceptMessages = Callable[[Sequence[InboundMessage]], Awaitable[Accepted]]
