"""Carries alerts to the admins' chats: directly, past the outbox, since a stuck outbox is itself an alert."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from channels.base import Channel
from config.texts import Texts
from domain.errors import BotError
from domain.messages import ChatKey, Purpose, Reply
from memory.records import OutboxPart, SendState
from monitoring.alerts import Alert, AlertBook, RuleName
from monitoring.metrics import Metrics
from monitoring.snapshot import Snapshot

logger = logging.getLogger(__name__)

_QUEUE_SIZE = 100
_VALUE_LIMIT = 200


class Alerting:
    """Puts what the book says into words and sends it. Nothing here raises: an alert never makes trouble."""

    def __init__(
        self,
        book: AlertBook,
        texts: Texts,
        metrics: Metrics,
        *,
        channels: Mapping[str, Channel],
        admins: Sequence[ChatKey],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.book = book
        self._texts = texts
        self._metrics = metrics
        self._channels = channels
        self._admins = admins
        self._clock = clock
        self._queue: asyncio.Queue[str] = asyncio.Queue(_QUEUE_SIZE)
        self._previous: Snapshot | None = None
        self.recent: list[tuple[float, str]] = []

    def check(self, snapshot: Snapshot) -> None:
        """Queue what the rules say about the snapshot; sends count since the check before."""
        previous, self._previous = self._previous or snapshot, snapshot
        recent = replace(
            snapshot,
            sends_ok=snapshot.sends_ok - previous.sends_ok,
            sends_failed=snapshot.sends_failed - previous.sends_failed,
        )
        self._queue_all(self.book.check(recent))

    def report(self, rule: str, value: str) -> None:
        """Queue an event that a room reports; unknown names count as TROUBLE."""
        name = RuleName(rule) if rule in set(RuleName) else RuleName.TROUBLE
        self._queue_all(self.book.report(name, value, self._clock()))

    async def run(self) -> None:
        """Send queued alerts until cancelled."""
        while True:
            text = await self._queue.get()
            for admin in self._admins:
                await self._send(admin, text)

    def _queue_all(self, alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            text = self._words(alert)
            self._metrics.alerts.labels(rule=alert.rule, event=alert.event).inc()
            # Who asks for a person, and why, is for the admins' eyes: logs name nobody.
            value = "" if alert.rule is RuleName.HANDOFF else alert.value[:_VALUE_LIMIT]
            logger.warning(
                "alert: %s", alert.rule, extra={"action": "alert", "event": alert.event, "value": value}
            )
            self.recent = [*self.recent[-49:], (self._clock(), text)]
            if not self._queue.full():
                self._queue.put_nowait(text)

    def _words(self, alert: Alert) -> str:
        key = f"alerts.{alert.rule.lower()}"
        value = " ".join(alert.value.split())[:_VALUE_LIMIT]
        head = self._texts.get("alerts.recovered" if alert.event == "recovered" else "alerts.fired")
        lines = [f"{head} {alert.rule}", self._texts.get(key, value=value)]
        if alert.suppressed:
            lines.append(self._texts.get("alerts.suppressed", count=alert.suppressed))
        return "\n".join(lines)

    async def _send(self, admin: ChatKey, text: str) -> None:
        now = self._clock()
        reply = Reply(text, purpose=Purpose.NOTICE)
        part = OutboxPart(0, admin, reply, SendState.SENDING, created_at=now, due_at=now)
        try:
            await self._channels[admin.channel].send(part)
        except BotError as error:
            # An admin who blocked the bot, or a platform that is down: the log and the page still have it.
            self._metrics.alerts.labels(rule="delivery", event="failed").inc()
            logger.warning("alert not delivered: %s", error, extra={"action": "alert_undelivered"})
        except Exception:  # an alert must never stop the alerts behind it
            self._metrics.alerts.labels(rule="delivery", event="crashed").inc()
            logger.exception("alert crashed", extra={"action": "alert_crashed"})
