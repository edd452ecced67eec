"""The figures of a run as a Markdown page and a picture."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.chart import draw
from benchmarks.rig import ECHO_AIOGRAM, ECHO_PTB, OURS, TEXTBOOK
from benchmarks.speed import CACHED, CROWDS, EMBEDDED, WHATSAPP

LABELS = {
    OURS: "this bot",
    TEXTBOOK: "textbook bot",
    CACHED: "this bot, repeated questions (answer cache)",
    EMBEDDED: "this bot, no model (embedded answers)",
    WHATSAPP: "this bot, on WhatsApp",
    ECHO_PTB: "echo, python-telegram-bot",
    ECHO_AIOGRAM: "echo, aiogram",
}
CROWD_LABELS = {"in_a_turn": "always in a turn", "reading": "read the answer"}
LOSSES = {
    "kill": "kill -9 with a third answered: questions never answered",
    "sends": "one send in ten fails (429, 500, reset before it was taken): replies that did not arrive",
    "cut_after": "one send in ten is taken, then the connection is reset: replies that did not arrive",
    "answers": "one model answer in ten is empty or broken: replies that did not arrive",
}
# Where Telegram's word on a reply can get lost, so that a second copy must be risked.
UNTOLD, TOLD = ("kill", "cut_after"), ("sends", "answers")
Found = Mapping[str, Any]


def write(found: Found, folder: Path, *, rounds: int) -> None:
    """Write `performance/bench.md` and `images/bench.png` below a folder."""
    page = folder / "performance" / "bench.md"
    picture = folder / "images" / "bench.png"
    for path in (page, picture):
        path.parent.mkdir(parents=True, exist_ok=True)
    draw(found, LABELS, CROWD_LABELS, picture)
    sections = [
        section(found)
        for part, section in (
            ("speed", _speed),
            ("speed", _start),
            ("delay", _delay),
            ("growth", _growth),
            ("stored", _stored),
            ("idle", _idle),
            ("losses", _losses),
        )
        if part in found
    ]
    page.write_text("\n".join([_head(rounds), *sections]), encoding="utf-8")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, figures to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def number(value: float) -> str:
    """Three digits that matter, thousands apart."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def _cells(row: Mapping[str, float], *keys: str) -> list[str]:
    return [number(row[key]) for key in keys]


def _head(rounds: int) -> str:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    count = f"medians of {rounds} rounds" if rounds > 1 else "those of one round"
    return f"""# Beside the textbook bot

Measured by `make bench` on {time.strftime("%d.%m.%Y")} ({machine}). Every server is a process of its own on
the same cores; the bots take turns (A B A B ...); figures are {count}. Long talks, stored and idle sessions
are measured once; what is only counted (idle sessions, losses) runs side by side at the end.

The *textbook bot* is `benchmarks/peers/textbook.py`: python-telegram-bot with `concurrent_updates`,
LangChain's `create_agent` with one retrieval tool over the same catalogue, `AsyncSqliteSaver`, `ChatOpenAI`.
Both make two model calls in a turn, the first of which asks for a search, and commit all they keep. For the
measurement our burst window is 0 and our pace to the platforms is raised (`TELEGRAM_RATE`, `WHATSAPP_RATE`).

![CPU per turn, latency added to a slow model, database growth of a long talk](../images/bench.png)
"""


def _speed(found: Found) -> str:
    rows = found["speed"]
    textbook = rows[TEXTBOOK]["cpu_ms"]
    lines = [
        [
            LABELS[name],
            number(row["cpu_ms"]),
            number(textbook / row["cpu_ms"]),
            *_cells(row, "turns_per_second", "calls", "tokens"),
        ]
        for name, row in rows.items()
    ]
    header = ["", "CPU ms per turn", "textbook ÷ this", "turns/s", "model calls", "prompt tokens"]
    return f"""## Cost of a turn

Saturated: up to fifty questions are open at a time and the model answers at once. Each chat asks five times,
each time something new. On WhatsApp the bot also takes two receipts for each reply.

{table(header, lines)}
{_bare(found["commits"])}"""


def _bare(commits: Mapping[str, float]) -> str:
    return (
        "Bare SQLite commits of the rows of a turn (WAL, `synchronous=FULL`): "
        f"{number(commits['alone_turns_per_second'])} turns/s one by one at "
        f"{number(commits['alone_cpu_ms'])} ms CPU each, "
        f"{number(commits['grouped_turns_per_second'])} turns/s in groups of 50 at "
        f"{number(commits['grouped_cpu_ms'])} ms.\n"
    )


