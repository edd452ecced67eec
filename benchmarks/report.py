"""The figures of a run as a Markdown page and a picture."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.rig import ECHO_AIOGRAM, ECHO_PTB, OURS, TEXTBOOK
from benchmarks.speed import CACHED, EMBEDDED

LABELS = {
    OURS: "this bot",
    TEXTBOOK: "textbook bot",
    CACHED: "this bot, repeated questions (answer cache)",
    EMBEDDED: "this bot, no model (embedded answers)",
    ECHO_PTB: "echo, python-telegram-bot",
    ECHO_AIOGRAM: "echo, aiogram",
}
Found = dict[str, Any]


def write(found: Found, folder: Path, *, rounds: int) -> None:
    """Write `performance/bench.md` and `images/bench.png` below a folder."""
    page = folder / "performance" / "bench.md"
    picture = folder / "images" / "bench.png"
    for path in (page, picture):
        path.parent.mkdir(parents=True, exist_ok=True)
    sections = [section(found) for section in (_speed, _delay, _growth, _memory, _losses)]
    head = _head(rounds)
    if "speed" in found:
        draw(found, picture)
        head += "\n![CPU per turn, turns per second and database growth](../images/bench.png)\n"
    page.write_text("\n".join([head, *filter(None, sections)]), encoding="utf-8")


def _head(rounds: int) -> str:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    return f"""# Beside the textbook bot

Measured by `make bench` on {time.strftime("%d.%m.%Y")} ({machine}). Every server is a process of its own on
the same cores; the bots take turns (A B A B ...); figures are medians of {rounds} rounds.

The *textbook bot* is `benchmarks/peers/textbook.py`: python-telegram-bot with `concurrent_updates`,
LangChain's `create_agent` with one retrieval tool over the same catalogue, `AsyncSqliteSaver`, `ChatOpenAI`.
Both make two model calls in a turn, the first of which asks for a search, and commit all they keep. Each chat
asks five times, each time something new. For the measurement our burst window is 0 and our pace to
Telegram is raised (`TELEGRAM_RATE`).
"""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, figures to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def number(value: float) -> str:
    """Three digits that matter, thousands apart."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def _speed(found: Found) -> str:
    if "speed" not in found:
        return ""
    rows, textbook = found["speed"], found["speed"][TEXTBOOK]
    lines = [
        [
            LABELS[name],
            number(row["cpu_ms"]),
            number(textbook["cpu_ms"] / row["cpu_ms"]),
            number(row["turns_per_second"]),
            number(row["calls"]),
            number(row["tokens"]),
            number(row["start_s"]),
            number(row["rss_start"]),
        ]
        for name, row in rows.items()
    ]
    commits = found["commits"]
    bare = (
        "\nBare SQLite commits of the rows of a turn (WAL, `synchronous=FULL`): "
        f"{number(commits['alone_turns_per_second'])} turns/s one by one at "
        f"{number(commits['alone_cpu_ms'])} ms CPU each, "
        f"{number(commits['grouped_turns_per_second'])} turns/s in groups of 50 at "
        f"{number(commits['grouped_cpu_ms'])} ms.\n"
    )
    header = [
        "",
        "CPU ms per turn",
        "textbook ÷ this",
        "turns/s at saturation",
        "model calls",
        "prompt tokens",
    ]
    return "## Cost of a turn\n\n" + table([*header, "start-up s", "MiB at rest"], lines) + bare


def _delay(found: Found) -> str:
    if "busy" not in found:
        return ""
    lines = [
        [
            LABELS[name],
            load,
            *(number(row[key]) for key in ("p50_ms", "p99_ms", "turns_per_second", "cpu_share")),
        ]
        for load, rows in (("200 chats", found["busy"]), ("10 chats", found["calm"]))
        for name, row in rows.items()
    ]
    header = ["", "at once", "added p50 ms", "added p99 ms", "turns/s", "cores used"]
    return "## What is added to a model that takes 1 s for each call\n\n" + table(header, lines)


def _growth(found: Found) -> str:
    if "growth" not in found:
        return ""
    lines = [
        [LABELS[name], mark, *(number(row[key]) for key in ("ms", "bytes", "tokens"))]
        for name, marks in found["growth"].items()
        for mark, row in marks.items()
    ]
    header = ["", "turn", "ms per turn", "database bytes per turn", "prompt tokens per turn"]
    return "## One chat that goes on and on\n\n" + table(header, lines)


def _memory(found: Found) -> str:
    parts = []
    if "idle" in found:
        lines = [
            [LABELS[name], *(number(row[key]) for key in ("sessions", "rss_mib", "kib_per_session"))]
            for name, row in found["idle"].items()
        ]
        header = ["", "sessions of 5 turns", "resident MiB after them", "KiB per session"]
        parts.append("## Idle sessions in memory\n\n" + table(header, lines))
    if "stored" in found:
        keys = ("start_s", "p50_ms", "cpu_ms", "rss_mib")
        lines = [
            [number(float(n)), *(number(row[key]) for key in keys)] for n, row in found["stored"].items()
        ]
        header = ["stored sessions", "opening s", "p50 ms per turn", "CPU ms per turn", "resident MiB"]
        parts.append("## Stored sessions (this bot, embedded answers)\n\n" + table(header, lines))
    return "\n".join(parts)


def _losses(found: Found) -> str:
    if "kill" not in found:
        return ""
    cases = (
        ("kill", "kill -9 with a third answered: questions never answered"),
        ("sends", "one send in ten fails (429, 500, reset): replies lost"),
        ("answers", "one model answer in ten is empty or broken: replies lost"),
    )
    lines = [
        [
            label,
            *(
                f"{row['lost']:.0f} of {row['asked']:.0f}"
                for row in (found[case][OURS], found[case][TEXTBOOK])
            ),
        ]
        for case, label in cases
    ]
    doubled = [sum(found[case][name]["doubled"] for case, _ in cases) for name in (OURS, TEXTBOOK)]
    lines.append(["replies that arrived twice in these runs", *(f"{count:.0f}" for count in doubled)])
    burst = [found["burst"][name]["calls"] for name in (OURS, TEXTBOOK)]
    lines.append(["model calls for one thought in five messages", *(f"{count:.0f}" for count in burst)])
    return "## What gets lost\n\n" + table(["", LABELS[OURS], LABELS[TEXTBOOK]], lines)


def draw(found: Found, path: Path) -> None:
    """Three panels: cost, throughput, growth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    cost, rate, growth = figure.subplots(1, 3)
    names = list(found["speed"])
    labels = [LABELS[name].replace(", ", ",\n").replace(" (", "\n(") for name in names]
    colours = ["#c8102e" if name.startswith(OURS) else "#888888" for name in names]
    for axes, key, title in (
        (cost, "cpu_ms", "CPU ms per turn"),
        (rate, "turns_per_second", "turns/s at saturation"),
    ):
        bars = axes.barh(labels, [found["speed"][name][key] for name in names], color=colours)
        axes.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
        axes.set_title(title)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.tick_params(labelsize=8)
    rate.set_yticklabels([])
    for name, marks in found.get("growth", {}).items():
        turns = [int(mark) for mark in marks if int(mark) > 1]
        sizes = [max(1.0, marks[str(mark)]["bytes"]) / 1024 for mark in turns]
        growth.plot(
            turns, sizes, marker="o", label=LABELS[name], color="#c8102e" if name == OURS else "#888888"
        )
    growth.set(title="database KiB per turn of one chat", xlabel="turn", yscale="log")
    if found.get("growth"):
        growth.legend(fontsize=8)
    figure.savefig(path, dpi=110)
