"""Turns what the chat page posts into our messages. Pure."""

from __future__ import annotations

import re
from typing import Any

import orjson

from channels.whatsapp_clean import text_of
from domain.errors import BadInput
from domain.messages import ChatKey, InboundMessage, MessageKind, Sender

MAX_TEXT = 4000
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

POST_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {
            "type": "string",
            "pattern": f"^{_CLIENT_ID.pattern}$",
            "description": "made by the client; the same id is the same message, whatever it holds",
        },
        "text": {
            "type": "string",
            "maxLength": MAX_TEXT,
            "description": "what was typed, or the label tapped",
        },
        "choice": {"type": "string", "maxLength": 64, "description": "id of the choice tapped"},
    },
}


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises BadInput("unreadable")."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = _with_lone_surrogates(body)
    if not isinstance(value, dict):
        raise BadInput("unreadable")
    return value


def parse_message(data: dict[str, Any], key: ChatKey, *, now: float) -> InboundMessage:
    """One message of the page. Raises BadInput with the code of a text in `data/texts/web.toml`."""
    client_id = data.get("id")
    if not isinstance(client_id, str) or not _CLIENT_ID.fullmatch(client_id):
        raise BadInput("bad_id")
    choice = data.get("choice")
    if choice is not None and not (
        isinstance(choice, str) and 0 < len(choice.encode("utf-8", "replace")) <= 64
    ):
        raise BadInput("bad_choice")
    text = _text(data.get("text"), required=choice is None)
    payload: dict[str, Any] = {"private": True}
    kind = MessageKind.COMMAND if text.startswith("/") else MessageKind.TEXT
    if choice is not None:
        kind = MessageKind.CHOICE
        payload["choice_id"] = text_of(choice)
    return InboundMessage(
        key=key,
        external_id=f"{key.chat}:{client_id}",  # ids are unique per account, and every chat makes its own
        kind=kind,
        text=text,
        sender=Sender(user_id=key.chat),
        sent_at=now,
        received_at=now,
        payload=payload,
    )


def _text(value: object, *, required: bool) -> str:
    if value is not None and not isinstance(value, str):
        raise BadInput("unreadable")
    if value and len(value) > MAX_TEXT:
        raise BadInput("too_long")
    text = text_of(value)
    if required and not text:
        raise BadInput("empty")
    return text


def _with_lone_surrogates(body: bytes) -> object:
    """Read once more with half emojis replaced: an old browser sends them, and orjson refuses them."""
    if not _SURROGATE_ESCAPE.search(body):
        raise BadInput("unreadable")
    try:
        return orjson.loads(_SURROGATE_ESCAPE.sub(rb"\\ufffd", body))
    except orjson.JSONDecodeError:
        raise BadInput("unreadable") from None
