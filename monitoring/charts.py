"""The picture of `/stats`: four small charts, one above the other, readable on a phone.

Drawing takes some 300 ms of CPU: call `draw` in a worker thread. matplotlib is imported there, since most
runs of the bot never draw.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GRID, ACCENT, SECOND = "#22262b", "#d9dde2", "#d7263d", "#2b6cb0"
SHADES = (ACCENT, SECOND, "#e0a100", "#3a9d5d")
_SIZE = (6.0, 9.6)  # inches
_DPI = 120
_LABEL_CHARS = 34


@dataclass(frozen=True, slots=True)
class ChartData:
    """What to draw. `slots` label time; `median_ms` and `p95_ms` match them, 0 where nothing was."""

    title: str
    slots: Sequence[str]
    turns: Sequence[int]
    median_ms: Sequence[float]
    p95_ms: Sequence[float]
    languages: Mapping[str, int] = field(default_factory=dict)
    questions: Sequence[tuple[str, int]] = ()


def draw(data: ChartData) -> bytes:
    """A PNG of at most some 60 kB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(data.title, fontsize=15, fontweight="bold", color=INK)
    turns, times, languages, questions = figure.subplots(4, 1, height_ratios=[3, 3, 0.9, 3.6])
    _draw_turns(turns, data)
    _draw_times(times, data)
    _draw_languages(languages, data.languages)
    _draw_questions(questions, data.questions)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _draw_turns(axes: Axes, data: ChartData) -> None:
    _dress(axes, f"Réponses ({sum(data.turns)} au total)")
    axes.bar(range(len(data.turns)), data.turns, color=ACCENT, width=0.8)
    _label_time(axes, data.slots)


def _draw_times(axes: Axes, data: ChartData) -> None:
    _dress(axes, "Temps de réponse (secondes)")
    for values, colour, label in ((data.p95_ms, SECOND, "95 % sous"), (data.median_ms, ACCENT, "médiane")):
        seconds = [value / 1000 if value else float("nan") for value in values]
        axes.plot(range(len(seconds)), seconds, color=colour, marker="o", markersize=4, label=label)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=10, frameon=False, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
    _label_time(axes, data.slots)


def _draw_languages(axes: Axes, languages: Mapping[str, int]) -> None:
    total = sum(languages.values())
    ranked = sorted(languages.items(), key=lambda item: -item[1])[: len(SHADES)]
    named = ", ".join(f"{name} {count / total:.0%}" for name, count in ranked)
    _dress(axes, f"Langues : {named}" if named else "Langues")
    axes.set_axis_off()
    if not total:
        return _say_empty(axes)
    left = 0.0
    for (_, count), shade in zip(ranked, SHADES, strict=False):
        axes.barh(0, count / total, left=left, color=shade, height=0.5)
        left += count / total
    axes.set_xlim(0, 1)
    return None


def _draw_questions(axes: Axes, questions: Sequence[tuple[str, int]]) -> None:
    _dress(axes, "Questions les plus posées")
    axes.set_axis_off()
    if not questions:
        return _say_empty(axes)
    shown = list(questions[:6])
    most = max(count for _, count in shown)
    for row, (text, count) in enumerate(shown):
        label = text if len(text) <= _LABEL_CHARS else text[: _LABEL_CHARS - 1] + "…"
        axes.barh(row, 0.35 * count / most, left=0.62, color=ACCENT, height=0.55)
        axes.text(0.6, row, label, ha="right", va="center", fontsize=11, color=INK)
        axes.text(0.63 + 0.35 * count / most, row, str(count), va="center", fontsize=11, color=INK)
    axes.set_xlim(-0.02, 1.05)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    return None


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=12, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=10, colors=INK)


def _label_time(axes: Axes, slots: Sequence[str]) -> None:
    step = max(1, len(slots) // 6)
    places = list(range(0, len(slots), step))
    axes.set_xticks(places, [slots[place] for place in places])
    axes.set_xlim(-0.6, max(0.6, len(slots) - 0.4))


def _say_empty(axes: Axes) -> None:
    axes.text(0.5, 0.5, "rien encore", transform=axes.transAxes, ha="center", color="#777777", fontsize=11)
