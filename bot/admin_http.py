"""The endpoints behind the admin page: live figures, charts, talks, questions, alerts, letters, knowledge."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from aiohttp import web

from bot.additions import Addition
from bot.admin_view import (
    ChatNames,
    alerts_view,
    charts_view,
    exchange_view,
    letter_view,
    profile_view,
    question_view,
    session_view,
    snapshot_view,
)
from bot.reports import sessions_report
from channels.routing import json_answer
from channels.web_parse import read_object
from config.texts import Texts
from domain.errors import BadInput
from domain.niger import day_of
from handlers.admin import AUDIT, AUDIT_SECONDS, MUTES
from handlers.questions_file import MOST, questions_file
from memory.base import Store
from monitoring.alerts import AlertBook, RuleName
from monitoring.snapshot import Snapshot

logger = logging.getLogger(__name__)

LIST = 100
TALK = 100
TOP_QUESTIONS = 8
MAX_MINUTES = 43_200
HOURS = ("24", "168")


@dataclass(frozen=True, slots=True)
class KnowledgeState:
    """The knowledge in use; `broken` says why newer files are not."""

    version: str
    broken: str
    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the page shows and does, as the app provides it.

    `performance` is the report of `/performance` over a snapshot, `collect` the source of every figure.
    `reload` and `add_knowledge` return once the knowledge counts; the latter raises BadInput.
    """

    store: Store
    texts: Texts
    book: AlertBook
    collect: Callable[[], Awaitable[Snapshot]]
    performance: Callable[[Snapshot], Mapping[str, Any]]
    recent_alerts: Callable[[], Sequence[tuple[float, str]]]
    knowledge: Callable[[], KnowledgeState]
    reload: Callable[[], Awaitable[object]]
    add_knowledge: Callable[[Addition], Awaitable[str]]
    clock: Callable[[], float] = time.time


