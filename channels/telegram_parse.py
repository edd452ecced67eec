"""Turns one raw Bot API update into our message. Pure; whatever JSON can hold, only BadInput is raised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.telegram_content import read_content
from channels.whatsapp_clean import integer_of, items_of, mapping_of, text_of
from domain.errors import BadInput
from domain.messages import ChatKey, InboundMessage, MessageKind, Sender

CHANNEL = "telegram"
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")
_MAX_CALLBACK_BYTES = 64
_NUMBER = re.compile(r"^\d{1,2}\. ")  # how our buttons show the digit that means the same
_PRESENT = frozenset({"creator", "administrator", "member", "restricted"})
_BLOCKING = {"kicked": "blocked", "member": "unblocked"}
_FORWARD_SIGNS = frozenset(
    {"forward_origin", "forward_date", "forward_from", "via_bot", "sender_business_bot"}
)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one kind of update says, before it becomes a message."""

    chat: Mapping[str, Any]
    author: Mapping[str, Any]
    kind: MessageKind
    text: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    date: object = None


def parse_update(raw: object, account: str, *, now: float) -> InboundMessage | None:
    """The message an update holds, None when there is nothing to do. Raises BadInput for a poison update.

    Groups and channels give a GROUP message without their text: the bot leaves, it does not listen.
    """
    update_id = update_id_of(raw)
    if update_id is None:
        raise BadInput("no update_id")
    part = _read(mapping_of(raw))
    if part is None or part.author.get("is_bot") is True:
        return None
    chat = integer_of(part.chat.get("id"))
    if not chat:
        raise BadInput("no chat id")
    private = _is_private(part.chat, chat)
    if not private and not _wants_leaving(part):
        return None
    sent_at = integer_of(part.date)
    return InboundMessage(
        key=ChatKey(CHANNEL, account, str(chat)),
        external_id=str(update_id),
        kind=part.kind if private else MessageKind.GROUP,
        text=part.text if private else "",
        sender=_sender(part.author, chat, part.payload),
        sent_at=min(float(sent_at), now) if sent_at and sent_at > 0 else now,
        received_at=now,
        payload={**part.payload, "private": True} if private else {"private": False},
    )


def update_id_of(raw: object) -> int | None:
    """The number of an update, or None when it has none that Telegram could mean."""
    found = mapping_of(raw).get("update_id")
    number = integer_of(found) if isinstance(found, int) else None
    return None if number is None or number < 0 else number  # a negative offset would drop the backlog


def _read(update: Mapping[str, Any]) -> _Part | None:
    if "message" in update:
        return _message(_object(update, "message"))
    if "edited_message" in update:
        return _edited(_object(update, "edited_message"))
    if "callback_query" in update:
        return _tapped(_object(update, "callback_query"))
    if "my_chat_member" in update:
        return _membership(_object(update, "my_chat_member"))
    for name in ("channel_post", "edited_channel_post"):
        if name in update:
            return _Part(mapping_of(_object(update, name).get("chat")), {}, MessageKind.GROUP)
    return None


def _object(update: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = update[name]
    if not isinstance(value, dict):
        raise BadInput(f"{name} is no object")
    return value


def _message(message: Mapping[str, Any]) -> _Part | None:
    chat, author = mapping_of(message.get("chat")), mapping_of(message.get("from"))
    content = read_content(message, author)
    if content is None:  # pinned messages, timers and the like; in a group they still mean that we are in one
        return (
            None if _is_private(chat, integer_of(chat.get("id")) or 0) else _Part(chat, {}, MessageKind.GROUP)
        )
    payload = {"type": content.name, **_context(message), **content.payload}
    return _Part(chat, author, content.kind, content.text, payload, message.get("date"))


def _edited(message: Mapping[str, Any]) -> _Part:
    chat, author = mapping_of(message.get("chat")), mapping_of(message.get("from"))
    return _Part(chat, author, MessageKind.EDITED, "", _context(message), message.get("edit_date"))


def _context(message: Mapping[str, Any]) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if (message_id := integer_of(message.get("message_id"))) is not None:
        extras["message_id"] = message_id
    if (answered := integer_of(mapping_of(message.get("reply_to_message")).get("message_id"))) is not None:
        extras["reply_to"] = answered
    if not _FORWARD_SIGNS.isdisjoint(message):
        extras["forwarded"] = True
    return extras


def _tapped(query: Mapping[str, Any]) -> _Part | None:
    """A tap reads like the label of its button; inline messages and games are not ours."""
    message, data = mapping_of(query.get("message")), query.get("data")
    if not message or not isinstance(data, str) or not data:
        return None
    if len(data.encode("utf-8", "replace")) > _MAX_CALLBACK_BYTES:
        raise BadInput("callback data over 64 bytes")
    payload = {
        **_context({"message_id": message.get("message_id")}),
        "callback_id": text_of(query.get("id"), 64),
        "choice_id": text_of(data, _MAX_CALLBACK_BYTES),
    }
    author = mapping_of(query.get("from"))
    return _Part(mapping_of(message.get("chat")), author, MessageKind.CHOICE, _label(message, data), payload)


def _label(message: Mapping[str, Any], data: str) -> str:
    markup = mapping_of(message.get("reply_markup"))
    for row in items_of(markup.get("inline_keyboard")):
        for button in map(mapping_of, items_of(row)):
            if button.get("callback_data") == data:
                return _NUMBER.sub("", text_of(button.get("text"), 200))
    return ""


def _membership(change: Mapping[str, Any]) -> _Part | None:
    """The subscriber blocked or unblocked the bot, or somebody put it into a group."""
    chat, author = mapping_of(change.get("chat")), mapping_of(change.get("from"))
    status = text_of(mapping_of(change.get("new_chat_member")).get("status"), 40)
    if not _is_private(chat, integer_of(chat.get("id")) or 0):
        return _Part(chat, author, MessageKind.GROUP) if status in _PRESENT else None
    if status not in _BLOCKING:
        return None
    payload = {"event": _BLOCKING[status]}
    return _Part(chat, author, MessageKind.SYSTEM, payload=payload, date=change.get("date"))


def _is_private(chat: Mapping[str, Any], chat_id: int) -> bool:
    kind = chat.get("type")
    return kind == "private" if isinstance(kind, str) else chat_id > 0


def _wants_leaving(part: _Part) -> bool:
    """A tap or an edit in a group comes with messages that say the same."""
    return part.kind is not MessageKind.EDITED


def _sender(author: Mapping[str, Any], chat: int, payload: Mapping[str, Any]) -> Sender:
    names = (text_of(author.get(name), 64) for name in ("first_name", "last_name"))
    numbers = payload.get("numbers") if payload.get("own") else None
    return Sender(
        user_id=str(integer_of(author.get("id")) or chat),
        name=" ".join(name for name in names if name),
        phone=numbers[0] if numbers else None,
        locale=text_of(author.get("language_code"), 16) or None,
    )
