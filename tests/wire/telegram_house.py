"""What the Telegram tests build again and again: a bot at the fake, an inbox, a part to send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from pydantic import SecretStr

from channels.chunking import PartWords
from channels.telegram import TelegramChannel
from channels.telegram_request import BotEndpoint
from channels.telegram_waits import Waits
from config.settings import ROOT
from config.texts import Texts
from domain.messages import Accepted, ChatKey, Choice, InboundMessage, Reply
from memory.records import OutboxPart, SendState
from tests.fakes.telegram import TOKEN, FakeTelegram

ACCOUNT = TOKEN.partition(":")[0]
TEXTS = Texts.load(ROOT / "data" / "texts")
QUICK = Waits(poll=1, first=0.01, cap=0.05, conflict=0.05, refused=0.05, busy=0.01)


@dataclass(slots=True)
class Inbox:
    """Stores like the real one: all or nothing, once per external id. `refuse` may raise for a message."""

    messages: list[InboundMessage] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)
    aside: list[tuple[str, bytes, str]] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)
    aside_troubles: list[Exception] = field(default_factory=list)
    refuse: Callable[[InboundMessage], None] = lambda message: None

    async def accept(self, messages: Sequence[InboundMessage]) -> Accepted:
        self.offered += [message.external_id for message in messages]
        if self.troubles:
            raise self.troubles.pop(0)
        for message in messages:
            self.refuse(message)
        known = {message.external_id for message in self.messages}
        new = [message for message in messages if message.external_id not in known]
        self.messages += new
        return Accepted(len(new), len(messages) - len(new))

    async def set_aside(self, source: str, raw: bytes, error: str) -> None:
        if self.aside_troubles:
            raise self.aside_troubles.pop(0)
        self.aside.append((source, raw, error))

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]


@dataclass(frozen=True, slots=True)
class House:
    fake: FakeTelegram
    session: aiohttp.ClientSession
    endpoint: BotEndpoint
    inbox: Inbox
    troubles: list[tuple[str, str]]

    def channel(self, *, send_seconds: float = 10.0) -> TelegramChannel:
        farewell = TEXTS.get("telegram.farewell")
        return TelegramChannel(
            self.session, self.endpoint, PartWords.of(TEXTS), farewell=farewell, send_seconds=send_seconds
        )

    def on_trouble(self, kind: str, text: str) -> None:
        self.troubles.append((kind, text))


@asynccontextmanager
async def house(*, retry_scale: float = 0.01) -> AsyncIterator[House]:
    """A fake Telegram, and a bot's side of it."""
    async with FakeTelegram(retry_scale=retry_scale) as fake, aiohttp.ClientSession() as session:
        yield House(fake, session, BotEndpoint(fake.url, SecretStr(TOKEN)), Inbox(), [])


def key(chat: int | str) -> ChatKey:
    return ChatKey("telegram", ACCOUNT, str(chat))


def part(
    chat: int | str, text: str, *, choices: Sequence[Choice] = (), plain: bool = False, number: int = 1
) -> OutboxPart:
    reply = Reply(text, choices=tuple(choices))
    return OutboxPart(number, key(chat), reply, SendState.SENDING, created_at=0.0, due_at=0.0, plain=plain)
