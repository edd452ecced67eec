"""A metric nobody writes would be a promise: each one declared has a writer in the bot."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from config.settings import ROOT
from domain.answers import Origin
from domain.messages import Language
from monitoring.metrics import Metrics, total

ROOMS = ("agent", "bot", "channels", "handlers", "memory", "monitoring", "rag")
WRITES = frozenset({"inc", "dec", "set", "observe"})
# Handed over whole to what writes it.
HANDED_OVER = {"breaker_open": "agent/breaker.py"}


def declared() -> set[str]:
    return {name for name, value in vars(Metrics()).items() if isinstance(value, MetricWrapperBase)}


def written_in(path: Path) -> set[str]:
    """Names of `….NAME.inc()`, `….NAME.labels(…).set(…)` and the like, also through a local name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute):
            names |= {target.id: node.value.attr for target in node.targets if isinstance(target, ast.Name)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            found.add(_metric(node.func.value, names))
    return found


def _metric(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "labels":
        node = node.func.value
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    return node.attr if isinstance(node, ast.Attribute) else ""


def test_every_metric_has_a_writer() -> None:
    written = {name for room in ROOMS for path in (ROOT / room).rglob("*.py") for name in written_in(path)}
    for name, path in HANDED_OVER.items():
        assert WRITES & {
            node.func.attr
            for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }, path
        written.add(name)
    assert declared() - written == set()


def test_labels_mean_the_same_however_they_are_given() -> None:
    metrics = Metrics()
    metrics.answers.labels(origin=Origin.MODEL, language=Language.FRENCH).inc()
    metrics.answers.labels(language="fr", origin="model").inc()
    metrics.answers.labels(origin=Origin.MODEL, language=Language.FRENCH).inc()
    assert total(metrics.answers, origin="model", language="fr") == 3
    with pytest.raises(ValueError, match="label"):
        metrics.answers.labels(origin="model")


def test_other_labels_are_counted_apart() -> None:
    metrics = Metrics()
    for number in range(600):  # more than are remembered
        metrics.errors.labels(where=f"job:{number}").inc()
        metrics.errors.labels(where="turn").inc()
    assert total(metrics.errors, where="turn") == 600
    assert total(metrics.errors) == 1200
