"""Every implementation of the Store, and what the contract suite gives it to do."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from domain.messages import ChatKey, InboundMessage, Language, MessageKind, Reply, Sender
from memory.base import Store
from memory.opening import open_store
from memory.records import Exchange, OutboxPart, SendState, SessionRecord, Settlement, Turn, TurnCommit

AMINA = ChatKey("telegram", "777", "1")
BOUBE = ChatKey("telegram", "777", "12")  # a name that begins like Amina's
CHAIBOU = ChatKey("whatsapp", "555", "22790000000")
BACKLOG = 50

_numbers = count(1)


class Clock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class House:
    """One store that can be closed and opened again."""

    open: Callable[[House], AbstractAsyncContextManager[Store]]
    folder: Path
    clock: Clock = field(default_factory=Clock)
    troubles: list[str] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def database(self) -> Path:
        return self.folder / "memory.db"

    async def enter(self) -> Store:
        return await self.stack.enter_async_context(self.open(self))

    async def leave(self) -> None:
        await self.stack.aclose()

    async def reopened(self) -> Store:
        await self.leave()
        return await self.enter()


@asynccontextmanager
async def sqlite(house: House) -> AsyncIterator[Store]:
    async with open_store(house.database, on_trouble=house.troubles.append, clock=house.clock) as store:
        yield store


IMPLEMENTATIONS = {"sqlite": sqlite}


def message(
    key: ChatKey = AMINA,
    text: str = "bonjour",
    *,
    kind: MessageKind = MessageKind.TEXT,
    external_id: str = "",
    at: float = 0.0,
    ready_at: float = 0.0,
) -> InboundMessage:
    """A message with an id of its own."""
    return InboundMessage(
        key=key,
        external_id=external_id or f"id-{next(_numbers)}",
        kind=kind,
        text=text,
        sender=Sender(key.chat, "Amina"),
        sent_at=at,
        received_at=at,
        ready_at=ready_at,
    )


def command(key: ChatKey = AMINA, text: str = "/aide") -> InboundMessage:
    """A message that never merges."""
    return message(key, text, kind=MessageKind.COMMAND)


async def turn_of(store: Store, key: ChatKey = AMINA, text: str = "bonjour") -> Turn:
    """One message of the chat, accepted and claimed."""
    await store.inbox.accept([message(key, text)], backlog_limit=BACKLOG)
    turns = await store.inbox.claim(10, wait=0)
    (turn,) = [turn for turn in turns if turn.key == key]
    return turn


async def say(store: Store, *texts: str, key: ChatKey = AMINA) -> Turn:
    """A turn that ends with these replies."""
    turn = await turn_of(store, key)
    assert await store.commit(turn, TurnCommit(replies=tuple(Reply(text) for text in texts)))
    return turn


async def sent(store: Store, part: OutboxPart, platform_id: str = "p") -> None:
    """The platform took the part."""
    await store.outbox.settle(part, Settlement(SendState.SENT, platform_id=platform_id))


def session(key: ChatKey = AMINA, *, created: float, active: float | None = None) -> SessionRecord:
    """A session with one message."""
    return SessionRecord(key, created, created if active is None else active, messages=1)


def exchange(
    key: ChatKey = AMINA, question: str = "prix 1 Go", answer: str = "500 F", *, at: float
) -> Exchange:
    """A question with its answer."""
    return Exchange(key, at, at, question, answer, Language.FRENCH, "embedded", ("offer-1",))


def texts(turn: Turn) -> list[str]:
    """What a turn's messages say."""
    return [stored.message.text for stored in turn.messages]
