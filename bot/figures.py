"""Collects the figures of one moment: the single source of every page, command, endpoint and alert."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bot.spending import UNKNOWN, Cost, Prices, Spending
from memory.base import Store
from memory.records import SessionCounts, StoreHealth
from monitoring.metrics import Metrics, total
from monitoring.process import disk_free
from monitoring.snapshot import Snapshot


class Figures:
    """Builds snapshots from the metrics and the Store, and shows stored totals to `/metrics`.

    `knowledge` gives the version in use and whether a newer file is broken, `session_cache` the bytes of
    decoded sessions.
    """

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        *,
        database: Path,
        model_enabled: bool,
        knowledge: Callable[[], tuple[str, bool]],
        session_cache: Callable[[], int] = lambda: 0,
        prices: Prices = UNKNOWN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._database = database
        self._model_enabled = model_enabled
        self._knowledge = knowledge
        self._session_cache = session_cache
        self._spending = Spending(store.statistics, metrics, prices, clock=clock)
        self._clock = clock
        self._started = clock()

    async def collect(self) -> Snapshot:
        """The figures of now. Raises StoreUnavailable."""
        health = await self._store.health()
        counts = await self._store.sessions.counts()
        turns = await self._store.statistics.total_turns()
        cost = await self._spending.cost()
        free = disk_free(self._database)
        self._publish(health, counts, turns, free)
        self._publish_cost(cost)
        return self._snapshot(health, counts, turns, free, cost)

    def _publish(self, health: StoreHealth, counts: SessionCounts, turns: int, free: int) -> None:
        metrics = self._metrics
        metrics.sessions.labels(state="active").set(counts.active)
        metrics.sessions.labels(state="total").set(counts.total)
        metrics.sessions.labels(state="expired").set(counts.expired)
        metrics.session_seconds.set(counts.average_duration_seconds)
        metrics.stored_turns.set(turns)
        metrics.queue_depth.labels(queue="inbox").set(health.inbox_depth)
        metrics.queue_depth.labels(queue="outbox").set(health.outbox_depth)
        metrics.queue_depth.labels(queue="in_doubt").set(health.in_doubt)
        metrics.queue_depth.labels(queue="dead").set(health.dead)
        metrics.queue_oldest.labels(queue="inbox").set(health.inbox_oldest)
        metrics.queue_oldest.labels(queue="outbox").set(health.outbox_oldest)
        metrics.database_bytes.set(health.file_bytes + health.wal_bytes)
        metrics.disk_free.set(free)
        metrics.session_cache_bytes.set(self._session_cache())
        metrics.knowledge_version.clear()
        metrics.knowledge_version.labels(version=self._knowledge()[0]).set(1)

    def _publish_cost(self, cost: Cost | None) -> None:
        """A label that was never set is not shown: no price, no figure."""
        if cost is None:
            return
        self._metrics.cost.labels(span="today").set(cost.today)
        if cost.per_turn is not None:
            self._metrics.cost.labels(span="turn").set(cost.per_turn)

    def _snapshot(
        self, health: StoreHealth, counts: SessionCounts, turns: int, free: int, cost: Cost | None
    ) -> Snapshot:
        metrics, now = self._metrics, self._clock()
        version, broken = self._knowledge()
        calls = total(metrics.model_calls)
        sends = total(metrics.sends)
        sent = total(metrics.sends, outcome="sent")
        return Snapshot(
            at=now,
            uptime=max(0.0, now - self._started),
            active_sessions=counts.active,
            total_sessions=counts.total,
            expired_sessions=counts.expired,
            average_session_seconds=counts.average_duration_seconds,
            total_turns=turns,
            running_turns=int(total(metrics.running_turns)),
            parked_turns=int(total(metrics.turns, outcome="parked")),
            inbox_depth=health.inbox_depth,
            inbox_oldest=health.inbox_oldest,
            outbox_depth=health.outbox_depth,
            outbox_oldest=health.outbox_oldest,
            in_doubt=health.in_doubt,
            dead_letters=health.dead,
            sends_ok=int(sent),
            sends_failed=int(sends - sent),
            cache_hits=int(total(metrics.cache_lookups, result="hit")),
            cache_misses=int(total(metrics.cache_lookups, result="miss")),
            cache_entries=int(total(metrics.cache_entries)),
            model_enabled=self._model_enabled,
            breaker_open=bool(total(metrics.breaker_open)),
            model_calls=int(calls),
            model_failures=int(calls - total(metrics.model_calls, outcome="ok")),
            prompt_tokens=int(total(metrics.tokens, direction="prompt")),
            completion_tokens=int(total(metrics.tokens, direction="completion")),
            cost_today=cost.today if cost else None,
            cost_per_turn=cost.per_turn if cost else None,
            grounding_blocks=int(total(metrics.grounding_blocks)),
            memory_bytes=int(total(metrics.memory_bytes)),
            memory_limit=int(total(metrics.memory_limit)),
            memory_percent=total(metrics.memory_percent),
            disk_free=free,
            loop_lag=total(metrics.loop_lag_seconds),
            database_bytes=health.file_bytes + health.wal_bytes,
            database_writable=health.writable,
            knowledge_version=version,
            knowledge_broken=broken,
            handoffs=int(total(metrics.handoffs)),
            useful=int(total(metrics.feedback, useful="true")),
            not_useful=int(total(metrics.feedback, useful="false")),
        )
