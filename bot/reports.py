"""The figures of `/sessions`, `/performance` and the admin page, all from one snapshot and one registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import Histogram

from config.settings import Settings
from monitoring.metrics import Metrics
from monitoring.snapshot import Snapshot

STAGES = ("queue", "retrieval", "model", "turn", "send")


def sessions_report(snapshot: Snapshot) -> dict[str, Any]:
    """What `GET /sessions` answers."""
    return {
        "active_sessions": snapshot.active_sessions,
        "total_sessions": snapshot.total_sessions,
        "expired_sessions": snapshot.expired_sessions,
        "memory_usage_mb": snapshot.memory_usage_mb,
        "average_session_duration_minutes": snapshot.average_session_minutes,
    }


def performance_report(
    snapshot: Snapshot, metrics: Metrics, settings: Settings, preloading: Mapping[str, Any]
) -> dict[str, Any]:
    """What `GET /performance` answers. Times in milliseconds, timeouts in seconds."""
    return {
        "preloading": dict(preloading),
        "response_times": {stage: stage_times(metrics.stage_seconds, stage) for stage in STAGES},
        "cache_stats": {
            "enabled": settings.rag_cache_enabled,
            "hits": snapshot.cache_hits,
            "misses": snapshot.cache_misses,
            "hit_rate": round(snapshot.cache_hit_rate, 3),
            "entries": snapshot.cache_entries,
            "capacity": settings.rag_cache_size,
            "ttl_seconds": settings.rag_cache_ttl,
        },
        "timeouts": {
            "llm_call": settings.llm_timeout,
            "llm_turn": settings.llm_turn_timeout,
            "session_minutes": settings.session_timeout_minutes,
            "cleanup_interval": settings.cleanup_interval,
            "drain": settings.drain_seconds,
        },
        "model": {
            "enabled": snapshot.model_enabled,
            "name": settings.openai_model if snapshot.model_enabled else "",
            "breaker_open": snapshot.breaker_open,
            "calls": snapshot.model_calls,
            "failures": snapshot.model_failures,
            "prompt_tokens": snapshot.prompt_tokens,
            "completion_tokens": snapshot.completion_tokens,
            "grounding_blocks": snapshot.grounding_blocks,
            **_cost(snapshot),
        },
        "knowledge": {"version": snapshot.knowledge_version, "broken": snapshot.knowledge_broken},
    }


def _cost(snapshot: Snapshot) -> dict[str, float]:
    """In the currency of the prices; nothing where they are not set."""
    costs = {"cost_today": snapshot.cost_today, "cost_per_turn": snapshot.cost_per_turn}
    return {name: cost for name, cost in costs.items() if cost is not None}


def stage_times(histogram: Histogram, stage: str) -> dict[str, float]:
    """Count, mean and quantiles of one stage; quantiles are upper bounds read off the buckets."""
    count = total = 0.0
    buckets: list[tuple[float, float]] = []
    for family in histogram.collect():
        for sample in family.samples:
            if sample.labels.get("stage") != stage:
                continue
            if sample.name.endswith("_bucket"):
                buckets.append((float(sample.labels["le"]), sample.value))
            elif sample.name.endswith("_count"):
                count = sample.value
            elif sample.name.endswith("_sum"):
                total = sample.value
    return {
        "count": int(count),
        "mean_ms": round(1000 * total / count, 2) if count else 0.0,
        "p50_ms": _quantile(buckets, count, 0.5),
        "p95_ms": _quantile(buckets, count, 0.95),
    }


def _quantile(buckets: list[tuple[float, float]], count: float, share: float) -> float:
    """Milliseconds, by linear interpolation inside the bucket that holds the quantile."""
    if not count:
        return 0.0
    wanted = share * count
    low, below = 0.0, 0.0
    for bound, cumulated in sorted(buckets):
        if cumulated >= wanted:
            if bound == float("inf"):
                return round(low * 1000, 2)
            inside = (wanted - below) / (cumulated - below) if cumulated > below else 1.0
            return round((low + (bound - low) * inside) * 1000, 2)
        low, below = bound, cumulated
    return round(low * 1000, 2)
