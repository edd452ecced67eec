"""What Telegram checks in a message: its HTML, its length and its buttons."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

MAX_TEXT = 4096
MAX_CAPTION = 1024
TAGS = frozenset({
    "a", "b", "strong", "i", "em", "s", "strike", "del", "u", "ins", "tg-spoiler", "tg-emoji", "tg-time",
    "span", "pre", "code", "blockquote",
})  # fmt: skip
_SPECIAL = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)?([^<>]*)(>?)|&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")


class Refusal(Exception):
    """An error answer of the Bot API."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


def bad(words: str) -> Refusal:
    return Refusal(400, f"Bad Request: {words}")


def parse_html(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The plain text and its (tag, content) entities. Raises Refusal like Telegram's parser."""
    plain: list[str] = []
    entities: list[tuple[str, str]] = []
    open_tags: list[tuple[str, int]] = []
    at = 0
    for match in _SPECIAL.finditer(text):
        plain.append(text[at : match.start()])
        at = match.end()
        if match[0][0] == "&":
            plain.append(unescape(match[0]))
        elif match[1]:
            entities.append(_closed(match, open_tags, plain))
        else:
            open_tags.append((_opened(match, text), len(plain)))
    if open_tags:
        raise bad(
            f"can't parse entities: Can't find end tag corresponding to start tag \"{open_tags[-1][0]}\""
        )
    plain.append(text[at:])
    return "".join(plain), entities


def _opened(match: re.Match[str], text: str) -> str:
    tag = (match[2] or "").lower()
    place = len(text[: match.start()].encode("utf-8", "replace"))
    if not match[4]:
        raise bad(f"can't parse entities: Unclosed start tag at byte offset {place}")
    if tag not in TAGS:
        raise bad(f'can\'t parse entities: Unsupported start tag "{tag}" at byte offset {place}')
    return tag


def _closed(match: re.Match[str], open_tags: list[tuple[str, int]], plain: list[str]) -> tuple[str, str]:
    tag = (match[2] or "").lower()
    if not open_tags:
        raise bad("can't parse entities: Unexpected end tag at byte offset 0")
    expected, start = open_tags.pop()
    if tag not in {"", expected} or not match[4]:
        raise bad(f'can\'t parse entities: Unmatched end tag, expected "</{expected}>", found "</{tag}>"')
    return expected, "".join(plain[start:])


def check_text(text: object, mode: object, limit: int = MAX_TEXT) -> tuple[str, list[tuple[str, str]]]:
    """The text as people see it. Raises Refusal when Telegram would."""
    if not isinstance(text, str):
        raise bad("message text is empty")
    plain, entities = parse_html(text) if mode == "HTML" else (text, [])
    if mode not in {None, "", "HTML"}:
        raise bad("unsupported parse_mode")
    plain = plain.strip()
    if len(plain) > limit:
        raise bad("message is too long" if limit == MAX_TEXT else "message caption is too long")
    return plain, entities


def check_markup(markup: Any) -> None:
    """Raises Refusal for buttons that Telegram refuses."""
    if markup is None:
        return
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    for row in markup.get("inline_keyboard", ()):
        for button in row:
            _check_button(button)


def _check_button(button: dict[str, Any]) -> None:
    if not button.get("text"):
        raise bad('can\'t parse inline keyboard button: Field "text" must be of type String')
    kinds = [name for name in ("callback_data", "copy_text", "url") if name in button]
    if len(kinds) != 1:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if kinds == ["callback_data"] and not 1 <= len(button["callback_data"].encode()) <= 64:
        raise bad("BUTTON_DATA_INVALID")
    if kinds == ["copy_text"] and not 1 <= len(button["copy_text"].get("text", "")) <= 256:
        raise bad("BUTTON_COPY_TEXT_INVALID")
