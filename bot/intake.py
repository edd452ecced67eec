"""One inbound batch: sanitised, masked, rate-limited and committed to the inbox before it is acknowledged."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.pacing import Buckets, Episodes
from bot.sanitising import MAX_ID, clean_payload, clean_sender, clean_text
from config.texts import Texts
from domain.errors import BotError
from domain.messages import Accepted, ChatKey, InboundMessage, Language, MessageKind, Purpose, Reply
from memory.base import Store
from memory.records import Acceptance
from monitoring.metrics import Metrics

logger = logging.getLogger(__name__)

MAX_AGE = 8 * 86_400.0  # as long as deduplication keys are kept: anything older may be a replay
NOTICE_QUIET = 60.0
# A refused message is answered after the time of so many rounds of the loop. In an idle loop that is nothing;
# in a busy one its turns take their steps in between, so a chat that floods gets a small share of each round.
ROUNDS_BACK = 32
MOST_BACK = 0.5
# Beyond this many times the limit an answer to the first part would be an answer to something else.
HOPELESS = 4
_COMMAND = re.compile(r"\s*/[a-zA-Z]")
# Keys of a payload whose strings were written by people; the others are ids of the platform.
_WRITTEN = frozenset({"text", "caption", "title", "transcript"})

Mask = Callable[[str], tuple[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """Sizes, rates and windows of intake; the defaults are those of the settings."""

    max_text_chars: int = 4000
    burst_window: float = 1.2
    chat_rate_per_minute: float = 20.0
    chat_backlog: int = 50


class Intake:
    """Takes what channels received. `accept` is their `AcceptMessages`.

    `mask` hides PINs, OTPs and vouchers before anything is stored and names what it found. While `shedding`
    is set, subscribers are told to come back in some minutes; commands still pass, for the operators.
    """

    def __init__(
        self,
        store: Store,
        texts: Texts,
        metrics: Metrics,
        *,
        mask: Mask,
        limits: IntakeLimits | None = None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shedding = False
        self._store = store
        self._texts = texts
        self._metrics = metrics
        self._mask = mask
        self._limits = limits or IntakeLimits()
        self._clock = clock
        self._ticks = ticks
        rate = self._limits.chat_rate_per_minute
        self._buckets = Buckets(rate / 60.0, rate)
        self._notices = Episodes(NOTICE_QUIET)
        self._telling: set[asyncio.Task[None]] = set()

    async def accept(self, messages: Sequence[InboundMessage]) -> Accepted:
        """Store what is new; returns after the commit is synced.

        Raises StoreUnavailable or Overloaded: nothing of the batch was stored, the platform must redeliver.
        """
        started = self._ticks()
        admitted, refused = self._admit(messages)
        outcomes: Sequence[Acceptance] = ()
        if admitted:
            outcomes = await self._store.inbox.accept(admitted, backlog_limit=self._limits.chat_backlog)
        elif refused:
            await _let_others_go_first()
        counts = self._settle(admitted, outcomes, refused)
        if messages:
            elapsed = self._ticks() - started
            self._metrics.accept_seconds.labels(channel=messages[0].key.channel).observe(elapsed)
        return counts

    async def drain(self) -> None:
        """Wait for notices still being written."""
        await asyncio.gather(*self._telling)

    def _admit(
        self, messages: Sequence[InboundMessage]
    ) -> tuple[list[InboundMessage], list[tuple[ChatKey, str]]]:
        admitted: list[InboundMessage] = []
        refused: list[tuple[ChatKey, str]] = []
        taken: Counter[ChatKey] = Counter()
        now, ticks = self._clock(), self._ticks()
        for message in messages:
            reason = self._refusal(message, taken[message.key], now, ticks)
            if reason:
                refused.append((message.key, reason))
                continue
            taken[message.key] += 1
            admitted.append(self._prepared(message))
        return admitted, refused

    def _refusal(self, message: InboundMessage, taken: int, now: float, ticks: float) -> str:
        """Why a message is not stored, "" when it is.

        Tokens are spent on new messages only, after the commit: a storm of duplicates must not use up the
        rate of the subscriber it copies.
        """
        if now - message.sent_at > MAX_AGE:
            return "stale"
        if self.shedding and not _COMMAND.match(message.text[:MAX_ID]):
            return "shed"
        if self._buckets.of(message.key, ticks).wait(ticks) and not taken:
            return "rate"
        return ""

    def _prepared(self, message: InboundMessage) -> InboundMessage:
        limit = self._limits.max_text_chars
        text, found = self._masked(clean_text(message.text, limit)) if message.text else ("", ())
        flags = (*message.flags, *found, *_length_flags(len(message.text), limit))
        kind = message.kind
        if kind is MessageKind.TEXT and _COMMAND.match(text):
            kind = MessageKind.COMMAND
        waits = self._limits.burst_window if kind is MessageKind.TEXT else 0.0
        return replace(
            message,
            external_id=clean_text(message.external_id, MAX_ID),
            kind=kind,
            text=text,
            sender=clean_sender(message.sender),
            ready_at=message.received_at + waits if waits else 0.0,
            flags=tuple(dict.fromkeys(flags)),
            payload=self._without_secrets(clean_payload(message.payload)) if message.payload else {},
        )

    def _masked(self, text: str) -> tuple[str, tuple[str, ...]]:
        masked, found = self._mask(text)
        for kind in found:
            self._metrics.shield_hits.labels(kind=kind).inc()
        return masked, found

    def _without_secrets(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._without_secrets(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self._without_secrets(item, name) for item in value]
        return self._masked(value)[0] if isinstance(value, str) and name in _WRITTEN else value

    def _settle(
        self,
        admitted: Sequence[InboundMessage],
        outcomes: Sequence[Acceptance],
        refused: list[tuple[ChatKey, str]],
    ) -> Accepted:
        counts: Counter[str] = Counter()
        ticks = self._ticks()
        for message, outcome in zip(admitted, outcomes, strict=True):
            counts[outcome] += 1
            self._count(message.key.channel, outcome)
            if outcome is Acceptance.NEW:
                self._buckets.of(message.key, ticks).spend(ticks)
            elif outcome is Acceptance.REFUSED:
                refused.append((message.key, "backlog"))
        for key, reason in refused:
            if reason != "backlog":
                self._count(key.channel, reason)
            if reason != "stale":
                self._tell(key, "pipeline.busy" if reason == "shed" else "pipeline.slow_down", ticks)
        return Accepted(counts[Acceptance.NEW], counts[Acceptance.DUPLICATE], len(refused))

    def _count(self, channel: str, outcome: str) -> None:
        self._metrics.received.labels(channel=channel, outcome=outcome).inc()

    def _tell(self, key: ChatKey, text: str, ticks: float) -> None:
        """One notice per episode, beside the acknowledgement: it may wait for the disk, the platform not."""
        if not self._notices.begins((key, text), ticks):
            return
        task = asyncio.create_task(self._notify(key, text))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _notify(self, key: ChatKey, text: str) -> None:
        logger.info("told a chat to slow down", extra={"action": text})
        try:
            profile = await self._store.long_term.profile(key)
            language = (profile.language if profile else None) or Language.FRENCH
            reply = Reply(self._texts.get(text, language), purpose=Purpose.NOTICE)
            await self._store.outbox.enqueue(key, [reply])
        except BotError as error:  # the notice is a courtesy; what it is about was decided already
            logger.warning("notice not queued: %s", error, extra={"action": "notice_lost"})
        except Exception:  # nobody awaits this task, and intake must go on
            logger.exception("notice crashed", extra={"action": "notice_lost"})


async def _let_others_go_first() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.sleep(0)
    await asyncio.sleep(min(MOST_BACK, ROUNDS_BACK * (loop.time() - began)))


def _length_flags(length: int, limit: int) -> tuple[str, ...]:
    if length > HOPELESS * limit:
        return ("truncated", "too_long")
    return ("truncated",) if length > limit else ()
