"""/oublie through the whole bot: no byte of what was said is left in any file, nor in a later backup."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.openai import Body, FakeOpenAI, Step, answer
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.fakes.whatsapp import TOKEN as WHATSAPP_TOKEN
from tests.fakes.whatsapp import FakeGraph
from tests.fakes.whatsapp_payloads import ACCOUNT, APP_SECRET, VERIFY_TOKEN, one, text
from tests.wire.house import House, bot
from tests.wire.web_house import until

CANARY, STAYS = "kanarigone", "kanaristays"


def parrot(body: Body) -> Step:
    name = next((word for word in (CANARY, STAYS) if word in str(body["messages"])), "vous")
    return answer(f"Bonjour {name}. Avec 500 F : 400 Mo, valable 7 jours.\n*141*3#", delay=0.05)


def traces(folder: Path, word: str) -> list[str]:
    """The files that hold the word, in whatever case."""
    return [file.name for file in sorted(folder.iterdir()) if word.encode() in file.read_bytes().lower()]


QUESTIONS = (
    "{} veut internet pour la semaine avec 500 F",
    "je suis {}, combien coûte 2 Go pour un mois ?",
    "{} demande comment voir son solde",
    "où est la boutique de {} à Zinder",
)


async def test_the_page_and_telegram_forget(tmp_path: Path) -> None:
    async with FakeTelegram() as telegram, FakeOpenAI(parrot) as model:
        settings = {
            "telegram_bot_token": TOKEN,
            "telegram_api_base_url": telegram.url,
            "openai_base_url": model.url,
            "burst_window": 0.0,
            "chat_rate_per_minute": 1000.0,
        }
        folder = tmp_path / "data"
        folder.mkdir()
        async with bot(folder, **settings) as house:
            token = await house.open_chat()
            for number, question in enumerate(QUESTIONS):
                await house.ask(question.format(CANARY), f"message-{number}")
                await told(telegram, 7, question.format(CANARY))
                await told(telegram, 71, question.format(STAYS))
            last = house.last
        assert traces(folder, CANARY)
        async with bot(folder, **settings) as house:  # what the end of the first run saved is there too
            house.token, house.last = token, last
            telegram.push_text(7, QUESTIONS[0].format(CANARY))  # its turn runs when the command arrives
            telegram.push_text(7, "/oublie")
            await house.say(QUESTIONS[0].format(CANARY), "message-late")
            await house.say("/oublie", "message-gone")
            await telegram.until(lambda: any("E-" in sent.text for sent in telegram.chats[7]), 20)
            await receipt(house)
            assert traces(folder, CANARY) == []
            assert traces(folder, STAYS)
            await house.app.core.store.backup(tmp_path / "later.db")
            assert "400 Mo" in await told(telegram, 7, "j'ai 500 F, je veux internet pour la semaine")
        assert traces(folder, CANARY) == []
        assert CANARY.encode() not in (tmp_path / "later.db").read_bytes().lower()
        assert STAYS.encode() in (tmp_path / "later.db").read_bytes().lower()


async def test_whatsapp_forgets(tmp_path: Path) -> None:
    async with FakeGraph() as graph:
        settings = {
            "whatsapp_access_token": WHATSAPP_TOKEN,
            "whatsapp_phone_number_id": ACCOUNT,
            "whatsapp_app_secret": APP_SECRET,
            "whatsapp_verify_token": VERIFY_TOKEN,
            "whatsapp_graph_base_url": graph.base_url,
            "burst_window": 0.0,
        }
        async with bot(tmp_path, **settings) as house:
            graph.callback = f"{house.url}/whatsapp"
            assert await graph.push(one(text(QUESTIONS[0].format(CANARY)))) == 200
            await until(lambda: len(graph.sent) >= 1)
            assert traces(tmp_path, CANARY)
            assert await graph.push(one(text("/oublie"))) == 200
            await until(lambda: any("E-" in reply.text for reply in graph.sent))
            assert traces(tmp_path, CANARY) == []


async def told(telegram: FakeTelegram, chat: int, question: str) -> str:
    before = len(telegram.chats[chat])
    telegram.push_text(chat, question)
    return (await telegram.wait_sent(chat, before + 1, seconds=20))[-1].text


async def receipt(house: House) -> None:
    while "E-" not in (await house.read(seconds=20))[0]["text"]:
        pass
