"""Turns a reply into the fields of a WhatsApp message: one message wherever it fits. Pure functions.

A message costs money and one of ten a minute for a subscriber. So a text too long for buttons carries its
choices as numbered lines, which can be typed, instead of a second message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from channels.base import Split
from channels.chunking import Limits, PartWords, split_reply
from channels.whatsapp_render import cut, numbered, render_flat, render_text, titles, utf16_length
from config.texts import Texts
from domain.messages import Attachment, Choice, Reply

BODY_UNITS = 4096
INTERACTIVE_UNITS = 1024
CAPTION_UNITS = 1024
TEMPLATE_UNITS = 900  # a template holds 1024 with its own words
MAX_BUTTONS = 3
MAX_ROWS = 10
_BUTTON_UNITS = 20
_ROW_UNITS = 24
_DESCRIPTION_UNITS = 72
# Rendering fences codes and counts UTF-16 units: text dense in codes or pictures gets smaller parts.
_SIZES = (3500, 1750, 875)
_IMAGES = frozenset({"image/jpeg", "image/png"})

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """What the channel says itself."""

    parts: PartWords
    choose: str
    choices: str

    @classmethod
    def of(cls, texts: Texts) -> Self:
        """Read from `data/texts/whatsapp.toml` and `chunking.toml`."""
        return cls(PartWords.of(texts), texts.get("whatsapp.choose"), texts.get("whatsapp.choices"))


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template whose body holds one variable, for answers outside the 24-hour window."""

    name: str
    language: str


def split(reply: Reply, words: Words) -> Split:
    """Cut a reply into as few messages as possible, at most three."""
    if not reply.text.strip() and reply.choices and reply.attachment is None:
        reply = replace(reply, text=words.choices)
    if reply.attachment is not None and utf16_length(_spoken(reply)) <= CAPTION_UNITS:
        return Split((replace(reply, text=reply.text.strip()),))
    for hard in _SIZES:
        cut_up = split_reply(reply, Limits(soft=hard // 2, hard=hard, caption=-1), words.parts)
        if all(utf16_length(_spoken(part)) <= BODY_UNITS for part in cut_up.parts):
            break
    return cut_up


def compose(reply: Reply, words: Words, *, plain: bool = False) -> Fields:
    """The fields of a message without file; `plain` uses no buttons."""
    tappable = () if plain else titles(reply.choices, _ROW_UNITS)
    if len(reply.choices) <= MAX_BUTTONS and not plain:
        tappable = titles(reply.choices, _BUTTON_UNITS)
    body = _interactive_body(reply, words) if tappable and len(tappable) <= MAX_ROWS else ""
    if not body:
        text = _spoken(reply) or words.parts.empty
        return {"type": "text", "text": {"body": cut(text, BODY_UNITS), "preview_url": False}}
    interactive = _buttons(tappable) if len(reply.choices) <= MAX_BUTTONS else _list(tappable, words)
    return {"type": "interactive", "interactive": {**interactive, "body": {"text": body}}}


def compose_file(reply: Reply, file: Attachment, media_id: str) -> Fields:
    """The fields of a message with an uploaded file."""
    caption = cut(_spoken(reply), CAPTION_UNITS)
    fields = {"id": media_id, **({"caption": caption} if caption else {})}
    if file.media_type in _IMAGES:
        return {"type": "image", "image": fields}
    return {"type": "document", "document": {**fields, "filename": upload_name(file)[0]}}


def compose_template(reply: Reply, template: Template) -> Fields:
    """The fields of a template message whose one variable is the whole answer on one line."""
    text = render_flat(_with_rows(reply), TEMPLATE_UNITS)
    parameters = [{"type": "text", "text": _carried(text)}]
    return {
        "type": "template",
        "template": {
            "name": template.name,
            "language": {"code": template.language},
            "components": [{"type": "body", "parameters": parameters}],
        },
    }


def upload_name(file: Attachment) -> tuple[str, str]:
    """Name and media type to upload a file under: WhatsApp takes JSON and CSV as plain text only."""
    if not file.media_type.startswith("text/") and file.media_type != "application/json":
        return file.name, file.media_type
    return file.name if file.name.endswith(".txt") else f"{file.name}.txt", "text/plain"


def _spoken(reply: Reply) -> str:
    """The text as it travels, choices as numbered lines."""
    return _carried(render_text(_with_rows(reply)))


def _with_rows(reply: Reply) -> str:
    rows = numbered(reply.choices, reply.text)
    return f"{reply.text.strip()}\n\n{rows}".strip() if rows else reply.text.strip()


def _interactive_body(reply: Reply, words: Words) -> str:
    """The body above buttons, "" when the text is too long for one."""
    bare = _carried(render_text(reply.text)) or words.choices
    candidates = (_spoken(reply) if reply.text.strip() else bare, bare)
    return next((body for body in candidates if utf16_length(body) <= INTERACTIVE_UNITS), "")


def _buttons(tappable: Sequence[tuple[Choice, str]]) -> Fields:
    buttons = [
        {"type": "reply", "reply": {"id": choice.id, "title": _carried(title)}} for choice, title in tappable
    ]
    return {"type": "button", "action": {"buttons": buttons}}


def _list(tappable: Sequence[tuple[Choice, str]], words: Words) -> Fields:
    rows = [_row(choice, title) for choice, title in tappable]
    return {
        "type": "list",
        "action": {"button": cut(words.choose, _BUTTON_UNITS), "sections": [{"rows": rows}]},
    }


def _row(choice: Choice, title: str) -> Mapping[str, str]:
    label = " ".join(choice.label.split())
    row = {"id": choice.id, "title": _carried(title)}
    return row if title == label else {**row, "description": _carried(cut(label, _DESCRIPTION_UNITS))}


def _carried(text: str) -> str:
    """The text without lone surrogates, which no UTF-8 can carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
