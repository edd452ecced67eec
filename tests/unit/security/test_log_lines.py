"""Logs under attack: whatever a stranger writes, one event stays one bounded line without secrets."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.shield import anonymise, mask
from config.logs import MAX_LINE, ConsoleFormatter, JsonFormatter, Redactor, set_up_logs

TOKEN = "515151:AAkanariTokenOfTheBot_0123456789abcde"
REDACT = Redactor([TOKEN, "kanari-http-token"], lambda text: anonymise(mask(text)[0]))
NAMES = {
    "newline": "Awa\nERROR forged line\r\n2026-11-25 INFO admin signed in",
    "separators": "Awa\u2028ERROR\u2029forged\x85\x0b\x0c",
    "terminal": "\x1b[2J\x1b[31mAwa\x1b]0;title\x07\x9b31m",
    "right to left": "\u202egnp.exe\u2066\u200f\ufeff",
    "one megabyte": "A" * 1_000_000,
    "wide megabyte": "😀" * 250_000,
    "half an emoji": "Awa \ud83d",
    "nul": "\x00" * 5000,
    "quotes": '"}\n{"level": "ERROR", "message": "' * 300,
    "percent": "%s %d %(name)s {0}",
    "pin": "mon code pin est 483917",
    "number": "90 31 42 53",
    "token": f"/bot{TOKEN}/getMe",
}
FORBIDDEN = ("483917", "31 42 53", TOKEN, "kanari-http-token", "\x1b", "\x07", "\u202e", "\u2028", "\x00")


def record(text: str, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("t").makeRecord(
        "t", logging.ERROR, "f", 1, "from %s", (text,), None, extra=extra
    )
    try:
        raise ValueError(text, "kanari-http-token")
    except ValueError:
        made.exc_info = sys.exc_info()
    return made


@pytest.mark.parametrize("name", sorted(NAMES))
def test_one_event_is_one_json_line(name: str) -> None:
    line = JsonFormatter(REDACT).format(record(NAMES[name], action=NAMES[name], user=NAMES[name], ms=1.5))
    assert len(line.splitlines()) == 1
    assert len(line.encode()) <= MAX_LINE
    entry = json.loads(line)
    assert entry["level"] == "ERROR"
    assert "ValueError" in entry["trace"] or len(NAMES[name]) > 1000
    assert not [word for word in FORBIDDEN if word in line]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_console_shows_one_line_and_an_indented_trace(name: str) -> None:
    first, *rest = ConsoleFormatter(REDACT).format(record(NAMES[name], user=NAMES[name])).split("\n")
    assert len(first.encode()) <= MAX_LINE
    assert all(row.startswith("    ") for row in rest)
    assert not [word for word in FORBIDDEN if word in "\n".join((first, *rest))]


def test_a_flood_of_fields_still_fits() -> None:
    extra = {f"field_{number}": "é" * 500 for number in range(400)}
    line = JsonFormatter(REDACT).format(record("x", **extra))
    assert len(line.encode()) <= MAX_LINE
    assert json.loads(line)["level"] == "ERROR"


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=3000), st.text(max_size=300))
def test_any_text_is_one_bounded_line(text: str, value: str) -> None:
    line = JsonFormatter(REDACT).format(record(text, value=value))
    assert len(line.splitlines()) == 1
    assert len(line.encode()) <= MAX_LINE
    json.loads(line)


def test_a_line_that_cannot_be_written_is_not_printed_raw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    root.handlers.clear()
    try:
        set_up_logs(level="DEBUG", as_json=True, file=tmp_path / "bot.log", secrets=[TOKEN])
        logging.getLogger("t").error("number %d", TOKEN)  # a mistake of ours in a log call
        logging.getLogger("t").error("half an emoji \ud83d of %s", TOKEN)
        for chatty in ("httpx", "httpx2", "openai", "telegram", "aiosqlite", "aiohttp.access"):
            logging.getLogger(f"{chatty}.deep").debug("body with %s", "secret words")
            logging.getLogger(chatty).info("GET /bot%s", TOKEN)
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = before
        root.setLevel(level)
        logging.raiseExceptions = raising
    text = (tmp_path / "bot.log").read_text(encoding="utf-8") + capsys.readouterr().err
    assert "half an emoji" in text
    assert TOKEN not in text
    assert "secret words" not in text
