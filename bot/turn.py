"""One turn, top to bottom: messages and session in, replies and exactly one commit out.

A turn that fails is given back and run again, at most three times, then parked: the subscriber gets an
apology and the admins an alert. Nothing leaves the process here; the sender reads the outbox.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from bot.apologies import apology
from bot.typing_sign import typing_shown
from channels.base import Channel
from config.texts import Texts
from domain.answers import Answer
from domain.errors import BotError
from domain.messages import ChatKey, Choice, InboundMessage, Language, MessageKind, Reply
from handlers.outcome import Handler, Outcome, TurnContext
from memory.base import Store
from memory.records import CheckpointWrite, Profile, Turn, TurnCommit, TurnFacts
from memory.session_manager import OpenSession, SessionManager
from monitoring.metrics import Metrics

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
RETRY_SECONDS = (1.0, 5.0)

Report = Callable[[str, str], None]


class Staged(Protocol):
    """What the graph wrote during the turn: `write` joins the commit, `keep()` follows it."""

    write: CheckpointWrite | None

    def keep(self) -> None:
        """The commit stands: the state may be cached."""
        ...


class Staging(Protocol):
    """The checkpointer as a turn needs it."""

    def staging(self, thread_id: str, *, new: bool = False) -> AbstractContextManager[Staged]:
        """Hold back what is written to the thread while the block is open; a `new` one has no state yet."""
        ...

    def forget(self, thread_id: str) -> None:
        """Drop the thread from the cache."""
        ...


@runtime_checkable
class Leaves(Protocol):
    """A channel that can leave a group."""

    async def leave(self, key: ChatKey) -> None:
        """Leave; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class _Opened:
    """The turn with what was known before it began."""

    context: TurnContext
    channel: Channel
    started: float  # monotonic
    waited: float  # seconds of the newest message in the queue, beyond its burst window


