"""Logs: one line per event, without secrets and numbers, whatever is logged."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from agent.shield import anonymise, mask
from config.logs import ConsoleFormatter, JsonFormatter, Redactor, set_up_logs

TOKEN = "123456789:AAHfZ-0123456789abcdefghijklmnopqrs"


def _record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger("t").makeRecord("t", logging.INFO, "f", 1, message, args, None, extra=extra)


@pytest.mark.parametrize(
    "number",
    ["90123456", "90 12 34 56", "+227 90 12 34 56", "0022790123456", "227-90-12-34-56", "+22790123456"],
)
def test_phone_numbers_are_taken_out(number: str) -> None:
    assert Redactor()(f"appel de {number} hier") == "appel de <tel> hier"


@pytest.mark.parametrize(
    "text", ["*141*3#", "2000000", "10 000 F", "7 jours", "turn=123456", "v1.2.3", "12345", "2026-11-25"]
)
def test_codes_and_prices_stay(text: str) -> None:
    assert Redactor()(text) == text


def test_tokens_and_known_secrets_are_taken_out() -> None:
    redact = Redactor(["s3cret-value"])
    text = redact(f"GET /bot{TOKEN}/getMe Bearer abcdef123456 s3cret-value")
    assert TOKEN not in text
    assert "abcdef123456" not in text
    assert "s3cret" not in text


def test_a_newline_never_starts_a_second_line() -> None:
    line = ConsoleFormatter(Redactor()).format(_record("a\nERROR forged\x1b[31m", action="x\ny"))
    assert "\n" not in line
    assert "\x1b" not in line


def test_json_lines_are_json_and_bounded() -> None:
    line = JsonFormatter(Redactor()).format(_record("x" * 100_000, action="big", ms=1.5))
    entry = json.loads(line)
    assert entry["action"] == "big"
    assert entry["ms"] == 1.5
    assert len(line) < 5000


@pytest.mark.parametrize("value", [2**63, -(2**70), float("nan"), float("inf"), True, None, {"a": 2**70}])
def test_no_extra_keeps_a_line_from_being_written(value: object) -> None:
    line = json.loads(JsonFormatter(Redactor()).format(_record("turn done", odd=value)))
    assert line["message"] == "turn done"
    assert "odd" in line


def test_the_file_gets_redacted_tracebacks(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "bot.log"
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.handlers.clear()
    try:
        set_up_logs(level="INFO", as_json=True, file=file, secrets=[TOKEN])
        try:
            raise ValueError(f"token {TOKEN} of +227 90 12 34 56")
        except ValueError:
            logging.getLogger("t").exception("failed", extra={"action": "boom"})
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = before
        root.setLevel(level)
    entry = json.loads(file.read_text())
    assert "ValueError" in entry["trace"]
    assert TOKEN not in file.read_text()
    assert "90 12" not in file.read_text()


@pytest.mark.parametrize(
    "text", ["mon mot de passe est tototiti", "the key is lettersonly", "un deux trois quatre PIN"]
)
def test_what_is_logged_again_is_redacted_again(text: str) -> None:
    redact = Redactor(["lettersonly"], lambda text: anonymise(mask(text)[0]))
    formatter = ConsoleFormatter(redact)
    lines = {formatter.format(_record(text, user=text)).split(" ", 2)[2] for _ in range(3)}
    assert lines == {f"INFO    {redact(text)} user={redact(text)}"}
    assert redact(text) != text
