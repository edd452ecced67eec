"""Makes what a stranger sent safe to store, to show and to put into a prompt. Pure functions."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Any

from domain.messages import Sender

MAX_NAME = 128
MAX_ID = 256
MAX_PAYLOAD_TEXT = 8000
_MAX_DEPTH = 6
_MAX_ITEMS = 100
_MAX_MARKS = 3  # accents on one letter: no language we serve needs more, zalgo does
_INT64 = 2**63
_FIRST_MARK = "\u0300"
_KEPT = frozenset("\n\t")
_DROPPED = frozenset({"Cc", "Cf", "Co", "Cn"})  # control, bidi and zero-width, private use, unassigned
_BREAKS = str.maketrans(
    {"\r": "\n", "\u2028": "\n", "\u2029": "\n", "\x0b": "\n", "\x0c": "\n", "\x85": "\n"}
)


def clean_text(text: str, limit: int) -> str:
    """Valid Unicode in NFC, at most `limit` characters, without control, bidi or piled-up characters."""
    text = text[: 2 * limit]  # marks and controls may fall away below; the loop stays bounded
    if text.isprintable() and (text.isascii() or max(text) < _FIRST_MARK):
        return text[:limit]
    text = _paired(text).replace("\r\n", "\n").translate(_BREAKS)
    # Marks are capped before NFC: its reordering is quadratic in the length of a run of marks.
    return unicodedata.normalize("NFC", "".join(_sober(text)))[:limit]


def clean_sender(sender: Sender) -> Sender:
    """The same sender with claims that can be stored."""
    return Sender(
        user_id=clean_text(sender.user_id, MAX_ID),
        name=clean_text(sender.name, MAX_NAME).strip(),
        phone=clean_text(sender.phone, 32) if sender.phone else None,
        locale=clean_text(sender.locale, 32) if sender.locale else None,
    )


def clean_payload(value: Any, depth: int = 0) -> Any:
    """JSON-able extras: clean strings, 64-bit integers, bounded size; what fits nowhere becomes None."""
    if isinstance(value, str):
        return clean_text(value, MAX_PAYLOAD_TEXT)
    if isinstance(value, bool | int | float):
        return value if _fits(value) else None
    if depth >= _MAX_DEPTH or isinstance(value, bytes | bytearray):
        return None
    if isinstance(value, Mapping):
        pairs = islice(value.items(), _MAX_ITEMS)
        return {clean_text(str(name), MAX_ID): clean_payload(item, depth + 1) for name, item in pairs}
    if isinstance(value, Sequence):
        return [clean_payload(item, depth + 1) for item in value[:_MAX_ITEMS]]
    return None


def _fits(number: float) -> bool:
    """Whether it is a JSON number every reader takes: no infinity, no NaN, no integer beyond 64 bits."""
    return -_INT64 <= number < _INT64 if isinstance(number, int) else isfinite(number)


def _paired(text: str) -> str:
    """Join surrogate pairs, replace lone surrogates: those raise in SQLite, in JSON and in every client."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _sober(text: str) -> list[str]:
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category[0] == "M":
            marks += 1
            if marks <= _MAX_MARKS:
                kept.append(character)
        elif category not in _DROPPED or character in _KEPT:
            marks = 0
            kept.append(character)
    return kept
