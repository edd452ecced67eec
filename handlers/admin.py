"""The commands of admins. Each is refused to everybody else and leaves a line in the audit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from config.texts import Texts
from domain.errors import BadInput
from domain.messages import ChatKey, Reply
from handlers.outcome import Handler, Outcome, TurnContext
from handlers.questions_file import MOST, questions_file
from memory.base import Editors, Notes, Sessions, Store
from memory.records import SessionRecord
from monitoring.alerts import AlertBook, RuleName

logger = logging.getLogger(__name__)

AUDIT = "audit"
AUDIT_SECONDS = 90 * 86_400.0
MUTES = "mutes"
_UNITS = {"m": 60.0, "min": 60.0, "h": 3600.0, "j": 86_400.0}
_LONGEST = 30 * 86_400.0
_QUESTIONS = 10
_SESSIONS = 10


class AdminOnly:
    """Lets only admins through, in their own words in a private chat, and notes what they did."""

    def __init__(self, inner: Handler, texts: Texts, notes: Notes) -> None:
        self._inner = inner
        self._texts = texts
        self._notes = notes

    async def handle(self, context: TurnContext) -> Outcome:
        """Run the command, or refuse it; a wrong use is answered with how it is meant."""
        if not context.is_admin:
            logger.warning("admin command refused", extra={"action": "admin_refused"})
            return say(self._texts.get("commands.admin_only", context.language))
        entry = {"at": context.now, "admin": str(context.key), "command": context.text[:200]}
        name = f"{context.now:.3f}:{context.turn.id}"
        await self._notes.put(AUDIT, {name: entry}, expires_at=context.now + AUDIT_SECONDS)
        logger.info("admin command", extra={"action": "admin", "command": context.text.split()[0][:32]})
        try:
            return await self._inner.handle(context)
        except BadInput as error:
            return say(str(error))


class ShowSessions:
    """`/sessions`: the sessions active last, without naming anybody."""

    def __init__(self, texts: Texts, sessions: Sessions) -> None:
        self._texts = texts
        self._sessions = sessions

    async def handle(self, context: TurnContext) -> Outcome:
        """One line per session."""
        records = await self._sessions.recent(_SESSIONS)
        if not records:
            return say(self._texts.get("admin.sessions_none"))
        lines = [self._texts.get("admin.sessions_title")]
        return say("\n".join(lines + [self._line(record, context.now) for record in records]))

    def _line(self, record: SessionRecord, now: float) -> str:
        return self._texts.get(
            "admin.sessions_line",
            channel=record.key.channel,
            chat=masked(record.key.chat),
            messages=record.messages,
            language=record.language or "fr",
            ago=duration(now - record.last_activity),
        )


class ShowAlerts:
    """`/alertes`: what fires now, what is muted, what was said last."""

    def __init__(self, texts: Texts, book: AlertBook, recent: Callable[[], list[tuple[float, str]]]) -> None:
        self._texts = texts
        self._book = book
        self._recent = recent

    async def handle(self, context: TurnContext) -> Outcome:
        """Three short lists."""
        firing = ", ".join(self._book.firing()) or self._texts.get("admin.none")
        muted = [
            f"{rule} ({duration(until - context.now)})"
            for rule, until in sorted(self._book.mutes.items())
            if until > context.now
        ]
        lines = [
            self._texts.get("admin.alerts_firing", rules=firing),
            self._texts.get("admin.alerts_muted", rules=", ".join(muted) or self._texts.get("admin.none")),
        ]
        for at, text in self._recent()[-5:]:
            lines.append(f"- {duration(context.now - at)} : {text.splitlines()[0]}")
        return say("\n".join(lines))


class Silence:
    """`/silence HIGH_MEMORY_USAGE 2h`: no message about a rule for a while; `/silence RÈGLE fin` ends it."""

    def __init__(self, texts: Texts, book: AlertBook, notes: Notes) -> None:
        self._texts = texts
        self._book = book
        self._notes = notes

    async def handle(self, context: TurnContext) -> Outcome:
        """Mute, durably."""
        words = context.text.split()[1:]
        if len(words) != 2 or words[0].upper() not in set(RuleName):
            raise BadInput(self._texts.get("admin.silence_use", rules=", ".join(RuleName)))
        rule = words[0].upper()
        seconds = 0.0 if words[1].lower() == "fin" else read_duration(words[1], self._texts)
        until = context.now + seconds
        self._book.mutes[rule] = until
        await self._notes.put(MUTES, {rule: until}, expires_at=until + 60)
        return say(self._texts.get("admin.silenced", rule=rule, duration=duration(seconds)))


class Questions:
    """`/questions`: what could not be answered well; `/questions fermer 12` takes one off the list,
    `/questions fichier` sends all of them.
    """

    def __init__(self, texts: Texts, editors: Editors) -> None:
        self._texts = texts
        self._editors = editors

    async def handle(self, context: TurnContext) -> Outcome:
        """List, close or send."""
        words = context.text.lower().split()[1:]
        if words in (["fichier"], ["csv"]):
            return await self._send(context.now)
        if words:
            if len(words) != 2 or words[0] != "fermer" or not words[1].isdecimal():
                raise BadInput(self._texts.get("admin.questions_use"))
            await self._editors.close_question(int(words[1]))
            return say(self._texts.get("admin.question_closed", id=words[1]))
        questions = await self._editors.questions(_QUESTIONS)
        if not questions:
            return say(self._texts.get("admin.questions_none"))
        lines = [self._texts.get("admin.questions_title")]
        lines += [f"{q.id}. {' '.join(q.text.split())[:120]} ({q.language}, {q.count}x)" for q in questions]
        return say("\n".join(lines))

    async def _send(self, now: float) -> Outcome:
        questions = await self._editors.questions(MOST)
        if not questions:
            return say(self._texts.get("admin.questions_none"))
        file = await asyncio.to_thread(questions_file, questions, self._texts, now)
        text = self._texts.get("admin.questions_file", count=len(questions))
        return Outcome(replies=(Reply(text, attachment=file),))


class Reload:
    """`/recharger`: read the knowledge files again."""

    def __init__(self, texts: Texts, reload: Callable[[], Awaitable[str]]) -> None:
        self._texts = texts
        self._reload = reload

    async def handle(self, context: TurnContext) -> Outcome:
        """Say the version in use, or what is wrong with the new files."""
        return say(self._texts.get("admin.reloaded", result=await self._reload()))


class Block:
    """`/bloquer ID` and `/debloquer ID`: whether the bot answers a subscriber at all."""

    def __init__(self, texts: Texts, store: Store, *, blocked: bool) -> None:
        self._texts = texts
        self._store = store
        self._blocked = blocked

    async def handle(self, context: TurnContext) -> Outcome:
        """Change the subscriber's profile, in their turn order."""
        words = context.text.split()[1:]
        if len(words) != 1:
            raise BadInput(self._texts.get("admin.block_use"))
        key = read_chat(words[0], context.key, self._texts)
        if key == context.key:
            raise BadInput(self._texts.get("admin.block_self"))
        found = await self._set(key)
        text = "admin.blocked" if self._blocked else "admin.unblocked"
        return say(self._texts.get(text if found else "admin.unknown_chat", chat=masked(key.chat)))

    async def _set(self, key: ChatKey) -> bool:
        async with self._store.inbox.hold(key):
            profile = await self._store.long_term.profile(key)
            if profile is None:
                return False
            await self._store.long_term.save_profile(replace(profile, blocked=self._blocked))
        return True


