"""A fake Telegram, a model server and one bot between them, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.procs import Child, running, spawn
from config.settings import ROOT
from tests.fakes.telegram import TOKEN

OURS, TEXTBOOK, ECHO_PTB, ECHO_AIOGRAM = "ours", "textbook", "echo_ptb", "echo_aiogram"
START_SECONDS = 60.0
IN_MEMORY = Path("/dev/shm")
# What a measurement changes in our settings: no wait for a second message, no limits of rate and money, and
# the pace of a bot that Telegram lets send more.
SETTINGS = {
    "BURST_WINDOW": "0",
    "CHAT_RATE_PER_MINUTE": "100000",
    "LLM_DAILY_TOKEN_BUDGET": "0",
    "LLM_CHAT_TOKEN_BUDGET": "0",
    "TELEGRAM_RATE": "2000",
    "HTTP_PORT": "0",
    "OFFER_MAX_AGE_DAYS": "36500",
}


@dataclass(slots=True)
class Rig:
    """The servers of one measurement. `settings` are changes to those of our bot."""

    folder: Path
    http: aiohttp.ClientSession
    telegram: str
    model: str
    servers: Mapping[str, Child]
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        """Where the bot of this rig keeps its memory."""
        return self.folder / "memory.db"

    async def start(self, bot: str) -> Child:
        """Start a bot; returns once it asks for updates."""
        before = await self.polls()
        child = await spawn(bot, *self._command(bot), folder=self.folder, settings=self.environment(bot))
        over = time.monotonic() + START_SECONDS
        while await self.polls() <= before:
            if child.process.returncode is not None or time.monotonic() > over:
                await child.kill()
                raise RuntimeError(f"{bot} did not start: {self.log(bot)[-2000:]}")
            await asyncio.sleep(0.01)
        return child

    def log(self, bot: str) -> str:
        """What a bot of this rig wrote."""
        return (self.folder / f"{bot}.log").read_text(encoding="utf-8", errors="replace")

    @asynccontextmanager
    async def bot(self, name: str) -> AsyncIterator[Child]:
        """A running bot for the time of a block."""
        child = await self.start(name)
        try:
            yield child
        finally:
            await child.stop()

    def _command(self, bot: str) -> tuple[str, ...]:
        if bot == OURS:
            return "-m", "bot", "run"
        common = ("-m", f"benchmarks.peers.{bot}", "--telegram", self.telegram, "--token", TOKEN)
        if bot != TEXTBOOK:
            return common
        return *common, "--model", self.model, "--db", str(self.database), "--data", str(ROOT / "data")

    def environment(self, bot: str) -> dict[str, str]:
        """The settings a bot is started with."""
        if bot != OURS:
            return {}
        places = {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_BASE_URL": self.telegram,
            "OPENAI_BASE_URL": self.model,
            "MEMORY_DB_PATH": str(self.database),
        }
        return {**places, **SETTINGS, **self.settings}

    async def load(self, *arguments: str, seconds: float = 120.0) -> dict[str, float]:
        """Run the load generator to its end; its figures."""
        command = ("-m", "benchmarks.load", "--telegram", self.telegram, *arguments)
        child = await spawn("load", *command, folder=self.folder, output=True)
        try:
            return dict(json.loads(await child.output(seconds)))
        finally:
            await child.stop()

    async def stats(self) -> dict[str, Any]:
        """Counters of the fake Telegram."""
        return await self._get(f"{self.telegram}/control/stats")

    async def model_stats(self) -> dict[str, Any]:
        """Calls and prompt tokens the model server has seen."""
        return await self._get(self.model.removesuffix("/v1") + "/control/stats")

    async def polls(self) -> int:
        """How often a bot has asked for updates."""
        return int((await self.stats())["calls"].get("getUpdates", 0))

    async def push(self, *updates: tuple[int, str]) -> None:
        """Messages from chats, all at once."""
        items = [{"chat": chat, "text": text} for chat, text in updates]
        await self._post(f"{self.telegram}/control/push", {"updates": items})

    async def sent(self) -> list[tuple[int, str]]:
        """(chat, text) of everything the bot sent."""
        news = await self._get(f"{self.telegram}/control/sent?limit=100000")
        return [(chat, text) for _, _, chat, _, text in news["sent"]]

    async def fail_sends(self, kind: str, chance: float) -> None:
        """Let that share of sends fail from now on."""
        body = {"method": "sendMessage", "kind": kind, "chance": chance}
        await self._post(f"{self.telegram}/control/faults", body)

    async def fail_answers(self, chance: float) -> None:
        """Let that share of the model's answers be empty or broken from now on."""
        await self._post(self.model.removesuffix("/v1") + "/control/faults", {"chance": chance})

    async def quiet(self, count: int, *, silence: float = 6.0, most: float = 60.0) -> None:
        """Until so many replies are there, or after the first one nothing was sent for `silence` seconds."""
        over = time.monotonic() + most
        seen, since = 0, time.monotonic()
        while seen < count and time.monotonic() < over:
            now = int((await self.stats())["sent"])
            if now != seen:
                seen, since = now, time.monotonic()
            if seen and time.monotonic() - since > silence:
                return
            await asyncio.sleep(0.05)

    async def _get(self, url: str) -> dict[str, Any]:
        async with self.http.get(url) as response:
            return dict(await response.json())

    async def _post(self, url: str, body: object) -> None:
        async with self.http.post(url, json=body):
            pass


@asynccontextmanager
async def open_rig(
    *, delay: float = 0.0, disk: bool = True, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Rig]:
    """Both servers, in a folder thrown away at the end; without `disk` it lies in memory if it can."""
    place = None if disk or not IN_MEMORY.is_dir() else IN_MEMORY
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airtel-bot-bench-", dir=place)))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        telegram = await stack.enter_async_context(
            running("telegram", "-m", "tests.fakes.telegram", folder=folder, output=True)
        )
        model = await stack.enter_async_context(
            running(
                "model", "-m", "benchmarks.model_server", "--delay", str(delay), folder=folder, output=True
            )
        )
        urls = await telegram.line(), await model.line()
        yield Rig(
            folder, http, *urls, servers={"telegram": telegram, "model": model}, settings=dict(settings or {})
        )


async def grow(*arguments: str, model: bool = True, disk: bool = True, seconds: float = 300.0) -> Any:
    """Run `benchmarks.growth` over a new database; what it found."""
    async with open_rig(disk=disk) as rig:
        settings = {**SETTINGS, "OPENAI_BASE_URL": rig.model if model else ""}
        command = ("-m", "benchmarks.growth", *arguments, "--db", str(rig.database))
        child = await spawn("growth", *command, folder=rig.folder, output=True, settings=settings)
        try:
            return json.loads(await child.output(seconds))
        except RuntimeError as error:
            raise RuntimeError(f"{error}: {rig.log('growth')[-2000:]}") from error
        finally:
            await child.stop()
