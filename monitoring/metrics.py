"""Every metric, declared once. `/metrics`, `/performance`, `/stats`, the admin page and alerts read it here.

No label holds a chat id. Totals that must survive a restart (sessions, turns) are read from the Store at
scrape time; everything else counts since the process started.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LABELS_KEPT = 256  # per metric; none has more

_Metric = TypeVar("_Metric", Counter, Histogram)


class Metrics:
    """One registry per process, passed to whoever counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return _quick(Counter(name, text, labels, registry=registry))

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return _quick(Histogram(name, text, labels, registry=registry, buckets=LATENCY_BUCKETS))

        self.received = counter(
            "bot_messages_received", "Messages offered to the inbox", "channel", "outcome"
        )
        self.turns = counter("bot_turns", "Turns by outcome: done, retried, parked, fenced", "outcome")
        self.answers = counter("bot_answers", "Answers by origin", "origin", "language")
        self.sends = counter("bot_sends", "Sends by outcome", "channel", "outcome")
        self.webhook_rejects = counter("bot_webhook_rejects", "Webhooks refused", "channel", "reason")
        self.stage_seconds = histogram(
            "bot_stage_seconds", "Time of a turn: queue, retrieval, model, turn, send", "stage"
        )
        self.accept_seconds = histogram("bot_accept_seconds", "From webhook body to synced commit", "channel")
        self.model_calls = counter("bot_model_calls", "Model calls by outcome", "outcome")
        self.tokens = counter("bot_tokens", "Tokens by direction: prompt, completion", "direction")
        self.cost = gauge("bot_model_cost", "Cost of the model: today, turn (mean of today)", "span")
        self.breaker_open = gauge("bot_breaker_open", "1 while the model's circuit breaker is open")
        self.grounding_blocks = counter("bot_grounding_blocks", "Model drafts refused by grounding")
        self.handoffs = counter("bot_handoffs", "Talks handed to a person")
        self.feedback = counter("bot_feedback", "Ratings of answers", "useful")
        self.shield_hits = counter("bot_shield_hits", "Secrets masked at intake", "kind")
        self.cache_lookups = counter("bot_cache_lookups", "Answer cache look-ups", "result")
        self.cache_entries = gauge("bot_cache_entries", "Answers in the cache")
        self.session_cache_bytes = gauge("bot_session_cache_bytes", "Bytes of decoded sessions in memory")
        self.running_turns = gauge("bot_running_turns", "Turns running now")
        self.loop_lag_seconds = gauge("bot_loop_lag_seconds", "Delay of the event loop at the last probe")
        self.memory_bytes = gauge("bot_memory_bytes", "Resident memory of the process")
        self.memory_limit = gauge("bot_memory_limit_bytes", "Limit of the container, else of the machine")
        self.memory_percent = gauge("bot_memory_percent", "Memory used, in percent of the limit")
        self.shed = gauge("bot_shedding", "1 while new turns are refused for memory")
        self.errors = counter("bot_errors", "Unexpected errors a loop survived", "where")
        self.alerts = counter("bot_alerts", "Alerts by rule", "rule", "event")
        self.knowledge_version = gauge("bot_knowledge_info", "1 for the knowledge version in use", "version")
        self.preload_seconds = gauge("bot_preload_seconds", "Time of preloading at start, by part", "part")
        # Read from the Store at scrape time, so that they survive a restart.
        self.sessions = gauge("bot_sessions", "Sessions: active now, total and expired ever", "state")
        self.session_seconds = gauge("bot_session_average_seconds", "Average length of ended sessions")
        self.stored_turns = gauge("bot_stored_turns", "Turns since the database was made")
        self.queue_depth = gauge("bot_queue_depth", "Rows waiting: inbox, outbox, in_doubt, dead", "queue")
        self.queue_oldest = gauge("bot_queue_oldest_seconds", "Age of the oldest row waiting", "queue")
        self.database_bytes = gauge("bot_database_bytes", "Size of the database and its log")
        self.disk_free = gauge("bot_disk_free_bytes", "Free space where the database lies")
        self.preload_items = gauge("bot_preload_items", "Items preloaded at start, by part", "part")


def _quick(metric: _Metric) -> _Metric:
    """The same metric, whose `labels` remembers what it found: 2 us each time, some twenty times a turn.

    Not for a metric whose labels are ever removed: it would go on counting on what nobody shows any more.
    """
    metric.labels = lru_cache(maxsize=_LABELS_KEPT, typed=True)(metric.labels)  # type: ignore[method-assign]
    return metric


def total(metric: Counter | Gauge, **labels: str) -> float:
    """The sum of a metric over all label sets that hold `labels`: what other readers show of it."""
    wanted = labels.items()
    return sum(
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith("_created") and wanted <= sample.labels.items()
    )
