"""How the load reaches a fake platform: questions pushed in, and what the bot sent for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import aiohttp
import orjson

Arrival = tuple[float, int]  # when the platform took it, and for which chat


class Wire(Protocol):
    """One fake platform, driven over its control addresses."""

    async def skip(self) -> None:
        """Forget what was sent so far."""
        ...

    async def push(self, chat: int, text: str) -> None:
        """One question of a chat."""
        ...

    async def arrived(self) -> Sequence[Arrival]:
        """What was sent since the last look; may wait for something."""
        ...


class TelegramWire:
    """The fake Telegram."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._after = 0

    async def skip(self) -> None:
        async with self._http.get(f"{self._url}/control/stats") as response:
            self._after = int(orjson.loads(await response.read())["sent"])

    async def push(self, chat: int, text: str) -> None:
        body = orjson.dumps({"updates": [{"chat": chat, "text": text}]})
        async with self._http.post(f"{self._url}/control/push", data=body):
            pass

    async def arrived(self) -> Sequence[Arrival]:
        url = f"{self._url}/control/sent?after={self._after}&wait=5&limit=2000"
        async with self._http.get(url) as response:
            news = orjson.loads(await response.read())
        self._after = news["last"]
        return [(at, chat) for _, at, chat, _, _ in news["sent"]]


class WhatsAppWire:
    """The fake Graph API, which also reports each reply as sent and delivered, as Meta does."""

    _NUMBERS = 22_790_000_000

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._after = 0

    async def skip(self) -> None:
        self._after += len(await self._sent())

    async def push(self, chat: int, text: str) -> None:
        body = orjson.dumps({"from": str(self._NUMBERS + chat), "text": text})
        async with self._http.post(f"{self._url}/control/push", data=body) as response:
            status = orjson.loads(await response.read())["status"]
        if status != 200:
            raise RuntimeError(f"the bot answered a webhook with {status}")

    async def arrived(self) -> Sequence[Arrival]:
        while not (news := await self._sent()):  # noqa: ASYNC110  # another process, which does not signal
            await asyncio.sleep(0.02)
        self._after += len(news)
        return news

    async def _sent(self) -> Sequence[Arrival]:
        async with self._http.get(f"{self._url}/control/sent?after={self._after}") as response:
            lines = orjson.loads(await response.read())["sent"]
        return [(line["at"], int(line["to"]) - self._NUMBERS) for line in lines]
