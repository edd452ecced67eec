"""What the pipeline asks of a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from domain.messages import ChatKey, InboundMessage, Reply
from memory.records import OutboxPart


@dataclass(frozen=True, slots=True)
class Pacing:
    """Send limits of a channel, in messages per second; `chat_burst` is the size of a chat's token bucket."""

    global_rate: float
    global_burst: float
    chat_rate: float
    chat_burst: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the platform gave back for an accepted send."""

    platform_id: str


@dataclass(frozen=True, slots=True)
class Split:
    """A reply cut for one platform: at most three parts, and the text that waits for "SUITE" ("" if none)."""

    parts: tuple[Reply, ...]
    rest: str = ""


class Channel(Protocol):
    """One platform account that subscribers can be answered on."""

    name: str
    account: str
    pacing: Pacing

    def split(self, reply: Reply) -> Split:
        """Cut a reply into at most three parts this platform can carry; pure."""
        ...

    async def send(self, part: OutboxPart) -> Receipt:
        """Send one part within 10 s (15 s with a file).

        Raises NotSent, RateLimited, SendInDoubt, SendRefused (or a leaf of it) or ChannelBroken; see
        `domain/errors.py` for what each asks of the sender.
        """
        ...

    async def show_typing(self, key: ChatKey, message: InboundMessage) -> None:
        """Show that an answer is being written; best effort, never raises."""
        ...


class Receiver(Protocol):
    """The inbound side of a channel that polls; webhooks have routes on the server instead."""

    async def run(self) -> None:
        """Receive until cancelled; survives every platform error."""
        ...
