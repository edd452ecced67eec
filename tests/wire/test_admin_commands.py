"""Admin commands: for admins only, in their own words, in private; and what each of them does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from domain.messages import ChatKey
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.wire.house import House, bot

ADMIN, OTHER = 1001, 2002
ACCOUNT = TOKEN.partition(":")[0]
_SETTINGS: dict[str, Any] = {
    "telegram_bot_token": TOKEN,
    "admin_chat_ids": (str(ADMIN),),
    "burst_window": 0.0,
}


@asynccontextmanager
async def admin_house(folder: Path, **more: Any) -> AsyncIterator[tuple[FakeTelegram, House]]:
    async with FakeTelegram() as telegram:
        settings = {**_SETTINGS, "telegram_api_base_url": telegram.url, **more}
        async with bot(folder, **settings) as house:
            yield telegram, house


async def command(telegram: FakeTelegram, text: str, *, chat: int = ADMIN, replies: int = 1) -> str:
    before = len(telegram.chats[chat])
    telegram.push_text(chat, text)
    sent = await telegram.wait_sent(chat, before + replies)
    return str(sent[-1].text)


async def test_stats_is_a_picture_with_a_short_form(tmp_path: Path) -> None:
    async with admin_house(tmp_path) as (telegram, _house):
        await command(telegram, "combien coûte 1 Go par semaine ?", chat=OTHER)
        text = await command(telegram, "/stats")
        assert "Sessions :" in text
        assert "1 sur la période" in text
        photo = telegram.chats[ADMIN][-1]
        assert photo.method == "sendPhoto"
        week = await command(telegram, "/stats semaine")
        assert "Sessions :" in week
        assert "/stats jour" in await command(telegram, "/stats année")


SPOOFS: dict[str, dict[str, Any]] = {
    "another user": {"chat": {"id": OTHER, "type": "private"}, "from": {"id": OTHER}},
    "admin's name": {
        "chat": {"id": OTHER, "type": "private"},
        "from": {"id": OTHER, "first_name": str(ADMIN), "username": f"admin{ADMIN}"},
    },
    "forwarded from the admin": {
        "chat": {"id": OTHER, "type": "private"},
        "from": {"id": OTHER},
        "forward_origin": {
            "type": "user",
            "date": 1,
            "sender_user": {"id": ADMIN, "is_bot": False, "first_name": "a"},
        },
    },
    "admin forwards a command": {
        "chat": {"id": ADMIN, "type": "private"},
        "from": {"id": ADMIN},
        "forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "x"},
    },
    "admin in a group": {"chat": {"id": -5, "type": "group", "title": "g"}, "from": {"id": ADMIN}},
    "admin in a supergroup": {
        "chat": {"id": -1005, "type": "supergroup", "title": "g"},
        "from": {"id": ADMIN},
    },
    "channel post": {"chat": {"id": -1006, "type": "channel", "title": "c"}},
    "anonymous admin of a group": {
        "chat": {"id": -1007, "type": "supergroup", "title": "g"},
        "from": {"id": 1087968824, "is_bot": True, "first_name": "GroupAnonymousBot"},
        "sender_chat": {"id": -1007, "type": "supergroup", "title": "g"},
    },
    "id in the text": {
        "chat": {"id": OTHER, "type": "private"},
        "from": {"id": OTHER},
        "text": f"/stats {ADMIN}",
    },
    "id with a prefix": {
        "chat": {"id": ADMIN * 10, "type": "private"},
        "from": {"id": ADMIN * 10},
    },
    "id as a suffix": {
        "chat": {"id": 9_000_000 + ADMIN, "type": "private"},
        "from": {"id": 9_000_000 + ADMIN},
    },
    "negative id": {"chat": {"id": -ADMIN, "type": "group", "title": "g"}, "from": {"id": OTHER}},
}


@pytest.mark.parametrize("shape", sorted(SPOOFS))
async def test_a_spoofed_admin_command_does_nothing(tmp_path: Path, shape: str) -> None:
    async with admin_house(tmp_path) as (telegram, house):
        fields = SPOOFS[shape]
        message = telegram.message(
            int(fields["chat"]["id"]), text=str(fields.get("text", "/incident partout test 1h"))
        )
        person = {"is_bot": False, "first_name": "x", **fields.get("from", {})}
        telegram.push({"message": {**message, **fields, "from": person}})
        telegram.push_text(ADMIN + 1, "bonjour")  # behind it: when this is answered, the spoof is done with
        await telegram.wait_sent(ADMIN + 1)
        await asyncio.sleep(0.1)
        store = house.app.core.store
        assert await store.notes.items("incidents") == {}
        assert await store.notes.items("audit") == {}
        assert not [sent for sent in telegram.sent if "Annoncé" in sent.text or sent.method == "sendPhoto"]


async def test_an_incident_is_told_first_to_those_who_ask(tmp_path: Path) -> None:
    async with admin_house(tmp_path) as (telegram, house):
        assert "Annoncé" in await command(telegram, "/incident Zinder coupure de fibre, retour ce soir 3h")
        told = await command(telegram, "pas de réseau à zinder depuis hier", chat=OTHER)
        assert told.startswith("Information réseau (Zinder) : coupure de fibre")
        untold = await command(telegram, "combien coûte la carte sim", chat=OTHER + 1)
        assert "fibre" not in untold
        assert "terminé" in await command(telegram, "/incident fin zinder")
        assert await house.app.core.store.notes.items("incidents") == {}
        assert "30min, 2h" in await command(telegram, "/incident Niamey panne demain")


async def test_blocking_silences_the_bot_for_one_subscriber(tmp_path: Path) -> None:
    async with admin_house(tmp_path) as (telegram, _house):
        await command(telegram, "bonjour", chat=OTHER)
        assert "bloqué" in await command(telegram, f"/bloquer {OTHER}")
        telegram.push_text(OTHER, "combien coûte 1 Go ?")
        await command(telegram, "bonjour", chat=OTHER + 1)
        await asyncio.sleep(0.2)
        assert len(telegram.chats[OTHER]) == 1
        assert "débloqué" in await command(telegram, f"/debloquer {OTHER}")
        assert await command(telegram, "combien coûte 1 Go par semaine ?", chat=OTHER)
        assert "vous-même" in await command(telegram, f"/bloquer {ADMIN}")
        assert "Aucun abonné" in await command(telegram, "/bloquer 555000")


async def test_silence_mutes_a_rule_and_survives_a_restart(tmp_path: Path) -> None:
    async with FakeTelegram() as telegram:
        settings = {**_SETTINGS, "telegram_api_base_url": telegram.url}
        async with bot(tmp_path, **settings):
            assert "silence pendant 2 h" in await command(telegram, "/silence HIGH_MEMORY_USAGE 2h")
            assert "HIGH_MEMORY_USAGE" in await command(telegram, "/silence n'importe quoi")
        async with bot(tmp_path, **settings) as house:
            assert "HIGH_MEMORY_USAGE" in await command(telegram, "/alertes")
            assert "HIGH_MEMORY_USAGE" in house.app.core.alerting.book.mutes


async def test_a_broadcast_is_previewed_confirmed_and_reaches_each_once(tmp_path: Path) -> None:
    async with admin_house(tmp_path) as (telegram, house):
        people = range(3000, 3020)
        for person in people:
            await command(telegram, "bonjour", chat=person)
        store = house.app.core.store
        far = ChatKey("telegram", ACCOUNT, "4000")
        preview = await command(telegram, "/diffuser Le réseau sera en travaux dimanche.", replies=2)
        code = re.search(r"/diffuser oui (\d{4})", preview)
        assert code is not None
        assert "n'est pas le bon" in await command(telegram, "/diffuser oui 0000")
        assert "commencé" in await command(telegram, f"/diffuser oui {code[1]}")
        for person in people:
            await telegram.wait_sent(person, 2, seconds=20)
        await asyncio.sleep(2.5)  # one more step of the engine finds nobody left
        for person in people:
            texts = [sent.text for sent in telegram.chats[person]]
            assert texts.count("Le réseau sera en travaux dimanche.") == 1
        assert await store.long_term.profile(far) is None
        assert "terminée" in await command(telegram, "/diffuser état")


async def test_sessions_and_questions_name_nobody(tmp_path: Path) -> None:
    async with admin_house(tmp_path) as (telegram, _):
        await command(telegram, "combien coûte un billet d'avion pour la lune", chat=987654321)
        listed = await command(telegram, "/sessions")
        assert "…4321" in listed
        assert "987654321" not in listed
        questions = await command(telegram, "/questions")
        assert "987654321" not in questions


async def test_reload_says_the_version(tmp_path: Path) -> None:
    async with admin_house(tmp_path) as (telegram, house):
        assert house.app.core.library.version in await command(telegram, "/recharger")
