"""Twelve canaries through the whole bot, in a process of its own: none is found where it must not be."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from config.settings import ROOT
from domain.messages import ChatKey
from memory.checkpointer import Checkpointer
from memory.opening import open_store
from memory.serializer import StateSerializer
from tests.acceptance.processes import environment
from tests.fakes.openai import Body, FakeOpenAI, Step, answer
from tests.fakes.telegram import FakeTelegram
from tests.fakes.whatsapp import TOKEN as WHATSAPP_TOKEN
from tests.fakes.whatsapp import FakeGraph
from tests.fakes.whatsapp_payloads import ACCOUNT, one, text

BOT_TOKEN = "515151:AAkanariTokenOfTheBot_0123456789abcde"
SECRETS = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "WHATSAPP_ACCESS_TOKEN": WHATSAPP_TOKEN,
    "WHATSAPP_APP_SECRET": "kanari-app-secret-51f0",
    "WHATSAPP_VERIFY_TOKEN": "kanari-verify-token-77",
    "OPENAI_API_KEY": "sk-kanari-model-key-0123456789",
    "HTTP_TOKEN": "kanari-http-token-9abc",
}
PIN, OTP, VOUCHER, IDENTITY = "483917", "730519", "48213377105526", "10293847561"
TYPED = (PIN, OTP, VOUCHER)
SPELLINGS = (
    "+227 90 31 42 53",
    "+22790314253",
    "0022790314253",
    "22790314253",
    "90314253",
    "90 31 42 53",
    "90-31-42-53",
    "90.31.42.53",
)
NUMBER = "90314253"
SENDER = "22791726354"  # who writes on WhatsApp: the platform itself names the number
ADMIN, SUBSCRIBER = 1001, 2002
BEHIND = "combien coûte 1 Go par semaine ?"

# The real entry point, with a handler that fails on one word and quotes all it knows.
_PROCESS = """
import sys, bot.turn
from agent.answerer import Agent
from bot.__main__ import main
from config.settings import Settings, secrets_of
answer = Agent.answer
async def breaks(self, question):
    if "explose" in question.text:
        said = f"{question.text} +227 90 31 42 53 mon code pin 483917"
        raise ValueError(f"{said} {secrets_of(Settings.load())}")
    return await answer(self, question)
