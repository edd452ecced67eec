"""The admin page's side of the bot, whole and real, with some days of traffic in its database."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.additions import Additions
from bot.admin_http import Desk, KnowledgeState
from bot.admin_routes import admin_routes
from bot.figures import Figures
from bot.http_access import OperatorAccess
from bot.reports import performance_report
from channels.routing import Route
from config.settings import ROOT
from domain.messages import ChatKey, InboundMessage, Language, MessageKind, Reply, Sender
from memory.base import Store
from memory.records import Exchange, SendState, SessionRecord, Settlement, TurnCommit, TurnFacts
from monitoring.alerts import AlertBook, rules
from monitoring.metrics import Metrics
from rag.library import Library
from tests.wire.web_house import TEXTS, House, open_house, settings_of_a_test

# Loads in a sixth of the time of the whole.
SMALL_KNOWLEDGE = (
    "catalogue/offers.csv",
    "knowledge/solde.md",
    *(f"lexicon/{name}.csv" for name in ("common", "hoaxes", "intents", "numbers")),
)


@dataclass
class AdminHouse:
    """The running parts, and what the page acts on."""

    house: House
    store: Store
    book: AlertBook
    library: Library
    figures: Figures
    operators: OperatorAccess
    knowledge: Path

    async def call(
        self, method: str, path: str, body: object = None, *, page: bool = True
    ) -> tuple[int, dict[str, Any]]:
        """Call an endpoint as the page does; the status and what it says."""
        headers = {"X-Admin-Page": "1"} if page else {}
        url = f"{self.house.url}/admin/{path}"
        async with self.house.client.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def open_admin(folder: Path, *, token: str | None = None) -> AsyncIterator[AdminHouse]:
    """Start everything; the knowledge is a small copy that may be changed."""
    knowledge = folder / "data"
    for name in SMALL_KNOWLEDGE:
        (knowledge / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "data" / name, knowledge / name)
    library = Library.load(knowledge)
    metrics = Metrics()
    operators = OperatorAccess(token)
    book = AlertBook(rules(high_memory=80, critical_memory=90, session_count=100, cache_hit_rate=0.5))
    recent: list[tuple[float, str]] = []
    parts: dict[str, Figures] = {}
    settings = settings_of_a_test()

    def routes(store: Store) -> Sequence[Route]:
        parts["figures"] = figures = Figures(
            store,
            metrics,
            database=folder / "memory.db",
            model_enabled=False,
            knowledge=lambda: (library.version, bool(library.broken)),
        )
        desk = Desk(
            store=store,
            texts=TEXTS,
            book=book,
            collect=figures.collect,
            performance=lambda snapshot: performance_report(snapshot, metrics, settings, {}),
            recent_alerts=lambda: recent,
            knowledge=lambda: KnowledgeState(library.version, library.broken, library.sizes),
            reload=library.reload,
            add_knowledge=Additions(knowledge, reload=library.reload, fault=lambda: library.broken).add,
        )
        return admin_routes(desk, operators)

    async with open_house(folder, operators=operators, routes=routes) as house:
        recent.append((time.time() - 600, "Alerte HIGH_MEMORY_USAGE\nMémoire à 84 %."))
        yield AdminHouse(house, house.store, book, library, parts["figures"], operators, knowledge)


QUESTIONS = (
    ("j'ai 500 F, je veux internet pour la semaine", "400 Mo, 7 jours, 500 F\n*141*3#", "internet", "fr"),
    ("comment voir mon solde ?", "Composez *121#.", "solde", "fr"),
    ("ina son data ta sati", "400 Mo, kwana 7, 500 F\n*141*3#", "internet", "ha"),
    ("forfait appel 1000", "Illimité vers Airtel, 48h, 1 000 F\n*141*2#", "appel", "fr"),
    ("je veux envoyer de l'argent", "Composez *400#.", "money", "fr"),
    ("how do I check my balance", "Dial *121#.", "solde", "en"),
)


async def live_some_days(store: Store, *, turns: int = 120, now: float | None = None) -> list[ChatKey]:
    """Traffic of the last day over a few chats, one unanswered question, one dead letter of each kind."""
    chance = random.Random(7)
    now = now or time.time()
    keys = [ChatKey(("web", "telegram", "whatsapp")[n % 3], "account", f"2279012{n:04d}") for n in range(9)]
    for number in range(turns):
        age = 86_000 * (1 - (number + 1) / turns) ** 1.3
        key = chance.choice(keys)
        await _one_turn(store, key, number, now - age, chance)
    unanswered = _message(keys[0], "x", "est-ce que la 5G arrive à Zinder ?", now)
    await store.inbox.accept([unanswered], backlog_limit=50)
    turn = (await store.inbox.claim(1, wait=5))[0]
    exchange = Exchange(
        keys[0], now, now, unanswered.text, "Je n'ai pas trouvé.", Language.FRENCH, "embedded", answered=False
    )
    await store.commit(turn, TurnCommit(replies=(Reply("Je n'ai pas trouvé."),), exchange=exchange))
    await _settle_all(store, SendState.DEAD)
    await store.inbox.accept(
        [_message(keys[1], "y", "message qui fait tomber le tour", now)], backlog_limit=50
    )
    parked = (await store.inbox.claim(1, wait=5))[0]
    await store.inbox.park(parked, error="RuntimeError", replies=[Reply("Désolé.")])
    await _settle_all(store, SendState.SENT)
    return keys


def _message(key: ChatKey, name: str, text: str, at: float) -> InboundMessage:
    return InboundMessage(
        key, f"{key.chat}:{name}", MessageKind.TEXT, text, Sender(key.chat), sent_at=at, received_at=at
    )


async def _one_turn(store: Store, key: ChatKey, number: int, at: float, chance: random.Random) -> None:
    text, answer, topic, language = chance.choices(QUESTIONS, weights=(9, 6, 4, 4, 3, 2))[0]
    await store.inbox.accept([_message(key, str(number), text, at)], backlog_limit=50)
    turn = (await store.inbox.claim(1, wait=5))[0]
    session = await store.sessions.get(key) or SessionRecord(key, at, at)
    session = replace(session, last_activity=at, messages=session.messages + 1, language=Language(language))
    slow = chance.lognormvariate(3.2, 0.6)
    facts = TurnFacts(
        at, key.channel, language, "cache" if number % 5 == 0 else "embedded", topic, True, 1, 3, 1, 0, slow
    )
    exchange = Exchange(key, at, at, text, answer, Language(language), "embedded", (f"T-{topic.upper()}",))
    commit = TurnCommit(replies=(Reply(answer),), session=session, exchange=exchange, facts=facts)
    assert await store.commit(turn, commit)
    await _settle_all(store, SendState.SENT)


async def _settle_all(store: Store, state: SendState) -> None:
    for part in await store.outbox.claim(50, wait=2):
        await store.outbox.settle(
            part, Settlement(state, platform_id="x", error="" if state == "sent" else "gone")
        )
