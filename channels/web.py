"""The web chat page as a channel: a reply is delivered by standing in the outbox, where the page reads it.

Nothing is lost while a phone is offline: the page asks for everything behind the last part it has seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from channels.base import Pacing, Receipt, Split
from channels.chunking import Limits, PartWords, split_reply
from channels.web_streams import Streams
from config.texts import Texts
from domain.messages import ChatKey, InboundMessage, Reply
from memory.records import Exchange, OutboxPart, SendState

NAME = "web"
ACCOUNT = "page"
UNSEEN = frozenset({SendState.FAILED, SendState.DEAD})
BATCH = 100
HISTORY = 60


class ChatOutbox(Protocol):
    """What the page reads of the outbox."""

    async def after(self, key: ChatKey, part_id: int, limit: int) -> Sequence[OutboxPart]:
        """Parts behind that one, oldest first."""
        ...


class ChatRecord(Protocol):
    """What the page reads of the long-term record."""

    async def history(self, key: ChatKey, limit: int) -> Sequence[Exchange]:
        """Newest exchanges, newest first."""
        ...


class WebChannel:
    """Delivers to the chat page and tells it what was said."""

    name = NAME
    account = ACCOUNT
    pacing = Pacing(global_rate=1000.0, global_burst=1000.0, chat_rate=20.0, chat_burst=20.0)

    def __init__(
        self, outbox: ChatOutbox, record: ChatRecord, texts: Texts, *, streams: Streams | None = None
    ) -> None:
        self._outbox = outbox
        self._record = record
        self._limits = Limits(soft=2000, hard=3500)
        self._words = PartWords.of(texts)
        self.streams = streams or Streams()

    def split(self, reply: Reply) -> Split:
        """Cut a reply into at most three parts; pure."""
        return split_reply(reply, self._limits, self._words)

    async def send(self, part: OutboxPart) -> Receipt:
        """Wake the chat's open pages: the row in the outbox is the delivery."""
        self.streams.wake(part.key)
        return Receipt(platform_id=f"web:{part.id}")

    async def show_typing(self, key: ChatKey, message: InboundMessage) -> None:
        """Show the dots on the chat's open pages."""
        self.streams.wake(key, typing=True)

    def close(self) -> None:
        """End every open stream; pages reconnect to whoever answers next."""
        self.streams.close()

    async def after(self, key: ChatKey, part_id: int) -> Sequence[OutboxPart]:
        """The next parts to show, oldest first; at most 100, those that will never be sent included."""
        return await self._outbox.after(key, part_id, BATCH)

    async def part(self, key: ChatKey, part_id: int) -> OutboxPart | None:
        """One part of this chat, or None."""
        found = await self._outbox.after(key, part_id - 1, 1)
        return found[0] if found and found[0].id == part_id else None

    async def history(self, key: ChatKey) -> dict[str, Any]:
        """The newest talk of a chat, oldest first, and the id to go on from."""
        parts: deque[OutboxPart] = deque(maxlen=HISTORY)
        last = 0
        while batch := await self.after(key, last):
            parts.extend(batch)
            last = batch[-1].id
        said = [(part.created_at, 1, part.id, part_json(part)) for part in parts if part.state not in UNSEEN]
        asked = [
            (exchange.at, 0, exchange.id, {"from": "you", "at": exchange.at, "text": exchange.question})
            for exchange in await self._record.history(key, HISTORY)
        ]
        lines = sorted([*said, *asked], key=lambda line: line[:3])
        return {"messages": [line[3] for line in lines][-HISTORY:], "last": last}


def part_json(part: OutboxPart) -> Mapping[str, Any]:
    """A part as the page reads it."""
    line: dict[str, Any] = {"from": "bot", "id": part.id, "at": part.created_at, "text": part.reply.text}
    if part.reply.choices:
        line["choices"] = [{"id": choice.id, "label": choice.label} for choice in part.reply.choices]
    if part.reply.attachment is not None:
        line["file"] = {
            "name": part.reply.attachment.name,
            "url": f"/api/chat/files/{part.id}",
            "bytes": len(part.reply.attachment.data),
        }
    return line
