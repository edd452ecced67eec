"""The picture of a run: what a turn costs, what is added to a model, and how a long talk grows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

OURS_COLOUR, OTHER_COLOUR = "#c8102e", "#888888"
_FEW = 8  # font size of the small print
# What is drawn of a crowd: key, and how dark.
_SHARES = (("p50_ms", "p50", 1.0), ("p99_ms", "p99", 0.45))


def draw(found: Mapping[str, Any], labels: Mapping[str, str], crowds: Mapping[str, str], path: Path) -> None:
    """Three panels; one whose part was not measured says so."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4.6), layout="constrained")
    cost, added, growth = figure.subplots(1, 3)
    _cost(cost, found.get("speed", {}), labels)
    _added(added, found.get("delay", {}), labels, crowds)
    _growth(growth, found.get("growth", {}), labels)
    figure.savefig(path, dpi=110)


def _colour(name: str) -> str:
    return OURS_COLOUR if name.startswith("ours") else OTHER_COLOUR


def _cost(axes: Any, rows: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    axes.set_title("CPU per turn, ms (shorter is better)", fontsize=10)
    if not rows:
        _nothing(axes)
        return
    names = [labels[name].replace(", ", ",\n").replace(" (", "\n(") for name in rows]
    bars = axes.barh(names, [row["cpu_ms"] for row in rows.values()], color=[_colour(n) for n in rows])
    axes.bar_label(bars, fmt="%.3g", padding=3, fontsize=_FEW)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.tick_params(labelsize=_FEW)


def _added(axes: Any, rows: Mapping[str, Any], labels: Mapping[str, str], crowds: Mapping[str, str]) -> None:
    axes.set_title("added to a model of 1 s a call, ms (log)", fontsize=10)
    if not rows:
        _nothing(axes)
        return
    bars = [
        (f"{labels[name]}\n{crowds[crowd]}\n{word}", max(1.0, figures[key]), _colour(name), shade)
        for crowd in crowds
        for name, loads in rows.items()
        for figures in (loads[crowd],)
        for key, word, shade in _SHARES
    ]
    drawn = axes.barh([b[0] for b in bars], [b[1] for b in bars], color=[b[2] for b in bars])
    for patch, (_, _, _, shade) in zip(drawn, bars, strict=True):
        patch.set_alpha(shade)
    axes.bar_label(drawn, fmt="%.0f", padding=3, fontsize=_FEW)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlim(1, max(bar[1] for bar in bars) * 5)
    axes.tick_params(labelsize=6)


def _growth(axes: Any, rows: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    axes.set_title("database KiB added by a turn of one long talk (log)", fontsize=10)
    if not rows:
        _nothing(axes)
        return
    for name, marks in rows.items():
        turns = [int(mark) for mark in marks]
        # A turn that takes room freed by earlier ones adds nothing; a logarithm wants more than that.
        sizes = [max(100.0, marks[mark]["bytes"]) / 1024 for mark in marks]
        axes.plot(turns, sizes, marker="o", label=labels[name], color=_colour(name))
    axes.set_yscale("log")
    axes.set_xlabel("turn")
    axes.legend(fontsize=_FEW)
    axes.tick_params(labelsize=_FEW)


def _nothing(axes: Any) -> None:
    axes.text(0.5, 0.5, "not measured in this run", ha="center", va="center", transform=axes.transAxes)
    axes.set_axis_off()
