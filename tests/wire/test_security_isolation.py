"""Chats stay apart: related ids, one shared cache, and a model that says again all it ever read."""

from __future__ import annotations

import re
from pathlib import Path

from tests.fakes.openai import Body, FakeOpenAI, Step, answer
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.wire.house import bot

CHATS = (1, 12, 121, 1212, 12121, 2, 21, 212, 2121, 21212, 111, 11, 1111, 112, 122, 221)
# Ordinary words carry no meaning for retrieval: every chat asks the cache the same question.
ORDINARY = (
    *("veuve", "prince", "malade", "pizza", "champagne", "ecologique", "divorce", "chomage"),
    *("hopital", "avocat", "grossesse", "dette", "prison", "tristesse", "mariage", "cancer"),
)
_KANARI = re.compile(r"kanari\d+x")


def canary(chat: int) -> str:
    return f"kanari{chat}x"


def parrot(body: Body) -> Step:
    """Everything that people wrote, of every turn it was shown, and a true answer behind it."""
    heard = " ".join(str(m["content"]) for m in body["messages"] if m["role"] in {"user", "assistant"})
    words = sorted({word for word in re.findall(r"[a-zé0-9]+", heard.lower()) if len(word) > 3})
    echoed = [word for word in words if word in ORDINARY or _KANARI.fullmatch(word)]
    return answer(f"Vous avez dit {' '.join(echoed)}.\nAvec 500 F : 400 Mo, valable 7 jours.\n*141*3#")


async def test_no_chat_hears_or_shows_anything_of_another(tmp_path: Path) -> None:
    async with (
        FakeTelegram() as telegram,
        FakeOpenAI(parrot) as model,
        bot(
            tmp_path,
            telegram_bot_token=TOKEN,
            telegram_api_base_url=telegram.url,
            openai_base_url=model.url,
            burst_window=0.0,
            chat_rate_per_minute=1000.0,
        ) as house,
    ):
        for text in (
            "j'ai 500 F, je veux internet pour la semaine, {word}",
            "{canary} veut internet pour la semaine avec 500 F",
            "et pour 1000 F ?",
        ):
            before = {chat: len(telegram.chats[chat]) for chat in CHATS}
            for chat, word in zip(CHATS, ORDINARY, strict=True):
                telegram.push_text(chat, text.format(word=word, canary=canary(chat)))
            for chat in CHATS:
                await telegram.wait_sent(chat, before[chat] + 1, seconds=20)
        for chat in CHATS:
            telegram.push_text(chat, "/mesdonnees")
        await telegram.until(lambda: all(any(s.file for s in telegram.chats[chat]) for chat in CHATS))
        for chat, word in zip(CHATS, ORDINARY, strict=True):
            sent = telegram.chats[chat]
            shown = " ".join([*(s.text for s in sent), *(s.file[1].decode() for s in sent if s.file)])
            assert set(_KANARI.findall(shown)) == {canary(chat)}
            assert {other for other in ORDINARY if other in shown} == {word}
        for body in model.bodies:
            assert len(set(_KANARI.findall(str(body["messages"])))) <= 1
        assert any(word in str(model.bodies) for word in ORDINARY)
        assert house.app.core.cache is not None
        kept = str(house.app.core.cache.export())
        assert not _KANARI.search(kept)
        assert not [word for word in ORDINARY if word in kept]


async def test_the_page_shows_each_visitor_only_their_own(tmp_path: Path) -> None:
    async with bot(tmp_path, burst_window=0.0) as house:
        tokens = []
        for number in range(4):
            house.last = 0
            tokens.append(await house.open_chat())
            await house.ask(f"kanari{number}x veut internet pour la semaine avec 500 F", f"message-{number}")
        for number, token in enumerate(tokens):
            for other in (token, token[:-1], token.upper(), ""):
                headers = {"Authorization": f"Bearer {other}"}
                async with house.http.get(f"{house.url}/api/chat/history", headers=headers) as response:
                    shown = await response.text()
                    assert response.status == (200 if other == token else 401)
                assert set(_KANARI.findall(shown)) == ({f"kanari{number}x"} if other == token else set())