class AdminEndpoints:
    """One method per endpoint. What cannot be done raises BadInput with a text for the operator."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = desk.store
        self._names = ChatNames()

    async def live(self, request: web.Request) -> web.Response:
        """Everything that changes by the second, from one snapshot."""
        desk = self._desk
        snapshot = await desk.collect()
        knowledge = desk.knowledge()
        return json_answer(
            {
                "at": snapshot.at,
                "sessions": sessions_report(snapshot),
                "performance": desk.performance(snapshot),
                "figures": snapshot_view(snapshot),
                "alerts": alerts_view(
                    desk.book.firing(), desk.book.mutes, desk.recent_alerts(), desk.clock()
                ),
                "rules": list(RuleName),
                "knowledge": {
                    "version": knowledge.version,
                    "broken": knowledge.broken,
                    "sizes": dict(knowledge.sizes),
                },
            }
        )

    async def charts(self, request: web.Request) -> web.Response:
        """The series of a day or a week."""
        asked = request.query.get("hours", "24")
        if asked not in HOURS:
            raise self._bad("bad_hours")
        hours, now = int(asked), self._desk.clock()
        since = now - hours * 3600
        facts = await self._store.statistics.facts(since)
        top = await self._store.statistics.top_questions(since, TOP_QUESTIONS)
        return json_answer(await asyncio.to_thread(charts_view, facts, top, now=now, hours=hours))

    async def sessions(self, request: web.Request) -> web.Response:
        """The sessions active last."""
        records = await self._store.sessions.recent(LIST)
        return json_answer({"sessions": [session_view(record, self._names) for record in records]})

    async def talk(self, request: web.Request) -> web.Response:
        """One conversation, to read; that it was read is noted."""
        key = self._names.find(request.match_info["ref"])
        if key is None:
            raise self._bad("no_chat")
        await self._audit(f"lire {self._names.view(key)['chat']}")
        session = await self._store.sessions.get(key)
        exchanges = await self._store.long_term.history(key, TALK)
        return json_answer(
            self._names.view(key)
            | {
                "profile": profile_view(await self._store.long_term.profile(key)),
                "session": session_view(session, self._names) if session else None,
                "exchanges": [exchange_view(exchange) for exchange in reversed(exchanges)],
            }
        )

    async def search(self, request: web.Request) -> web.Response:
        """Exchanges that hold these words, in all chats."""
        text = request.query.get("text", "").strip()
        if not 2 <= len(text) <= 200:
            raise self._bad("bad_search")
        await self._audit("chercher dans les conversations")
        found = await self._store.long_term.search(text, key=None, limit=LIST)
        return json_answer(
            {"found": [self._names.view(exchange.key) | exchange_view(exchange) for exchange in found]}
        )

    async def questions(self, request: web.Request) -> web.Response:
        """Questions without a good answer, most asked first."""
        found = await self._store.editors.questions(LIST)
        return json_answer({"questions": [question_view(question) for question in found]})

    async def questions_file(self, request: web.Request) -> web.Response:
        """All of them as a file for a spreadsheet."""
        await self._audit("exporter les questions")
        found = await self._store.editors.questions(MOST)
        now = self._desk.clock()
        file = await asyncio.to_thread(questions_file, found, self._desk.texts, now)
        return web.Response(
            body=file.data,
            content_type=file.media_type,
            charset="utf-8",
            headers={"Content-Disposition": f'attachment; filename="{file.name}"'},
        )

    async def close_question(self, request: web.Request) -> web.Response:
        """Take a question off the list."""
        number = _number(request.match_info["id"])
        await self._audit(f"fermer {number}")
        await self._store.editors.close_question(number)
        return json_answer({"closed": number})

    async def add(self, request: web.Request) -> web.Response:
        """Add an answer to the knowledge, and close the question it answers."""
        data = read_object(await request.read())
        addition = Addition(
            question=_text(data, "question"),
            answer=_text(data, "answer"),
            answers={code: _text(data, code) for code in ("ha", "dje", "en")},
            valid_to=self._day(_text(data, "valid_to")),
        )
        name = await self._desk.add_knowledge(addition)
        await self._audit(f"ajouter {name}")
        question_id = data.get("question_id")
        if isinstance(question_id, int) and 0 < question_id < 2**63:
            await self._store.editors.close_question(question_id)
        return json_answer({"id": name, "version": self._desk.knowledge().version}, 201)

    async def reload(self, request: web.Request) -> web.Response:
        """Read the knowledge files again."""
        await self._audit("recharger")
        await self._desk.reload()
        knowledge = self._desk.knowledge()
        if knowledge.broken:
            raise BadInput(self._desk.texts.get("admin_page.broken", fault=knowledge.broken))
        return json_answer({"version": knowledge.version})

    async def mute(self, request: web.Request) -> web.Response:
        """No message about a rule for some minutes; 0 ends it."""
        data = read_object(await request.read())
        rule, minutes = data.get("rule"), data.get("minutes")
        if not isinstance(rule, str) or rule not in set(RuleName):
            raise self._bad("bad_rule")
        if (
            isinstance(minutes, bool)
            or not isinstance(minutes, int | float)
            or not 0 <= minutes <= MAX_MINUTES
        ):
            raise self._bad("bad_minutes")
        until = self._desk.clock() + minutes * 60
        await self._audit(f"silence {rule} {minutes:g} min")
        self._desk.book.mutes[rule] = until
        await self._store.notes.put(MUTES, {rule: until}, expires_at=until + 60)
        return json_answer({"rule": rule, "until": until})

    async def letters(self, request: web.Request) -> web.Response:
        """What was set aside: turns that failed and parts that could not be sent."""
        found = await self._store.editors.dead_letters(LIST)
        return json_answer({"letters": [letter_view(letter, self._names) for letter in found]})

    async def replay(self, request: web.Request) -> web.Response:
        """Put one of them back into its queue."""
        source, number = request.match_info["source"], _number(request.match_info["id"])
        await self._audit(f"rejouer {source[:16]} {number}")
        if not await self._store.editors.replay(source, number):
            raise self._bad("no_letter")
        return json_answer({"replayed": number})

    async def _audit(self, command: str) -> None:
        """Who holds the token is not known by name: the page is noted."""
        now = self._desk.clock()
        entry = {"at": now, "admin": "page", "command": command}
        await self._store.notes.put(AUDIT, {f"{now:.6f}:page": entry}, expires_at=now + AUDIT_SECONDS)
        logger.info("admin page", extra={"action": "admin_page", "command": command.split()[0]})

    def _day(self, text: str) -> date | None:
        if not text:
            return None
        today = day_of(self._desk.clock())
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise self._bad("bad_date") from None
        if day < today:
            raise self._bad("bad_date")
        return day

    def _bad(self, code: str) -> BadInput:
        return BadInput(self._desk.texts.get(f"admin_page.{code}"))


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value.strip() if isinstance(value, str) else ""


def _number(text: str) -> int:
    """A row number of a path; 0, which no row has, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
