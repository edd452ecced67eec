"""Every problem of the French guide, provoked: the bot prints what the page quotes."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from config.settings import ROOT
from tests.acceptance.processes import free_port, run_bot
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.fakes.telegram_faults import Fault, unauthorized
from tests.wire.house import bot

PAGE = (ROOT / "docs" / "fr" / "problemes-courants.md").read_text(encoding="utf-8")
PROVOKED: set[str] = set()


def quoted(title: str) -> str:
    """The message the page quotes under a title."""
    match = re.search(rf"^### {re.escape(title)}\n\n```\n(.+?)\n```", PAGE, re.MULTILINE | re.DOTALL)
    assert match is not None, title
    PROVOKED.add(title)
    return match[1]


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = run_bot(tmp_path, "run", HTTP_PORT=port)
    assert result.returncode == 2
    assert quoted("Le port est pris").replace("8000", port) in result.stderr


@pytest.mark.parametrize(
    ("title", "settings"),
    [
        ("Il écoute hors de la machine sans jeton", {"HTTP_HOST": "0.0.0.0"}),
        ("WhatsApp est réglé à moitié", {"WHATSAPP_ACCESS_TOKEN": "EAAx"}),
        ("Le jeton Telegram n'a pas la bonne forme", {"TELEGRAM_BOT_TOKEN": "abc"}),
        ("Le dossier des connaissances n'existe pas", {"KNOWLEDGE_PATH": "/nulle/part"}),
    ],
)
def test_a_setting_that_cannot_be(tmp_path: Path, title: str, settings: dict[str, str]) -> None:
    result = run_bot(tmp_path, "run", HTTP_PORT=str(free_port()), **settings)
    assert result.returncode == 2
    assert quoted(title) in result.stderr


def test_a_wrong_cell_of_the_catalogue(tmp_path: Path) -> None:
    knowledge = tmp_path / "data"
    shutil.copytree(ROOT / "data", knowledge, ignore=shutil.ignore_patterns("*.db*"))
    offers = knowledge / "catalogue" / "offers.csv"
    lines = offers.read_text(encoding="utf-8").splitlines()
    lines[2] = lines[2].replace(",500,", ",cinq cents,")
    offers.write_text("\n".join(lines), encoding="utf-8")
    result = run_bot(tmp_path, "run", KNOWLEDGE_PATH=str(knowledge), HTTP_PORT=str(free_port()))
    assert result.returncode == 2
    message = quoted("Un fichier du catalogue est faux")
    assert message in result.stderr
    checked = run_bot(tmp_path, "check", KNOWLEDGE_PATH=str(knowledge))
    assert checked.returncode == 1
    assert message.removeprefix("airtel-bot : ") in checked.stdout


async def test_a_database_in_use(tmp_path: Path) -> None:
    async with bot(tmp_path):
        copy = tmp_path / "copie.db"
        assert run_bot(tmp_path, "backup", str(copy)).returncode == 0
        again = run_bot(tmp_path, "backup", str(copy))
        assert quoted("La copie existe déjà") in again.stderr
        restored = run_bot(tmp_path, "restore", str(copy))
        assert restored.returncode == 2
        assert quoted("Restaurer pendant que le bot tourne") in restored.stderr
        second = run_bot(tmp_path, "run", HTTP_PORT=str(free_port()))
        assert second.returncode == 2
        assert quoted("La base est déjà ouverte") in second.stderr


async def test_a_newer_and_a_damaged_database(tmp_path: Path) -> None:
    async with bot(tmp_path):
        pass
    path = tmp_path / "memory.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    result = run_bot(tmp_path, "run", HTTP_PORT=str(free_port()))
    assert result.returncode == 2
    assert quoted("La base vient d'une version plus récente") in result.stderr
    path.write_bytes(b"no database at all" * 1000)
    async with bot(tmp_path) as house:
        told = [text for _, text in house.app.core.alerting.recent]
    assert quoted("La base est endommagée") in "\n".join(told)


@pytest.mark.parametrize(
    ("title", "fault"),
    [
        ("Telegram refuse le jeton", unauthorized()),
        (
            "Un second programme lit les mêmes messages",
            Fault(409, "Conflict: terminated by other getUpdates request"),
        ),
    ],
)
async def test_telegram_refuses(tmp_path: Path, title: str, fault: Fault) -> None:
    async with FakeTelegram() as telegram:
        telegram.faults.always("getUpdates", fault)
        settings = {"telegram_bot_token": TOKEN, "telegram_api_base_url": telegram.url}
        async with bot(tmp_path, **settings) as house:
            wanted = quoted(title)
            await telegram.until(
                lambda: any(wanted in text for _, text in house.app.core.alerting.recent), seconds=30
            )


async def test_telegram_is_down(tmp_path: Path) -> None:
    async with FakeTelegram() as telegram:
        url = telegram.url
    wanted = quoted("Telegram est en panne")
    async with bot(tmp_path, telegram_bot_token=TOKEN, telegram_api_base_url=url) as house:
        async with asyncio.timeout(90):
            while not any(wanted in text for _, text in house.app.core.alerting.recent):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await house.open_chat()  # the page does not care
        assert "*141*3#" in await house.ask("combien coûte 1 Go par semaine ?", "message-1")


def test_the_model_does_not_answer(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    result = run_bot(tmp_path, "check", "--online", OPENAI_BASE_URL=url)
    assert result.returncode == 1
    assert quoted("Le modèle ne répond plus") in result.stdout


async def test_somebody_else_commands(tmp_path: Path) -> None:
    async with bot(tmp_path, http_token="right-token") as house:
        await house.open_chat()
        assert await house.ask("/stats", "message-1") == quoted("La commande est réservée")
        async with house.http.get(f"{house.url}/sessions") as response:
            assert response.status == 401
            assert (await response.json())["message"] == quoted("Une page répond 401")


def test_nothing_on_the_page_was_left_out() -> None:
    """Runs last in this file: every title of the page was looked up above."""
    assert set(re.findall(r"^### (.+)$", PAGE, re.MULTILINE)) == PROVOKED
