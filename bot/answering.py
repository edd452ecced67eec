"""Builds the handlers and the turn runner on top of a core."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping

from agent.drafts import without_links
from agent.shield import anonymise, mask
from bot.assembly import Core
from bot.sanitising import clean_text
from bot.turn import TurnRunner
from config.logs import Redactor
from domain.messages import ChatKey
from handlers.chat import Chat
from handlers.commands import subscriber_commands
from handlers.feedback import Feedback
from handlers.identity import Identity
from handlers.outcome import Handler
from handlers.router import Router
from handlers.voice import FetchMedia, Hide, Voice
from memory.long_term import Known

_EXCERPT = 120

Incident = Callable[[str], Awaitable[str | None]]


async def _no_incident(text: str) -> str | None:
    return None


def build_runner(
    core: Core,
    *,
    commands: Mapping[str, Handler] | None = None,
    incident: Incident = _no_incident,
    fetch_media: Mapping[str, FetchMedia] | None = None,
    notice_on: Collection[str] = (),
) -> TurnRunner:
    """The runner of turns. `commands` come beside those of subscribers, `fetch_media` is by channel."""
    texts, metrics = core.texts, core.metrics
    chat = Chat(
        texts,
        core.agent,
        metrics,
        known=Known(core.store.long_term).summary,
        incident=incident,
        ask_for_person=_person_caller(core),
        anonymise=anonymise,
    )
    transcribe = core.transcriber.transcribe if core.transcriber else None
    router = Router(
        texts,
        chat=chat,
        voice=Voice(texts, chat, fetch=fetch_media or {}, transcribe=transcribe, hide=_hearing(core)),
        commands={**(commands or {}), **subscriber_commands(texts, core.store.long_term)},
        feedback=Feedback(texts, metrics),
        identity=Identity(texts),
    )
    return TurnRunner(
        core.store,
        core.sessions,
        core.states,
        router,
        texts,
        metrics,
        channels=core.channels,
        is_admin=core.admins.is_admin,
        report=core.alerting.report,
        notice_on=notice_on,
        clock=core.clock,
    )


def _hearing(core: Core) -> Hide:
    """A transcript passes the same gate as a text; its echo is kept, so it names no number either."""

    def hide(spoken: str) -> tuple[str, tuple[str, ...]]:
        masked, kinds = mask(clean_text(spoken.strip(), core.settings.max_text_chars))
        return anonymise(masked), kinds

    return hide


def _person_caller(core: Core) -> Callable[[ChatKey, str], None]:
    redact = Redactor()

    def call(key: ChatKey, text: str) -> None:
        # A stranger's words in an admin's hands: nothing to tap, no number, one line.
        excerpt = redact(anonymise(without_links(" ".join(text.split()))))[:_EXCERPT]
        core.alerting.report("HANDOFF", f"{key.channel} {key.chat} : {excerpt}")

    return call