Agent.answer = breaks
bot.turn.RETRY_SECONDS = (0.01, 0.01)
sys.exit(main(["run"]))
"""


def parrot(body: Body) -> Step:
    """A model that says everything it was told."""
    return answer("\n".join(str(message.get("content")) for message in body["messages"][1:])[:2000])


@dataclass
class Run:
    """What the bot left behind, wherever it left it."""

    folder: Path
    telegram: FakeTelegram
    graph: FakeGraph
    model: FakeOpenAI
    output: list[bytes] = field(default_factory=list)
    metrics: str = ""
    exports: list[str] = field(default_factory=list)

    def logs(self) -> str:
        file = (self.folder / "bot.log").read_text(encoding="utf-8")
        return file + b"".join(self.output).decode()

    def bodies(self) -> str:
        return json.dumps(self.model.bodies, ensure_ascii=False)

    def told_to_admins(self) -> str:
        return "\n".join(sent.text for sent in self.telegram.chats[ADMIN])


@asynccontextmanager
async def process(run: Run) -> AsyncIterator[str]:
    """The bot as `python -m bot run` starts it; yields the address of its server."""
    settings = {
        **SECRETS,
        "TELEGRAM_API_BASE_URL": run.telegram.url,
        "WHATSAPP_PHONE_NUMBER_ID": ACCOUNT,
        "WHATSAPP_GRAPH_BASE_URL": run.graph.base_url,
        "OPENAI_BASE_URL": run.model.url,
        "OPENAI_TRANSCRIPTION_MODEL": "whisper",
        "ADMIN_CHAT_IDS": str(ADMIN),
        "LOG_LEVEL": "DEBUG",
        "LOG_JSON": "true",
        "LOG_FILE": str(run.folder / "bot.log"),
        "HTTP_PORT": "0",
        "BURST_WINDOW": "0",
        "CHAT_RATE_PER_MINUTE": "6000",
        "PYTHONPATH": str(ROOT),
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PROCESS,
        cwd=run.folder,
        env=environment(run.folder, **settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert started.stdout is not None
    try:
        async with asyncio.timeout(60):
            while b"Page de discussion" not in (line := await started.stdout.readline()):
                assert line, b"".join(run.output).decode()
                run.output.append(line)
        listening = re.search(rb"http://[\d.:]+", line)
        assert listening is not None
        reading = asyncio.create_task(started.stdout.read())
        yield listening[0].decode()
        started.terminate()
        run.output.append(await reading)
        assert await started.wait() == 0
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def say(run: Run, chat: int, *texts: str) -> None:
    """Send texts and wait until what follows them is answered too."""
    for written in texts:
        run.telegram.push_text(chat, written, name=f"Awa {SPELLINGS[5]}")
    before = ids_told(run, chat)
    run.telegram.push_text(chat, "/id")
    await run.telegram.until(lambda: ids_told(run, chat) > before, seconds=30)


def ids_told(run: Run, chat: int) -> int:
    return sum(str(chat) in sent.text for sent in run.telegram.chats[chat])


async def on_telegram(run: Run) -> None:
    await say(run, SUBSCRIBER, "bonjour", f"mon code pin est {PIN}", f"j'ai reçu le code de validation {OTP}")
    await say(run, SUBSCRIBER, f"je recharge avec {VOUCHER} et ça ne marche pas")
    for number, spelling in enumerate(SPELLINGS):
        await say(run, 3000 + number, f"mon numéro {spelling} a 500 F, je veux internet pour la semaine")
    await say(run, SUBSCRIBER, f"ma carte d'identité {IDENTITY}, combien coûte 2 Go ?")
    await say(run, SUBSCRIBER, f"je veux parler à une personne, code pin {PIN}, tel {SPELLINGS[0]}")
    run.telegram.methods.add_file("voice", b"OggS" * 50)
    run.telegram.push_message(
        SUBSCRIBER, voice={"file_id": "voice", "file_unique_id": "v", "duration": 3, "file_size": 200}
    )
    run.telegram.push({"message": {"text": f"code pin {PIN} {NUMBER}", "chat": {"id": [SUBSCRIBER]}}})
    await say(run, SUBSCRIBER, f"explose, mon code pin {PIN} et le {SPELLINGS[5]}")
    await run.telegram.until(lambda: "TURN_PARKED" in run.told_to_admins(), seconds=20)
    run.telegram.push_text(SUBSCRIBER, "/mesdonnees")
    await run.telegram.until(lambda: any(sent.file for sent in run.telegram.chats[SUBSCRIBER]))
    run.exports += [sent.file[1].decode() for sent in run.telegram.chats[SUBSCRIBER] if sent.file]
    for command in ("/stats", "/sessions", "/questions", "/alertes"):
        before = len(run.telegram.chats[ADMIN])
        run.telegram.push_text(ADMIN, command)
        await run.telegram.wait_sent(ADMIN, before + 1, seconds=20)


async def on_whatsapp(run: Run, url: str) -> None:
    run.graph.callback = f"{url}/whatsapp"
    async with aiohttp.ClientSession() as http:
        forged = json.dumps(one(text(f"pin {PIN}", sender=SENDER)))
        async with http.post(run.graph.callback, data=forged) as refused:
            assert refused.status in {401, 403}
    for body in (f"mon code pin est {PIN}", f"le {SPELLINGS[1]} veut 500 F de data pour la semaine", "/aide"):
        assert await run.graph.push(one(text(body, sender=SENDER))) == 200
    await until(lambda: any("/historique" in sent.text for sent in run.graph.sent))


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # the fake server is polled, it tells nobody
            await asyncio.sleep(0.02)


async def on_the_page(run: Run, url: str) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        async with http.post(f"{url}/api/chat/start") as started:
            token = (await started.json())["token"]
        headers = {"Authorization": f"Bearer {token}"}
        for number, said in enumerate((f"code secret {PIN}", f"tel {SPELLINGS[6]} {BEHIND}", "/mesdonnees")):
            posted = {"id": f"message-{number}", "text": said}
            async with http.post(f"{url}/api/chat/messages", json=posted, headers=headers) as taken:
                assert taken.status == 202
        shown: dict[str, Any] = {"messages": []}
        async with asyncio.timeout(20):
            while "mes-donnees" not in str(shown):
                async with http.get(f"{url}/api/chat/history", headers=headers) as history:
                    shown = await history.json()
        run.exports.append(json.dumps(shown, ensure_ascii=False))
        async with http.get(f"{url}/metrics") as refused:
            assert refused.status == 401
        operator = {"Authorization": f"Bearer {SECRETS['HTTP_TOKEN']}"}
        for path in ("/metrics", "/sessions", "/performance", "/readyz", "/openapi.json"):
            async with http.get(url + path, headers=operator) as figures:
                assert figures.status == 200
                run.metrics += await figures.text()


def digits(text: str) -> str:
    """The text with the separators inside numbers taken out."""
    return re.sub(r"(?<=\d)[ .\-](?=\d)", "", text)


def cells(path: Path) -> Iterator[tuple[str, str, str]]:
    """Everything a database holds: table, column, value as text."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            rows = connection.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in rows.description]
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    readable = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                    yield table, name, readable


