"""Figures of `/performance` read off the histogram."""

from __future__ import annotations

import pytest

from bot.reports import sessions_report, stage_times
from monitoring.metrics import Metrics
from monitoring.snapshot import Snapshot


def test_stage_times_come_from_the_buckets() -> None:
    metrics = Metrics()
    for _ in range(90):
        metrics.stage_seconds.labels(stage="turn").observe(0.004)
    for _ in range(10):
        metrics.stage_seconds.labels(stage="turn").observe(0.4)
    times = stage_times(metrics.stage_seconds, "turn")
    assert times["count"] == 100
    assert times["mean_ms"] == pytest.approx(43.6)
    assert 2.5 <= times["p50_ms"] <= 5
    assert 250 <= times["p95_ms"] <= 500


def test_a_stage_without_observations_is_zero() -> None:
    assert stage_times(Metrics().stage_seconds, "model") == {
        "count": 0,
        "mean_ms": 0.0,
        "p50_ms": 0.0,
        "p95_ms": 0.0,
    }


def test_the_sessions_report_has_the_named_fields() -> None:
    snapshot = Snapshot(
        at=1.0,
        active_sessions=3,
        total_sessions=9,
        expired_sessions=5,
        memory_bytes=50 * 2**20,
        average_session_seconds=90,
    )
    assert sessions_report(snapshot) == {
        "active_sessions": 3,
        "total_sessions": 9,
        "expired_sessions": 5,
        "memory_usage_mb": 50.0,
        "average_session_duration_minutes": 1.5,
    }
