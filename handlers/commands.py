"""The commands of subscribers."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import replace

from config.texts import Texts
from domain.messages import Attachment, Language, Reply
from domain.niger import local
from handlers import choices
from handlers.outcome import Handler, Outcome, TurnContext
from memory.base import LongTerm

logger = logging.getLogger(__name__)

HISTORY_LIMIT = 5
# What Telegram shows in its command menu, in this order; the aliases stay typeable.
LISTED = ("start", "aide", "nouveau", "historique", "langue", "mesdonnees", "oublie")


class Start:
    """Welcomes, with the menu."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def handle(self, context: TurnContext) -> Outcome:
        """Say who answers, what can be asked, and what must never be typed."""
        text = self._texts.get("commands.welcome", context.language)
        return Outcome(replies=(Reply(text, choices=choices.menu(self._texts, context.language)),))


class Say:
    """Answers with one text of the data files."""

    def __init__(self, texts: Texts, key: str, *, end_session: bool = False) -> None:
        self._texts = texts
        self._key = key
        self._end_session = end_session

    async def handle(self, context: TurnContext) -> Outcome:
        """Reply in the subscriber's language."""
        reply = Reply(self._texts.get(self._key, context.language))
        return Outcome(replies=(reply,), end_session=self._end_session)


class History:
    """Lists the subscriber's last questions."""

    def __init__(self, texts: Texts, long_term: LongTerm) -> None:
        self._texts = texts
        self._long_term = long_term

    async def handle(self, context: TurnContext) -> Outcome:
        """Reply with dates, questions and the first line of each answer."""
        exchanges = await self._long_term.history(context.key, HISTORY_LIMIT)
        if not exchanges:
            return Outcome(replies=(Reply(self._texts.get("commands.history_empty", context.language)),))
        lines = [self._texts.get("commands.history_title", context.language)]
        for exchange in reversed(exchanges):
            day = local(exchange.at).strftime("%d/%m")
            answer = exchange.answer.strip().splitlines()[0] if exchange.answer.strip() else ""
            lines.append(f"{day} – {_short(exchange.question, 80)}\n{_short(answer, 120)}")
        return Outcome(replies=(Reply("\n".join(lines)),))


class Export:
    """Sends everything stored about the subscriber as a file."""

    def __init__(self, texts: Texts, long_term: LongTerm) -> None:
        self._texts = texts
        self._long_term = long_term

    async def handle(self, context: TurnContext) -> Outcome:
        """Reply with a text file, since phones open one without an application of its own."""
        data = await self._long_term.export(context.key)
        body = json.dumps(data, ensure_ascii=False, indent=1, default=str).encode()
        attachment = Attachment("mes-donnees.txt", "text/plain", body)
        return Outcome(
            replies=(Reply(self._texts.get("commands.export", context.language), attachment=attachment),)
        )


class Forget:
    """Erases everything known about the subscriber."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def handle(self, context: TurnContext) -> Outcome:
        """Reply with a receipt number that holds nothing personal."""
        receipt = f"E-{secrets.token_hex(4).upper()}"
        logger.info("subscriber erased", extra={"action": "erase", "receipt": receipt})
        reply = Reply(self._texts.get("commands.erased", context.language, receipt=receipt))
        return Outcome(replies=(reply,), erase=True)


class ChooseLanguage:
    """Stores the language a subscriber prefers."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def handle(self, context: TurnContext) -> Outcome:
        """`/langue ha` sets it; without a known code the reply says how."""
        wanted = context.text.split()[1:2]
        if not wanted or wanted[0].lower() not in set(Language):
            return Outcome(replies=(Reply(self._texts.get("commands.language_choose", context.language)),))
        language = Language(wanted[0].lower())
        profile = replace(context.profile, language=language)
        return Outcome(replies=(Reply(self._texts.get("commands.language_set", language)),), profile=profile)


class ShowId:
    """Tells the chat's own id, which an operator needs for ADMIN_CHAT_IDS."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def handle(self, context: TurnContext) -> Outcome:
        """Reply with the id exactly as the setting wants it."""
        prefix = "" if context.key.channel == "telegram" else f"{context.key.channel}:"
        text = self._texts.get("commands.your_id", context.language, id=prefix + context.last.sender.user_id)
        return Outcome(replies=(Reply(text),))


def subscriber_commands(texts: Texts, long_term: LongTerm) -> Mapping[str, Handler]:
    """Every command of subscribers by name, aliases included."""
    start, help_ = Start(texts), Say(texts, "commands.help")
    new = Say(texts, "commands.new_session", end_session=True)
    forget = Forget(texts)
    language = ChooseLanguage(texts)
    return {
        "start": start,
        "menu": start,
        "aide": help_,
        "help": help_,
        "nouveau": new,
        "reset": new,
        "historique": History(texts, long_term),
        "mesdonnees": Export(texts, long_term),
        "oublie": forget,
        "oublier": forget,
        "langue": language,
        "language": language,
        "id": ShowId(texts),
    }


def _short(text: str, limit: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
