"""The fake platforms, a model server and one bot between them, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.procs import Child, running, spawn
from config.settings import ROOT
from tests.acceptance.processes import free_port
from tests.fakes import whatsapp
from tests.fakes.telegram import TOKEN
from tests.fakes.whatsapp_payloads import ACCOUNT, APP_SECRET, VERIFY_TOKEN

OURS, TEXTBOOK, ECHO_PTB, ECHO_AIOGRAM = "ours", "textbook", "echo_ptb", "echo_aiogram"
START_SECONDS = 120.0
IN_MEMORY = Path("/dev/shm")
# What a measurement changes in our settings: no wait for a second message, no limits of rate and money, and
# the pace of a bot that the platforms let send more.
SETTINGS = {
    "BURST_WINDOW": "0",
    "CHAT_RATE_PER_MINUTE": "100000",
    "LLM_DAILY_TOKEN_BUDGET": "0",
    "LLM_CHAT_TOKEN_BUDGET": "0",
    "TELEGRAM_RATE": "2000",
    "WHATSAPP_RATE": "2000",
    "OFFER_MAX_AGE_DAYS": "36500",
}


@dataclass(frozen=True, slots=True)
class Start:
    """When a process was started, and seconds from then; `http` is 0.0 for bots that serve none."""

    at: float
    poll: float
    http: float


@dataclass(slots=True)
class Rig:
    """The servers of one measurement. `settings` are changes to those of our bot."""

    folder: Path
    http: aiohttp.ClientSession
    telegram: str
    model: str
    port: int
    whatsapp: str = ""  # the fake Graph API, when there is one
    settings: dict[str, str] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)

    @property
    def database(self) -> Path:
        """Where the bot of this rig keeps its memory."""
        return self.folder / "memory.db"

    async def start(self, bot: str) -> Child:
        """Start a bot; returns once it asks for updates and, if it is ours, answers HTTP."""
        before, at, began = await self.polls(), time.time(), time.monotonic()
        child = await spawn(bot, *self._command(bot), folder=self.folder, settings=self.environment(bot))
        try:
            self.starts.append(await self._up(bot, child, before, at, began))
        except BaseException:  # cancelled too: nobody else knows this process
            await child.kill()
            raise
        return child

    async def _up(self, bot: str, child: Child, before: int, at: float, began: float) -> Start:
        poll, http = 0.0, 0.0
        while not poll or (bot == OURS and not http):
            passed = time.monotonic() - began
            if child.process.returncode is not None or passed > START_SECONDS:
                raise RuntimeError(f"{bot} did not start: {self.log(bot)[-2000:]}")
            if not poll and await self.polls() > before:
                poll = time.monotonic() - began
            if not http and bot == OURS and await self._healthy():
                http = time.monotonic() - began
            await asyncio.sleep(0.01)
        return Start(at, poll, http)

    async def _healthy(self) -> bool:
        try:
            async with self.http.get(f"http://127.0.0.1:{self.port}/healthz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

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
            "HTTP_PORT": str(self.port),
        }
        if self.whatsapp:
            places |= {
                "WHATSAPP_ACCESS_TOKEN": whatsapp.TOKEN,
                "WHATSAPP_PHONE_NUMBER_ID": ACCOUNT,
                "WHATSAPP_APP_SECRET": APP_SECRET,
                "WHATSAPP_VERIFY_TOKEN": VERIFY_TOKEN,
                "WHATSAPP_GRAPH_BASE_URL": self.whatsapp,
            }
        return {**places, **SETTINGS, **self.settings}

    async def load(self, *arguments: str, seconds: float = 120.0) -> dict[str, float]:
        """Run the load generator to its end; its figures."""
        place = ("--telegram", self.telegram)
        if self.whatsapp:
            place = ("--whatsapp", self.whatsapp.removesuffix(f"/{whatsapp.VERSION}"))
        command = ("-m", "benchmarks.load", *place, *arguments)
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

    async def first_answer(self) -> float:
        """Seconds from the last start to the first message the bot sent, which is waited for."""
        await self.quiet(1)
        news = await self._get(f"{self.telegram}/control/sent?limit=1")
        return float(news["sent"][0][1]) - self.starts[-1].at

    async def fail_sends(self, kind: str, chance: float) -> None:
        """Let that share of sends fail from now on."""
        body = {"method": "sendMessage", "kind": kind, "chance": chance}
        await self._post(f"{self.telegram}/control/faults", body)

    async def fail_answers(self, chance: float) -> None:
        """Let that share of the model's answers be empty or broken from now on."""
        await self._post(self.model.removesuffix("/v1") + "/control/faults", {"chance": chance})

    async def quiet(self, count: int, *, silence: float = 2.5, most: float = 60.0) -> None:
        """Until so many replies are there, or after the first one the bot fell silent.

        Silent is who for `silence` seconds neither sent anything nor asked the model, which answers sooner.
        """
        over = time.monotonic() + most
        sent, signs, since = 0, (0, 0), time.monotonic()
        while sent < count and time.monotonic() < over:
            sent = int((await self.stats())["sent"])
            now = (sent, int((await self.model_stats())["calls"]))
            if now != signs:
                signs, since = now, time.monotonic()
            if sent and time.monotonic() - since > silence:
                return
            await asyncio.sleep(0.05)

    async def settled(self, count: int, *, most: float = 120.0) -> None:
        """Until our bot took so many updates and owes nothing: all sent or parked, as its database says."""
        over = time.monotonic() + most
        while time.monotonic() < over:
            if int((await self.stats())["confirmed"]) >= count and not owed(self.database):
                return
            await asyncio.sleep(0.1)

    async def _get(self, url: str) -> dict[str, Any]:
        async with self.http.get(url) as response:
            return dict(await response.json())

    async def _post(self, url: str, body: object) -> None:
        async with self.http.post(url, json=body):
            pass


def owed(database: Path) -> int:
    """Messages without an answer yet, and replies still on their way."""
    question = """SELECT (SELECT count(*) FROM inbox WHERE parked_at IS NULL)
        + (SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending', 'in_doubt'))"""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute(question).fetchone()[0])


@asynccontextmanager
async def open_rig(
    *,
    delay: float = 0.0,
    disk: bool = True,
    graph: bool = False,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Rig]:
    """The servers, in a folder thrown away at the end; without `disk` it lies in memory if it can.

    With `graph` the load goes over WhatsApp.
    """
    place = None if disk or not IN_MEMORY.is_dir() else IN_MEMORY
    port = free_port()
    servers = [
        ("telegram", "-m", "tests.fakes.telegram"),
        ("model", "-m", "benchmarks.model_server", "--delay", str(delay)),
    ]
    if graph:
        callback = f"http://127.0.0.1:{port}/whatsapp"
        servers.append(("graph", "-m", "tests.fakes.whatsapp", "--callback", callback))
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airtel-bot-bench-", dir=place)))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        started = [
            await stack.enter_async_context(running(*server, folder=folder, output=True))
            for server in servers
        ]
        telegram, model, *whatsapp_url = [await server.line() for server in started]
        yield Rig(folder, http, telegram, model, port, "".join(whatsapp_url), settings=dict(settings or {}))


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
