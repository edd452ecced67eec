"""The disk fills up, Telegram is away, the model hangs: what subscribers notice of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.acceptance.bot_process import Cold, Forked, Running, environment
from tests.acceptance.crash_runs import house, until_idle
from tests.acceptance.history import count_of
from tests.acceptance.load_runs import Latencies, post, update
from tests.acceptance.subscribers import SlowTelegram, telegram_settings
from tests.fakes.openai import HANG, FakeOpenAI

DISK = "32m"  # beyond what the log of the database takes by itself
SLOW_CHAT = 55_555  # its replies go out one a second
OWED = 6  # replies that wait for it when the disk is full
COMMAND = "/inconnu"


class Page:
    """A subscriber on the chat page."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._headers: dict[str, str] = {}
        self._said = 0
        self._last = 0

    async def open(self) -> Self:
        async with self._http.post(f"{self._url}/api/chat/start") as response:
            self._headers = {"Authorization": f"Bearer {(await response.json())['token']}"}
        return self

    async def ask(self, text: str, seconds: float = 20.0) -> str:
        """The reply; fails when there is none in time."""
        self._said += 1
        body = {"id": f"message-{self._said:04}", "text": text}
        post_url = f"{self._url}/api/chat/messages"
        async with self._http.post(post_url, json=body, headers=self._headers) as response:
            assert response.status == 202, response.status
        async with asyncio.timeout(seconds):
            while True:
                url = f"{self._url}/api/chat/history?after={self._last}"
                async with self._http.get(url, headers=self._headers) as response:
                    found = await response.json()
                if found["messages"]:
                    self._last = found["last"]
                    return str(found["messages"][0]["text"])
                await asyncio.sleep(0.05)


# The disk is full


def can_mount() -> bool:
    """Whether this machine lets us make a small disk of our own."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@dataclass
class DiskOutcome:
    """`false_acknowledgements` were answered 200 and are not in the database."""

    statuses_when_full: Latencies = field(default_factory=Latencies)
    acknowledged: int = 0
    held: int = 0
    replies_when_full: int = 0
    recovered_after: float = 0.0
    alive: bool = False
    exit_code: int = 0

    @property
    def false_acknowledgements(self) -> int:
        return max(0, self.acknowledged - self.held)


async def disk_full_run(folder: Path) -> DiskOutcome:
    """A small disk: filled to the last byte while subscribers write, then freed."""
    outcome = DiskOutcome()
    disk = folder / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size={DISK} none "{disk}" && exec "$@"'
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(SlowTelegram())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        env = environment(folder, **{**telegram_settings(telegram), "memory_db_path": disk / "memory.db"})
        env["PATH"] = os.defpath
        bots = Cold(folder, env, wrapper=("unshare", "-rm", "sh", "-c", mount, "sh"))
        await stack.enter_async_context(bots)
        running = await bots.start()
        url = await running.ready()
        inside = Path(f"/proc/{running.pid}/root{disk}")
        people = _People(telegram, http, url)
        outcome.acknowledged += await people.write(20)
        outcome.acknowledged += await people.write(OWED, chat=SLOW_CHAT)
        await telegram.wait_sent(SLOW_CHAT)
        running.pause()
        _take_all_space(inside / "filler")
        running.resume()
        await _write_until_refused(people, outcome)
        before = len(telegram.chats[SLOW_CHAT])
        await telegram.wait_sent(SLOW_CHAT, before + 1)
        outcome.replies_when_full = len(telegram.chats[SLOW_CHAT]) - before
        outcome.alive = not running.exit.done()
        (inside / "filler").unlink()
        freed = time.monotonic()
        while not await people.write(1):  # noqa: ASYNC110  # Telegram, too, just tries again
            await asyncio.sleep(0.2)
        outcome.acknowledged += 1
        outcome.recovered_after = time.monotonic() - freed
        await until_idle(http, url, queues=("inbox",))
        for name in ("memory.db", "memory.db-wal"):
            if (inside / name).exists():
                shutil.copyfile(inside / name, folder / name)
        outcome.held = count_of(folder / "memory.db", "SELECT count(*) FROM seen")
        running.terminate()
        outcome.exit_code = await running.ended()
    return outcome


def _take_all_space(filler: Path) -> None:
    """To the last byte. A bot that ran on would give its reserve back meanwhile, and lose that too."""
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


async def _write_until_refused(people: _People, outcome: DiskOutcome) -> None:
    """Until five messages were refused; meanwhile the slow chat writes on, so that it is owed replies."""
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        chat = SLOW_CHAT if people.owed(SLOW_CHAT) < OWED else 0
        outcome.acknowledged += await people.write(1, outcome.statuses_when_full, chat=chat)
        if outcome.statuses_when_full.statuses[503] >= 5:
            return
        await asyncio.sleep(0.02)


@dataclass
class _People:
    telegram: SlowTelegram
    http: aiohttp.ClientSession
    url: str
    written: int = 0
    taken: Counter[int] = field(default_factory=Counter)  # acknowledged messages by chat

    def owed(self, chat: int) -> int:
        """How many of its acknowledged messages have no reply yet."""
        return self.taken[chat] - len(self.telegram.chats[chat])

    async def write(self, count: int, latencies: Latencies | None = None, *, chat: int = 0) -> int:
        """How many of so many messages were acknowledged."""
        taken = 0
        for _ in range(count):
            self.written += 1
            text, to = COMMAND + "x" * 2000, chat or 50_000 + self.written
            body = update(self.telegram, self.written, to, text)
            acknowledged = await post(self.http, self.url, body, latencies or Latencies())
            self.taken[to] += acknowledged
            taken += acknowledged
        return taken


# Telegram is away


@dataclass
class AwayOutcome:
    """What the page got while Telegram was away, and what Telegram's subscribers got afterwards."""

    page_replies: list[str] = field(default_factory=list)
    asked: int = 0
    arrived: int = 0
    most_copies: int = 0
    in_order: bool = True
    ready_when_away: int = 0
    ready_when_back: int = 0