class TurnRunner:
    """Runs turns. `notice_on` names the channels whose first reply tells what is kept and how to erase it."""

    def __init__(
        self,
        store: Store,
        sessions: SessionManager,
        states: Staging,
        handler: Handler,
        texts: Texts,
        metrics: Metrics,
        *,
        channels: Mapping[tuple[str, str], Channel],
        is_admin: Callable[[InboundMessage], bool],
        report: Report,
        notice_on: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._states = states
        self._handler = handler
        self._texts = texts
        self._metrics = metrics
        self._channels = channels
        self._is_admin = is_admin
        self._report = report
        self._notice_on = frozenset(notice_on)
        self._clock = clock

    async def run(self, turn: Turn) -> None:
        """Answer, commit; retry or park on failure. Raises only when the Store cannot even take it back."""
        if turn.attempt > MAX_ATTEMPTS:  # it took the process with it each time
            return await self._park(turn, "crashed")
        self._metrics.running_turns.inc()
        try:
            await self._answer(turn)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a handler does wrong must not lose the message
            await self._failed(turn, error)
        finally:
            self._metrics.running_turns.dec()
        return None

    async def _answer(self, turn: Turn) -> None:
        opened = await self._open(turn)
        with self._states.staging(str(turn.key), new=opened.context.new_session) as staged:
            async with typing_shown(opened.channel, opened.context):
                outcome = await self._decide(opened)
            commit = self._commit_of(opened, outcome, staged.write)
            if not await self._store.commit(turn, commit):
                self._count("fenced")
                logger.warning("turn lost its lease", extra={"action": "turn_fenced", "turn": turn.id})
                return
            staged.keep()
        if commit.end_session or commit.erase:
            self._states.forget(str(turn.key))
        self._done(opened, commit)

    async def _open(self, turn: Turn) -> _Opened:
        started, now = time.monotonic(), self._clock()
        channel = self._channels[turn.key.channel, turn.key.account]
        known = turn.opening or await self._sessions.opening(turn.key)
        session = await self._sessions.open(turn.key, now, known)
        profile = known.profile or Profile(turn.key, first_seen=now)
        last = turn.messages[-1].message
        waited = max(0.0, now - max(last.received_at, last.ready_at))
        return _Opened(self._context(turn, session, profile, now), channel, started, waited)

    def _context(self, turn: Turn, opened: OpenSession, profile: Profile, now: float) -> TurnContext:
        last = turn.messages[-1].message
        texts = (stored.message.text for stored in turn.messages)
        session = opened.session
        counted = replace(session, messages=session.messages + len(turn.messages), last_activity=now)
        return TurnContext(
            turn=turn,
            text="\n".join(text for text in texts if text),
            session=counted,
            profile=replace(
                profile,
                last_inbound_at=max(profile.last_inbound_at, _spoke_at(last)),
                phone=last.sender.phone or profile.phone,
                reachable=True,
            ),
            now=now,
            language=profile.language or session.language or Language.FRENCH,
            new_session=opened.new,
            timed_out=opened.timed_out,
            is_admin=self._is_admin(last),
        )

    async def _decide(self, opened: _Opened) -> Outcome:
        context = opened.context
        if context.kind is MessageKind.GROUP and isinstance(opened.channel, Leaves):
            await opened.channel.leave(context.key)
        flags = {flag for stored in context.turn.messages for flag in stored.message.flags}
        if "too_long" in flags:
            return Outcome(replies=(Reply(self._texts.get("pipeline.too_long", context.language)),))
        return await self._handler.handle(context)

    def _commit_of(self, opened: _Opened, outcome: Outcome, state: CheckpointWrite | None) -> TurnCommit:
        context = opened.context
        splits = [opened.channel.split(reply) for reply in self._with_notices(context, outcome)]
        session = None
        if not (outcome.end_session or outcome.erase or not context.is_talk):
            session = replace(
                outcome.session or context.session,
                choices=_offered(outcome.replies),
                rest=next((split.rest for split in reversed(splits) if split.rest), ""),
            )
        return TurnCommit(
            replies=tuple(part for split in splits for part in split.parts),
            session=session,
            checkpoint=state if session else None,
            profile=None if outcome.erase else outcome.profile or context.profile,
            exchange=outcome.exchange,
            facts=_facts(opened, outcome.answer) if outcome.answer else None,
            rating=outcome.rating,
            end_session=outcome.end_session,
            erase=outcome.erase,
        )

    def _with_notices(self, context: TurnContext, outcome: Outcome) -> tuple[Reply, ...]:
        """The replies, with what must be said once: that a new session began, and what is kept."""
        if not outcome.replies or outcome.erase:
            return outcome.replies
        first, *rest = outcome.replies
        if context.timed_out and not outcome.end_session:
            expired = self._texts.get("pipeline.session_expired", context.language)
            first = replace(first, text=f"{expired}\n\n{first.text}")
        replies = [first, *rest]
        if context.first_contact and context.key.channel in self._notice_on:
            notice = self._texts.get("pipeline.first_contact", context.language)
            replies[-1] = replace(replies[-1], text=f"{replies[-1].text}\n\n{notice}")
        return tuple(replies)

    def _done(self, opened: _Opened, commit: TurnCommit) -> None:
        self._count("done")
        stages = self._metrics.stage_seconds
        stages.labels(stage="turn").observe(time.monotonic() - opened.started)
        stages.labels(stage="queue").observe(opened.waited)
        if commit.facts is not None:
            stages.labels(stage="retrieval").observe(commit.facts.retrieval_ms / 1000)
            if commit.facts.model_ms:
                stages.labels(stage="model").observe(commit.facts.model_ms / 1000)
        logger.info(
            "turn done",
            extra={
                "action": "turn",
                "turn": opened.context.turn.id,
                "channel": opened.context.key.channel,
                "kind": str(opened.context.kind),
                "messages": len(opened.context.turn.messages),
                "replies": len(commit.replies),
                "origin": str(commit.facts.origin) if commit.facts else "",
                "ms": round((time.monotonic() - opened.started) * 1000, 1),
            },
        )

    async def _failed(self, turn: Turn, error: Exception) -> None:
        name = type(error).__name__
        if isinstance(error, BotError):
            logger.warning("turn failed: %s", name, extra={"action": "turn_failed", "turn": turn.id})
        else:
            logger.error("turn crashed", exc_info=error, extra={"action": "turn_crashed", "turn": turn.id})
        if turn.attempt >= MAX_ATTEMPTS:
            return await self._park(turn, name)
        self._count("retried")
        delay = RETRY_SECONDS[min(turn.attempt, len(RETRY_SECONDS)) - 1]
        await self._store.inbox.retry(turn, delay=delay, error=name)
        return None

    async def _park(self, turn: Turn, error: str) -> None:
        reply = await apology(self._store, self._texts, turn.key, "pipeline.parked")
        await self._store.inbox.park(turn, error=error, replies=(reply,))
        self._count("parked")
        logger.error("turn parked: %s", error, extra={"action": "turn_parked", "turn": turn.id})
        self._report("TURN_PARKED", f"{turn.key.channel}, {error}")

    def _count(self, outcome: str) -> None:
        self._metrics.turns.labels(outcome=outcome).inc()


def _spoke_at(message: InboundMessage) -> float:
    """When the subscriber wrote; a notice of the platform is no word of theirs and opens no window."""
    return 0.0 if message.kind is MessageKind.SYSTEM else message.sent_at


def _offered(replies: tuple[Reply, ...]) -> tuple[Choice, ...]:
    return next((reply.choices for reply in reversed(replies) if reply.choices), ())


def _facts(opened: _Opened, answer: Answer) -> TurnFacts:
    """What statistics keep of a turn that the agent answered."""
    context = opened.context
    return TurnFacts(
        at=context.now,
        channel=context.key.channel,
        language=answer.language,
        origin=answer.origin,
        topic=answer.topic,
        answered=answer.answered,
        messages=len(context.turn.messages),
        queue_ms=opened.waited * 1000,
        retrieval_ms=answer.retrieval_ms,
        model_ms=answer.model_ms,
        total_ms=(time.monotonic() - opened.started) * 1000,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
    )
