"""Reads untrusted values of a webhook: any JSON value in, a harmless one out; nothing here raises."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

TEXT_LIMIT = 8192  # twice what WhatsApp lets a subscriber type
_MARKS_IN_A_ROW = 4
_FIRST_MARK = "\u0300"
# Lone surrogates break UTF-8; NUL and controls break SQLite, logs and terminals; bidi overrides hide text.
_SURROGATES = re.compile("[\ud800-\udfff]")
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def text_of(value: object, limit: int = TEXT_LIMIT) -> str:
    """The value as clean NFC text of at most `limit` code points; "" unless it is a string."""
    if not isinstance(value, str):
        return ""
    text = value[:limit].replace("\r\n", "\n")
    if not text.isascii() and max(text) >= _FIRST_MARK:  # below it all is NFC: French and Hausa
        text = _SURROGATES.sub("\ufffd", text)
        text = _without_towers(unicodedata.normalize("NFC", text))[:limit]
    return _UNWANTED.sub("", text).strip()


def _without_towers(text: str) -> str:
    """Cap runs of combining marks, which otherwise pile up over neighbouring lines."""
    kept: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= _MARKS_IN_A_ROW:
            kept.append(character)
    return "".join(kept)


def mapping_of(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items_of(value: object) -> list[Any]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def integer_of(value: object) -> int | None:
    """The value as an integer of at most 63 bits, or None."""
    if isinstance(value, str) and len(value) <= 19 and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        return None
    return value


def number_of(value: object) -> float | None:
    """The value as a finite float, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < 1e12 else None  # also refuses NaN and infinity
