"""Telegram's side of a crash run: delivers until it is told 200, sometimes twice, and sends slowly."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from tests.fakes.telegram import TOKEN, FakeTelegram

ACCOUNT = TOKEN.partition(":")[0]
SECRET = "secret-of-the-rig"
FIRST_CHAT = 7000
HEADERS = {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"}
# Texts stand between commands, so that no two of them can be merged into one turn.
QUESTIONS = (
    "/langue fr",
    "Bonjour",
    "/aide",
    "Quel forfait internet pour une semaine ?",
    "/langue en",
    "How do I check my balance?",
    "/inconnu",
    "Comment envoyer de l'argent avec Airtel Money ?",
)


def script(messages: int) -> list[str]:
    """What every chat asks."""
    return [QUESTIONS[number % len(QUESTIONS)] for number in range(messages)]


class SlowTelegram(FakeTelegram):
    """Sends take 1 to 20 ms, before and after the message reaches the phone: a kill falls on either side."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(record=False)
        self._dice = random.Random(seed)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self._dice.uniform(0.0005, 0.01))
        try:
            response = await super()._call(request)
        except ConnectionError:  # the bot died while it was talking to us
            return web.Response(status=499)
        await asyncio.sleep(self._dice.uniform(0.0005, 0.01))
        return response

    def texts(self) -> dict[str, list[str]]:
        """What each phone shows, in order."""
        return {str(chat): [sent.text for sent in messages] for chat, messages in self.chats.items()}


@dataclass
class Subscribers:
    """One FIFO per chat, the next message only after the 200 of the one before, as Telegram delivers."""

    http: aiohttp.ClientSession
    telegram: FakeTelegram
    asks: Sequence[str]
    chats: int
    duplicates: float = 0.05
    seed: int = 1
    acknowledged: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    copies_sent: int = 0
    _url: str = ""
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _quota: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def open(self, url: str, quota: int) -> None:
        """The bot is up: deliver at most so many messages until it is closed."""
        self._url = url
        self._quota = asyncio.Semaphore(quota)
        self._open.set()

    def close(self) -> None:
        """Nobody starts a delivery any more; those on their way may still meet a bot."""
        self._open.clear()

    async def run(self) -> None:
        """Until every message of every chat is acknowledged."""
        async with asyncio.TaskGroup() as group:
            for number in range(self.chats):
                group.create_task(self._chat(FIRST_CHAT + number))

    async def _chat(self, chat: int) -> None:
        dice = random.Random(self.seed * 1_000_003 + chat)
        for number, text in enumerate(self.asks):
            update = {"update_id": chat * 100_000 + number, "message": self.telegram.message(chat, text=text)}
            body = orjson.dumps(update)
            while True:
                await self._open.wait()
                quota = self._quota
                await self._permission(quota)
                if quota is self._quota and await self._deliver(body):
                    break
                quota.release()
                await asyncio.sleep(dice.uniform(0.01, 0.04))
            self.acknowledged[str(chat)] += 1
            if dice.random() < self.duplicates:
                self.copies_sent += 1
                await self._deliver(body)
            await asyncio.sleep(dice.uniform(0.0, 0.02))

    async def _permission(self, quota: asyncio.Semaphore) -> None:
        """A place in this life of the bot; when it ends first, in whatever life comes next."""
        while quota is self._quota:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await quota.acquire()
                    return

    async def _deliver(self, body: bytes) -> bool:
        url = f"{self._url}/telegram"
        timeout = aiohttp.ClientTimeout(total=10.0)
        try:
            async with self.http.post(url, data=body, headers=HEADERS, timeout=timeout) as response:
                await response.read()
                self.statuses[response.status] += 1
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False


def telegram_settings(telegram: FakeTelegram) -> dict[str, Any]:
    """Settings of a bot that Telegram reaches by webhook."""
    return {
        "telegram_bot_token": TOKEN,
        "telegram_api_base_url": telegram.url,
        "telegram_webhook_url": "https://bot.invalid/telegram",
        "telegram_webhook_secret": SECRET,
    }