def admin_commands(
    texts: Texts,
    store: Store,
    *,
    book: AlertBook,
    recent_alerts: Callable[[], list[tuple[float, str]]],
    reload: Callable[[], Awaitable[str]],
    more: Mapping[str, Handler],
) -> Mapping[str, Handler]:
    """Every command of admins by name; `more` holds statistics, broadcasts and incidents."""
    commands: dict[str, Handler] = {
        "sessions": ShowSessions(texts, store.sessions),
        "alertes": ShowAlerts(texts, book, recent_alerts),
        "silence": Silence(texts, book, store.notes),
        "questions": Questions(texts, store.editors),
        "recharger": Reload(texts, reload),
        "bloquer": Block(texts, store, blocked=True),
        "debloquer": Block(texts, store, blocked=False),
        **more,
    }
    return {name: AdminOnly(command, texts, store.notes) for name, command in commands.items()}


def say(text: str) -> Outcome:
    """An outcome of one reply."""
    return Outcome(replies=(Reply(text),))


def masked(chat: str) -> str:
    """The last four signs of a chat id: enough to tell two apart, too little to call somebody."""
    return f"…{chat[-4:]}"


def read_chat(text: str, asked_in: ChatKey, texts: Texts) -> ChatKey:
    """A whole key, or the id of a chat on the admin's own channel. Raises BadInput."""
    try:
        return ChatKey.parse(text)
    except ValueError:
        if text.lstrip("+-").isdecimal():
            return ChatKey(asked_in.channel, asked_in.account, text.lstrip("+"))
        raise BadInput(texts.get("admin.block_use")) from None


def read_duration(text: str, texts: Texts) -> float:
    """Seconds of "30min", "2h", "1j"; at most 30 days. Raises BadInput."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text.removeprefix(number)
    if not (number.isascii() and number.isdigit() and len(number) <= 4 and unit in _UNITS):
        raise BadInput(texts.get("admin.duration_use"))
    return min(int(number) * _UNITS[unit], _LONGEST)


def duration(seconds: float) -> str:
    """Seconds as people say them: "40 s", "12 min", "3 h", "2 j"."""
    seconds = max(0.0, seconds)
    for size, unit in ((86_400.0, "j"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size or (unit != "j" and seconds >= size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