async def states(path: Path) -> str:
    """Every session's state as it would be read back."""
    with closing(sqlite3.connect(path)) as connection:
        threads = [row[0] for row in connection.execute("SELECT DISTINCT thread_id FROM checkpoints")]
    read = []
    async with open_store(path) as store:
        saver = Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=0)
        for thread in threads:
            assert ChatKey.parse(thread)
            found = await saver.aget_tuple({"configurable": {"thread_id": thread}})
            assert found is not None
            read.append(str(found.checkpoint["channel_values"]))
    assert len(read) > 8
    return "\n".join(read)


@pytest.mark.timeout(180)
async def test_no_canary_is_found_where_it_must_not_be(tmp_path: Path) -> None:
    spoken = f"mon code pin est {PIN} et mon numéro est le {SPELLINGS[0]}"
    async with (
        FakeTelegram(token=BOT_TOKEN) as telegram,
        FakeGraph(secret=SECRETS["WHATSAPP_APP_SECRET"]) as graph,
        FakeOpenAI(parrot, transcript=spoken) as model,
    ):
        run = Run(tmp_path, telegram, graph, model)
        async with process(run) as url:
            await on_telegram(run)
            await on_whatsapp(run, url)
            await on_the_page(run, url)
            for file in tmp_path.glob("memory.db*"):  # while it runs: the log of the database too
                data = file.read_bytes()
                assert not [typed for typed in (*TYPED, *SECRETS.values()) if typed.encode() in data], file
        await everything_else(run)


async def everything_else(run: Run) -> None:
    places = {
        "logs": run.logs(),
        "model": run.bodies(),
        "metrics": run.metrics,
        "admins": run.told_to_admins(),
        "exports": "\n".join(run.exports),
        "subscribers": "\n".join(sent.text for sent in run.telegram.sent),
    }
    assert len(run.model.bodies) > 10
    assert "turn crashed" in places["logs"]
    assert "Traceback" in places["logs"]
    assert "update set aside" in places["logs"]
    spoken = [s.text for s in run.telegram.chats[SUBSCRIBER] if "[masqué]" in s.text and "[numéro]" in s.text]
    assert spoken, "the voice note was heard"
    for place, found in places.items():
        secrets = [name for name, secret in SECRETS.items() if secret in found]
        assert not secrets, (place, secrets)
        assert not [typed for typed in TYPED if typed in found], place
        # An export is the subscriber's own, with the parked message as it came.
        assert place == "exports" or NUMBER not in digits(found), place
    assert SENDER not in digits(places["logs"] + places["metrics"] + places["model"])
    assert IDENTITY not in places["logs"] + places["model"] + places["admins"]
    database = run.folder / "memory.db"
    remembered = await states(database)
    for canary in (*TYPED, NUMBER, IDENTITY, SENDER):
        assert canary not in digits(remembered), canary
    for table, column, value in cells(database):
        assert not [typed for typed in (*TYPED, *SECRETS.values()) if typed in value], (table, column)
        # The parked message waits as it came, for a replay, and stands so in the export of who wrote it.
        if table == "inbox" or column == "attachment":
            continue
        assert NUMBER not in digits(value), (table, column)
        assert SENDER not in value or column in {"chat", "thread_id", "phone"}, (table, column)