async def telegram_away_run(
    folder: Path, *, chats: int, pause: float, server: Path | None = None
) -> AwayOutcome:
    """Down at the start, back, down again in the middle of the work, back for good. Long polling."""
    outcome = AwayOutcome()
    telegram = SlowTelegram()
    await telegram.start()
    settings = telegram_settings(telegram)
    del settings["telegram_webhook_url"]
    await telegram.stop()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        bots = await stack.enter_async_context(Forked(folder, environment(folder, **settings), server))
        running = await bots.start()
        url = await running.ready()
        page = await Page(http, url).open()
        outcome.page_replies.append(await page.ask("/aide"))
        await telegram.start()
        stack.push_async_callback(telegram.stop)
        await _ask_all(telegram, chats, outcome)
        await telegram.wait_confirmed(seconds=60)
        await telegram.stop()
        outcome.page_replies.append(await page.ask("/inconnu"))
        await asyncio.sleep(pause)
        outcome.ready_when_away = await _status(http, f"{url}/readyz")
        await telegram.start()
        await _ask_all(telegram, chats, outcome)
        await telegram.until(lambda: sum(map(len, telegram.chats.values())) >= outcome.asked, 120)
        await until_idle(http, url)
        outcome.ready_when_back = await _status(http, f"{url}/readyz")
        running.terminate()
        await running.ended()
    _count_arrivals(telegram, outcome)
    return outcome


async def _ask_all(telegram: SlowTelegram, chats: int, outcome: AwayOutcome) -> None:
    for number in range(chats):
        telegram.push_text(60_000 + number, "/langue fr")
        telegram.push_text(60_000 + number, "/inconnu")
        outcome.asked += 2


def _count_arrivals(telegram: SlowTelegram, outcome: AwayOutcome) -> None:
    for messages in telegram.chats.values():
        texts = [message.text.split("\n")[0] for message in messages]
        outcome.arrived += len(texts)
        outcome.most_copies = max(outcome.most_copies, *(texts.count(text) - 1 for text in texts))
        outcome.in_order &= texts == [texts[0], texts[1]] * (len(texts) // 2)


async def _status(http: aiohttp.ClientSession, url: str) -> int:
    async with http.get(url) as response:
        return response.status


# The model hangs


@dataclass
class ModelOutcome:
    """Seconds until each question was answered all the same."""

    seconds: list[float] = field(default_factory=list)
    empty: int = 0
    asked_of_model: int = 0


async def hanging_model_run(
    folder: Path, *, chats: int, patience: float, server: Path | None = None
) -> ModelOutcome:
    """Every call of the model hangs; the catalogue answers instead."""
    outcome = ModelOutcome()
    async with FakeOpenAI([HANG]) as model:
        settings: dict[str, Any] = {
            "openai_base_url": model.url,
            "openai_api_key": "sk-of-the-rig",
            "llm_timeout": patience,
            "llm_turn_timeout": 2 * patience,
        }
        async with house(folder, server=server, **settings) as (_, http, bots):
            running = await bots.start()
            url = await running.ready()

            async def ask(number: int) -> None:
                page = await Page(http, url).open()
                started = time.monotonic()
                text = await page.ask(f"Quel forfait internet avec {500 * (number + 1)} F ?", 60.0)
                outcome.seconds.append(time.monotonic() - started)
                outcome.empty += not text.strip()

            async with asyncio.TaskGroup() as group:
                for number in range(chats):
                    group.create_task(ask(number))
            outcome.asked_of_model = len(model.bodies)
            await _end(running)
    return outcome


async def _end(running: Running) -> None:
    running.terminate()
    await running.ended()
