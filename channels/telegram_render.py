"""Plain text into what Telegram shows: escaped HTML with codes that copy on a tap, and buttons."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from html import escape
from typing import Any

from channels.chunking import ussd_codes
from domain.messages import Choice, Reply

MAX_CALLBACK_BYTES = 64
MAX_COPY_CHARS = 256
MAX_COPY_BUTTONS = 6
MAX_LABEL_CHARS = 64
_COPY_SIGN = "\N{CLIPBOARD}"  # needs no language, and old phones know it

logger = logging.getLogger(__name__)


def printable(text: str) -> str:
    """The text without lone surrogates, which no UTF-8 can carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def html(text: str) -> str:
    """Escape the text and put its USSD codes into <code>, byte for byte."""
    pieces: list[str] = []
    at = 0
    for start, end in ussd_codes(text):
        pieces += [escape(text[at:start], quote=False), "<code>", text[start:end], "</code>"]
        at = end
    pieces.append(escape(text[at:], quote=False))
    return "".join(pieces)


def keyboard(reply: Reply) -> dict[str, Any] | None:
    """An InlineKeyboardMarkup: a button per choice, numbered as typed, then one per USSD code to copy it."""
    rows = [[_choice_button(number, choice)] for number, choice in _numbered(reply.choices)]
    codes = dict.fromkeys(reply.text[start:end] for start, end in ussd_codes(reply.text))
    copies = [_copy_button(code) for code in codes if len(code) <= MAX_COPY_CHARS][:MAX_COPY_BUTTONS]
    rows += [copies[at : at + 2] for at in range(0, len(copies), 2)]
    return {"inline_keyboard": rows} if rows else None


def typed_choices(reply: Reply) -> str:
    """The text with its choices as numbered lines, for a message that goes out without buttons."""
    lines = [f"{number}. {choice.label}" for number, choice in _numbered(reply.choices)]
    return "\n".join([reply.text, "", *lines]) if lines else reply.text


def _numbered(choices: Sequence[Choice]) -> list[tuple[int, Choice]]:
    """Choices with the digit that means the same; one whose id cannot travel is left out, loudly."""
    fitting = []
    for number, choice in enumerate(choices, start=1):
        if 1 <= len(choice.id.encode("utf-8", "replace")) <= MAX_CALLBACK_BYTES:
            fitting.append((number, choice))
        else:
            logger.error("choice id is empty or over 64 bytes: no button", extra={"action": "render"})
    return fitting


def _choice_button(number: int, choice: Choice) -> dict[str, Any]:
    label = printable(f"{number}. {choice.label}"[:MAX_LABEL_CHARS])
    return {"text": label, "callback_data": choice.id}


def _copy_button(code: str) -> dict[str, Any]:
    return {"text": f"{_COPY_SIGN} {code}"[:MAX_LABEL_CHARS], "copy_text": {"text": code}}
