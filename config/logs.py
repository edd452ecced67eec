"""Logs: one line per event, on the console or as JSON, without secrets and without phone numbers."""

from __future__ import annotations

import logging
import logging.handlers
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import orjson

MAX_LINE = 4096  # bytes
_MAX_TEXT = 2000
_MAX_EXTRA = 300
_MAX_TRACE = 3000
_MAX_RAW = 4 * MAX_LINE  # what is looked at of a text: the rest would be cut anyway
FILE_BYTES = 5 * 1024 * 1024
FILE_COUNT = 5
# They log addresses with tokens in them, or every request.
_QUIET = (
    *("httpx", "httpx2", "httpcore", "httpcore2", "openai", "telegram", "aiohttp.access", "apscheduler"),
    *("aiosqlite", "langchain_openai", "asyncio", "PIL", "matplotlib"),
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_BOT_TOKEN = re.compile(r"\d{6,}:[\w-]{30,}")
_BEARER = re.compile(r"(?i)(bearer\s+)[\w.~+/-]{8,}=*")
# +227 90 12 34 56, 00227..., 90123456, 90-12-34-56: any subscriber number of Niger, but no date.
_PHONE = re.compile(
    r"(?<![\w.])(?!\d{4}-\d{2}-\d{2}(?!\d))(?:(?:\+|00)?227[ .-]?)?\d{2}(?:[ .-]?\d{2}){3}(?![\w.])"
)
# What could forge a line, move a terminal's cursor, turn the reading order or break the encoding.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)

# What nearly every line is made of: "turn done", "telegram". No digit, so no number and no code of anybody.
_WORDS = re.compile(r"[A-Za-z_.: -]{1,40}")
_WORDS_KEPT = 512  # far more than we have in our code

Hide = Callable[[str], str]


class Redactor:
    """Takes known secrets, tokens and phone numbers out of a text; `hide`, if any, takes out more."""

    def __init__(self, secrets: Iterable[str] = (), hide: Hide | None = None) -> None:
        self._hide = hide
        known = sorted({secret for secret in secrets if len(secret) >= 6}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """The same text, safe to keep."""
        if self._known is not None:
            text = self._known.sub("<secret>", text)
        text = _BOT_TOKEN.sub("<token>", text)
        text = _BEARER.sub(r"\1<token>", text)
        text = _PHONE.sub("<tel>", text)
        return self._hide(text) if self._hide is not None else text


class _Line(logging.Formatter):
    """Shared by both styles: redaction of everything that varies, and a bound on the length."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact
        # The same text is always redacted alike; kept, that saves 0.04 ms of the line of a turn.
        self._words = lru_cache(maxsize=_WORDS_KEPT)(redact)

    def _message(self, record: logging.LogRecord) -> str:
        return self._safe(record.getMessage())

    def _safe(self, text: str, limit: int = _MAX_TEXT) -> str:
        if _WORDS.fullmatch(text):
            return self._words(text)
        return self._redact(_CONTROL.sub(" ", text[:_MAX_RAW])).replace("\n", "\\n")[:limit]

    def _extras(self, record: logging.LogRecord) -> dict[str, object]:
        return {
            name: (
                value
                if value is None or isinstance(value, float) or _is_short(value)
                else self._safe(str(value), _MAX_EXTRA)
            )
            for name, value in vars(record).items()
            if name not in _STANDARD
        }

    def _trace(self, record: logging.LogRecord) -> str:
        if not record.exc_info or record.exc_info[0] is None:
            return ""
        trace = "".join(traceback.format_exception(*record.exc_info))[-_MAX_RAW:]
        # The exception's own text may quote a subscriber or a token.
        return self._redact(_CONTROL.sub(" ", trace))[-_MAX_TRACE:]


class ConsoleFormatter(_Line):
    """2026-11-25 18:04:11 INFO turn done action=turn ms=3.1"""

    def format(self, record: logging.LogRecord) -> str:
        """One line, a traceback indented behind it."""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        extras = " ".join(f"{name}={value}" for name, value in self._extras(record).items() if value != "")
        line = _fitting(f"{when} {record.levelname:<7} {self._message(record)} {extras}".rstrip(), MAX_LINE)
        trace = self._trace(record)
        return line + "".join(f"\n    {row}" for row in trace.splitlines())


class JsonFormatter(_Line):
    """One JSON object per line, at most MAX_LINE bytes."""

    def format(self, record: logging.LogRecord) -> str:
        """The event with its extras; `trace` when there is one."""
        entry: dict[str, object] = {
            "at": round(record.created, 3),
            "level": record.levelname,
            "logger": record.name[:_MAX_EXTRA],
            "message": self._message(record),
            **self._extras(record),
        }
        if trace := self._trace(record):
            entry["trace"] = trace
        return _bounded(entry)


def _is_short(value: object) -> bool:
    """A whole number that JSON readers, and our writer, take as it is."""
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _bounded(entry: dict[str, object]) -> str:
    """The entry on one line; its longest texts give way until it fits."""
    limit = _MAX_TRACE
    while True:
        line = orjson.dumps(entry)
        if len(line) <= MAX_LINE:
            return line.decode()
        limit //= 2
        if limit < 8:  # a flood of extras
            return orjson.dumps({name: entry[name] for name in ("at", "level", "logger")}).decode()
        for name, value in entry.items():
            if isinstance(value, str) and len(value) > limit:
                entry[name] = value[-limit:] if name == "trace" else value[:limit]


def _fitting(line: str, size: int) -> str:
    """As much of a line as fits into so many bytes."""
    return line.encode()[:size].decode(errors="ignore")


def set_up_logs(
    *,
    level: str,
    as_json: bool = False,
    file: Path | None = None,
    secrets: Iterable[str] = (),
    hide: Hide | None = None,
) -> None:
    """Send every log line, redacted, to standard error and, when asked, to a rotating file."""
    redact = Redactor(secrets, hide)
    logging.raiseExceptions = False  # a line that cannot be written would be printed as it is, unredacted
    formatter = JsonFormatter(redact) if as_json else ConsoleFormatter(redact)
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(
                file, maxBytes=FILE_BYTES, backupCount=FILE_COUNT, encoding="utf-8", delay=True
            )
        )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