def _start(found: Found) -> str:
    lines = [
        [
            LABELS[name],
            number(row["http_s"]) if row["http_s"] else "none served",
            *_cells(row, "start_s", "first_answer_s", "rss_start", "rss"),
        ]
        for name, row in found["speed"].items()
        if name not in {CACHED, WHATSAPP}
    ]
    header = ["", "HTTP answers, s", "first poll, s", "first answer, s", "MiB at rest", "MiB after the load"]
    return f"""## Start-up

From the start of the process; one question waits at Telegram for the bot to come up.

{table(header, lines)}"""


def _delay(found: Found) -> str:
    keys = ("p50_ms", "p99_ms", "turns_per_second", "cpu_share")
    lines = [
        [f"{LABELS[name]}, {CROWD_LABELS[crowd]}", *_cells(loads[crowd], *keys)]
        for crowd in CROWDS
        for name, loads in found["delay"].items()
    ]
    header = [f"{found['crowd']} chats at once", "added p50 ms", "added p99 ms", "turns/s", "cores used"]
    demand = found["crowd"] / (CROWDS["reading"] + 2)
    return f"""## What is added to a model that takes 1 s for each call

Added is the time from the push of a question to the arrival of its answer at Telegram, less what the model
server itself took for the calls of a turn (two, thus about 2 s). *Always in a turn*: every chat asks again
the moment it is answered, which demands more than a core can do; what is measured is then the queue.
*Read the answer*: every chat reads {CROWDS["reading"]:.0f} s on average before it asks again, as
subscribers do; that is at most {demand:.0f} turns/s in all.

{table(header, lines)}"""


def _growth(found: Found) -> str:
    lines = [
        [LABELS[name], mark, *_cells(row, "ms", "bytes", "tokens")]
        for name, marks in found["growth"].items()
        for mark, row in marks.items()
    ]
    header = ["", "turn", "ms per turn", "database bytes per turn", "prompt tokens per turn"]
    return f"""## One chat that goes on and on

From question to committed answer, without Telegram; over the ten turns from that turn on: median
milliseconds, mean bytes (0 or less where a turn takes room that earlier ones gave back) and tokens.

{table(header, lines)}"""


def _stored(found: Found) -> str:
    lines = [
        [number(float(sessions)), *_cells(row, "start_s", "p50_ms", "cpu_ms", "rss_mib")]
        for sessions, row in found["stored"].items()
    ]
    header = ["stored sessions", "opening s", "p50 ms per turn", "CPU ms per turn", "resident MiB"]
    return "## Stored sessions (this bot, embedded answers)\n\n" + table(header, lines)


def _idle(found: Found) -> str:
    lines = [
        [LABELS[name], *_cells(row, "sessions", "rss_mib", "kib_per_session")]
        for name, row in found["idle"].items()
    ]
    header = ["", "sessions of 5 turns", "resident MiB after them", "KiB per session"]
    return f"""## Idle sessions in memory

Each session has taken five turns. Ours took the last one in the process that is weighed, the others are
copies on disk; the textbook bot took all of them. What a session adds is that of as many more.

{table(header, lines)}"""


def _losses(found: Found) -> str:
    bots = found["losses"]
    lines = [[label, *(_lost(rows[case]) for rows in bots.values())] for case, label in LOSSES.items()]
    copies = {"after a kill, or a reset when it was taken": UNTOLD, "in the other two cases": TOLD}
    for label, cases in copies.items():
        counts = [sum(rows[case]["doubled"] for case in cases) for rows in bots.values()]
        lines.append([f"replies that arrived twice, {label}", *map(number, counts)])
    calls = [number(rows["burst"]["calls"]) for rows in bots.values()]
    lines.append(["model calls for one thought in five messages", *calls])
    return f"""## What gets lost

*Told*: both of the two attempts we allow ourselves ended in doubt, one time in a hundred here. The reply then
stands as a dead letter that the admin page can send, and the subscriber is asked to repeat the question.
A bot that never hears whether Telegram took a reply can only lose it or send it again; ours sends it once
more, and such a copy is the price of losing nothing.

{table(["", *(LABELS[name] for name in bots)], lines)}"""


def _lost(row: Mapping[str, float]) -> str:
    kept = f" ({row['told']:.0f} told)" if row["told"] else ""
    return f"{row['lost']:.0f} of {row['asked']:.0f}{kept}"
