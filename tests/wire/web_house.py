"""The chat page's side of the bot, whole and real: server, intake, channel and a database file.

Turns are answered by the test itself, step by step, through the Store.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bot.http_access import OperatorAccess
from bot.intake import Intake, IntakeLimits
from bot.server import Limits, Providers, Server
from channels.routing import Route
from channels.web import WebChannel
from channels.web_limits import AddressLimit
from channels.web_routes import WebChatEndpoints, chat_routes
from channels.web_tokens import ChatTokens
from config.settings import ROOT, Settings
from config.texts import Texts
from domain.messages import ChatKey, Language, Reply
from memory.base import Store
from memory.opening import open_store
from memory.records import Exchange, SendState, Settlement, TurnCommit
from monitoring.metrics import Metrics

TEXTS = Texts.load(ROOT / "data" / "texts")
OPERATOR = "operator-token-of-the-test"


def settings_of_a_test(**changes: object) -> Settings:
    """Settings of a test: any free port, nothing read from a `.env`."""
    return Settings.load(None).model_copy(update={"http_port": 0, **changes})


@dataclass
class House:
    """The running parts, and the hands of the test."""

    store: Store
    channel: WebChannel
    tokens: ChatTokens
    server: Server
    url: str
    client: aiohttp.ClientSession

    async def start_chat(self) -> ChatKey:
        """Begin a chat with the client's cookie."""
        async with self.client.post(self.url + "/api/chat/start") as answer:
            assert answer.status == 201
            return self.key((await answer.json())["token"])

    def key(self, token: str) -> ChatKey:
        """The chat that a token proves."""
        chat = self.tokens.chat(token)
        assert chat is not None
        return ChatKey("web", "page", chat)

    async def post(self, body: object, **more: Any) -> tuple[int, dict[str, Any]]:
        """Post one message; the status and what it says."""
        async with self.client.post(self.url + "/api/chat/messages", json=body, **more) as answer:
            return answer.status, await answer.json()

    async def history(self, query: str = "") -> dict[str, Any]:
        """What the page would show."""
        async with self.client.get(f"{self.url}/api/chat/history{query}") as answer:
            assert answer.status == 200
            return dict(await answer.json())

    async def answer(self, *replies: Reply) -> str:
        """Run the next turn: commit these replies and send them; returns what was asked."""
        turn = (await self.store.inbox.claim(1, wait=5.0))[0]
        asked = "\n".join(stored.message.text for stored in turn.messages)
        now = turn.messages[-1].message.received_at
        exchange = Exchange(turn.key, now, now, asked, replies[0].text, Language.FRENCH, "embedded")
        assert await self.store.commit(turn, TurnCommit(replies=tuple(replies), exchange=exchange))
        await self.send(len(replies))
        return asked

    async def say(self, key: ChatKey, *replies: Reply) -> None:
        """Say something outside a turn."""
        await self.store.outbox.enqueue(key, replies)
        await self.send(len(replies))

    async def send(self, count: int) -> None:
        """Send what is queued, as the sender does."""
        while count:
            for part in await self.store.outbox.claim(10, wait=5.0):
                receipt = await self.channel.send(part)
                sent = Settlement(SendState.SENT, platform_id=receipt.platform_id)
                await self.store.outbox.settle(part, sent)
                count -= 1

    async def echo(self) -> None:
        """Answer every turn with what was asked, until cancelled."""
        while True:
            for turn in await self.store.inbox.claim(1, wait=0.5):
                last = turn.messages[-1].message
                await self.channel.show_typing(turn.key, last)
                await self.store.commit(turn, TurnCommit(replies=(Reply(f"Vous : {last.text}"),)))
                await self.send(1)


@asynccontextmanager
async def open_house(
    folder: Path,
    *,
    settings: Settings | None = None,
    limits: Limits | None = None,
    intake: IntakeLimits | None = None,
    starts: AddressLimit | None = None,
    heartbeat: float = 15.0,
    providers: Providers | None = None,
    operators: OperatorAccess | None = None,
    routes: Callable[[Store], Sequence[Route]] | None = None,
) -> AsyncIterator[House]:
    """Start everything on a fresh database file (or the one that is there)."""
    async with open_store(folder / "memory.db") as store:
        channel = WebChannel(store.outbox, store.long_term, TEXTS)
        tokens = await ChatTokens.load(store.notes)
        gate = Intake(
            store,
            TEXTS,
            Metrics(),
            mask=lambda text: (text, ()),
            limits=intake or IntakeLimits(burst_window=0),
        )
        endpoints = WebChatEndpoints(channel, gate.accept, tokens, TEXTS, starts=starts, heartbeat=heartbeat)
        table = (*chat_routes(endpoints), *(routes(store) if routes else ()))
        server = Server(
            settings or settings_of_a_test(),
            table,
            limits=limits,
            providers=providers,
            operators=operators,
            on_stop=[channel.close],
        )
        host, port = await server.start()
        jar = aiohttp.CookieJar(unsafe=True)  # accept cookies of an IP address
        async with aiohttp.ClientSession(cookie_jar=jar) as client:
            try:
                yield House(store, channel, tokens, server, f"http://{host}:{port}", client)
            finally:
                await server.stop()
                await gate.drain()


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until it holds, and fail when it does not in time."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  # what is watched sends no event
            await asyncio.sleep(0.02)


class Events:
    """Reads one event stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next(self) -> tuple[str, dict[str, Any]]:
        """The next event: its name and its data."""
        name, data = "message", ""
        async with asyncio.timeout(5):
            async for raw in self._answer.content:
                line = raw.decode().rstrip("\n")
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif field == "retry":
                    return "retry", {"milliseconds": int(value)}
                elif not line and data:
                    return name, json.loads(data)
        return "end", {}

    async def texts(self, count: int) -> list[str]:
        """The texts of the next messages."""
        found: list[str] = []
        while len(found) < count:
            name, data = await self.next()
            assert name != "end"
            if name == "message":
                found.append(data["text"])
        return found


@asynccontextmanager
async def listening(
    house: House, query: str = "", headers: dict[str, str] | None = None
) -> AsyncIterator[Events]:
    """Listen to the client's chat."""
    async with house.client.get(f"{house.url}/api/chat/events{query}", headers=headers or {}) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        yield Events(answer)
