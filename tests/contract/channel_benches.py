"""Each channel in front of its platform, seen through one pair of glasses: what arrives, what goes wrong."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from channels.base import Channel, Receipt
from channels.chunking import PartWords
from channels.telegram import TelegramChannel
from channels.telegram_request import BotEndpoint
from channels.web import WebChannel, part_json
from channels.whatsapp import WhatsAppChannel
from channels.whatsapp_compose import Words
from channels.whatsapp_graph import Graph, GraphEndpoint
from config.settings import ROOT
from config.texts import Texts
from domain.messages import ChatKey, InboundMessage, MessageKind, Reply, Sender
from memory.opening import open_store
from memory.records import OutboxPart, SendState
from memory.sqlite import SqliteStore
from tests.fakes import telegram_faults
from tests.fakes import whatsapp_steps as steps
from tests.fakes.telegram import TOKEN as TELEGRAM_TOKEN
from tests.fakes.telegram import FakeTelegram
from tests.fakes.whatsapp import TOKEN as WHATSAPP_TOKEN
from tests.fakes.whatsapp import FakeGraph
from tests.fakes.whatsapp_payloads import ACCOUNT

TEXTS = Texts.load(ROOT / "data" / "texts")
# What can go wrong, by the name of the error it must become; "lost answer" happens after delivery.
TELEGRAM_FAULTS = {
    "lost answer": telegram_faults.reset(processed=True),
    "server error": telegram_faults.server_error(processed=True),
    "told to wait": telegram_faults.flood(7),
    "chat gone": telegram_faults.blocked(),
    "markup refused": telegram_faults.bad_request("can't parse entities: unexpected end tag"),
    "refused": telegram_faults.bad_request("message is too long"),
    "credentials refused": telegram_faults.unauthorized(),
}
WHATSAPP_FAULTS = {
    "lost answer": steps.PROCESSED_THEN_RESET,
    "server error": steps.PROCESSED_THEN_500,
    "told to wait": steps.error(131056),
    "chat gone": steps.error(131026),
    "markup refused": steps.error(100),
    "refused": steps.error(131049),
    "credentials refused": steps.error(190, 401),
}


@dataclass(frozen=True, slots=True)
class Bench:
    """One channel, and what is on the subscriber's phone: texts, files, ids of choices that can be tapped."""

    channel: Channel
    chat: str
    arrived: Callable[[], Sequence[str]]
    files: Callable[[], Sequence[bytes]]
    taps: Callable[[], Sequence[str]]
    fail: Callable[[str], None]
    stop: Callable[[], AbstractAsyncContextManager[None]]

    @property
    def key(self) -> ChatKey:
        return ChatKey(self.channel.name, self.channel.account, self.chat)

    def part(self, reply: Reply | str, *, number: int = 1, plain: bool = False) -> OutboxPart:
        reply = Reply(reply) if isinstance(reply, str) else reply
        now = time.time()
        return OutboxPart(number, self.key, reply, SendState.SENDING, created_at=now, due_at=now, plain=plain)

    def inbound(self) -> InboundMessage:
        return InboundMessage(self.key, "1", MessageKind.TEXT, "x", Sender(self.chat), 0.0, 0.0)

    async def say(self, reply: Reply, *, plain: bool = False) -> None:
        for number, piece in enumerate(self.channel.split(reply).parts, 1):
            await self.channel.send(self.part(piece, number=number, plain=plain))


@asynccontextmanager
async def telegram(folder: Path) -> AsyncIterator[Bench]:
    async with FakeTelegram() as fake, aiohttp.ClientSession() as session:
        endpoint = BotEndpoint(fake.url, SecretStr(TELEGRAM_TOKEN))
        channel = TelegramChannel(session, endpoint, PartWords.of(TEXTS))

        @asynccontextmanager
        async def stopped() -> AsyncIterator[None]:
            await fake.stop()
            yield

        yield Bench(
            channel,
            "7",
            arrived=lambda: [sent.text for sent in fake.sent],
            files=lambda: [sent.file[1] for sent in fake.sent if sent.file],
            taps=lambda: [b["callback_data"] for s in fake.sent for b in s.buttons if "callback_data" in b],
            fail=lambda name: fake.faults.plan("*", TELEGRAM_FAULTS[name]),
            stop=stopped,
        )


@asynccontextmanager
async def whatsapp(folder: Path) -> AsyncIterator[Bench]:
    async with FakeGraph() as fake, aiohttp.ClientSession() as session:

        async def last_inbound(key: ChatKey) -> float:
            return time.time() - 60

        endpoint = GraphEndpoint(fake.base_url, SecretStr(WHATSAPP_TOKEN), ACCOUNT)
        channel = WhatsAppChannel(Graph(session, endpoint), Words.of(TEXTS), last_inbound=last_inbound)

        @asynccontextmanager
        async def stopped() -> AsyncIterator[None]:
            await fake.stop()
            yield

        yield Bench(
            channel,
            "22790000001",
            arrived=lambda: [sent.text for sent in fake.sent],
            files=lambda: [fake.media[sent.media].data for sent in fake.sent if sent.media],
            taps=lambda: [tap for sent in fake.sent for tap in sent.taps],
            fail=lambda name: fake.script.insert(0, WHATSAPP_FAULTS[name]),
            stop=stopped,
        )
        assert not fake.faults


class ShownPage(WebChannel):
    """The page, which shows the rows of the outbox; here those that were sent."""

    def __init__(self, store: SqliteStore) -> None:
        super().__init__(store.outbox, store.long_term, TEXTS)
        self.shown: list[OutboxPart] = []

    async def send(self, part: OutboxPart) -> Receipt:
        self.shown.append(part)
        return await super().send(part)


@asynccontextmanager
async def web(folder: Path) -> AsyncIterator[Bench]:
    async with open_store(folder / "memory.db") as store:
        channel = ShownPage(store)
        shown = channel.shown

        @asynccontextmanager
        async def stopped() -> AsyncIterator[None]:
            channel.close()
            yield

        yield Bench(
            channel,
            "chat",
            arrived=lambda: [part_json(part)["text"] for part in shown],
            files=lambda: [part.reply.attachment.data for part in shown if part.reply.attachment],
            taps=lambda: [choice["id"] for part in shown for choice in part_json(part).get("choices", ())],
            fail=lambda name: None,
            stop=stopped,
        )


BENCHES = {"telegram": telegram, "whatsapp": whatsapp, "web": web}
