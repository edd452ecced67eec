"""What answers turns: handlers and turn runner, on top of a mind that is loaded while the bot serves."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

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
from memory.records import Turn

if TYPE_CHECKING:
    from bot.thinking import Mind

logger = logging.getLogger(__name__)

YIELD_SECONDS = 0.0005
LOADING_SECONDS = 20.0  # many times what loading takes on a slow machine
# What takes long to import, in steps: a stop has to wait for the step that runs.
_LONG = ("langchain_core.messages", "langgraph.graph", "bot.thinking")
_LONG_WITH_MODEL = ("langchain_core.messages", "langchain_openai", *_LONG[1:])
_EXCERPT = 120

Incident = Callable[[str], Awaitable[str | None]]


async def _no_incident(text: str) -> str | None:
    return None


class Answering:
    """Runs turns once `load` is done; until then messages are only committed. `build` makes the runner."""

    def __init__(self, core: Core, build: Callable[[Mind], TurnRunner]) -> None:
        self._core = core
        self._build = build
        self._mind: Mind | None = None
        self._runner: TurnRunner | None = None
        self._began = time.monotonic()

    async def load(self) -> None:
        """Import and build the mind in a thread, while the loop goes on serving."""
        started = time.perf_counter()
        with _quick_to_yield():
            for module in _LONG_WITH_MODEL if self._core.settings.model_enabled else _LONG:
                await asyncio.to_thread(import_module, module)
            self._mind, self._runner = await asyncio.to_thread(self._load)
        seconds = round(time.perf_counter() - started, 3)
        self._core.metrics.preload_seconds.labels(part="agent").set(seconds)
        self._core.preloading["agent_seconds"] = seconds
        logger.info("answering", extra={"action": "answering", "seconds": seconds})

    async def run(self, turn: Turn) -> None:
        """Run one turn; only after `load`."""
        assert self._runner is not None  # noqa: S101  # the dispatcher starts after the load
        await self._runner.run(turn)

    async def clean_up(self) -> None:
        """The job: end the sessions that were silent for too long."""
        if self._mind is not None:
            await self._mind.sessions.clean_up()

    @property
    def cached_bytes(self) -> int:
        """Bytes of decoded states in memory."""
        return self._mind.states.cached_bytes if self._mind is not None else 0

    def shrink(self) -> None:
        """Forget cached states; they are all on disk."""
        if self._mind is not None:
            self._mind.states.shrink()

    async def check(self) -> str:
        """For `/readyz`: what comes during the load is answered right after it, unless it never ends."""
        late = self._runner is None and time.monotonic() - self._began > LOADING_SECONDS
        return "still loading" if late else ""

    def _load(self) -> tuple[Mind, TurnRunner]:
        from bot.thinking import build_mind  # imported by now

        mind = build_mind(self._core)
        return mind, self._build(mind)


@contextmanager
def _quick_to_yield() -> Iterator[None]:
    """While a thread imports: an acknowledgement takes the interpreter ten times, each after this wait."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(YIELD_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def build_runner(
    core: Core,
    mind: Mind,
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
        mind.agent,
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
        mind.sessions,
        mind.states,
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
