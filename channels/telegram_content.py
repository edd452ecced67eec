"""What a Telegram message says: its kind, its text and the extras an answer depends on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.whatsapp_clean import integer_of, items_of, mapping_of, number_of, text_of
from domain.errors import BadInput
from domain.messages import MessageKind

_TEXT_LIMIT = 20_000  # far above what Telegram carries: intake says what is too long
_COMMAND = re.compile(r"/[A-Za-z]")
_PHONE = re.compile(r"\+?\d{4,20}", re.ASCII)
# Messages that Telegram writes about the chat itself.
_SERVICE = frozenset({
    "boost_added", "chat_background_set", "chat_owner_changed", "chat_owner_left", "chat_shared",
    "checklist_tasks_added", "checklist_tasks_done", "connected_website", "delete_chat_photo",
    "direct_message_price_changed", "forum_topic_closed", "forum_topic_created", "forum_topic_edited",
    "forum_topic_reopened", "general_forum_topic_hidden", "general_forum_topic_unhidden", "gift",
    "giveaway_completed", "giveaway_created", "group_chat_created", "left_chat_member",
    "message_auto_delete_timer_changed", "migrate_from_chat_id", "migrate_to_chat_id", "new_chat_members",
    "new_chat_photo", "new_chat_title", "paid_message_price_changed", "passport_data", "pinned_message",
    "proximity_alert_triggered", "refunded_payment", "successful_payment", "supergroup_chat_created",
    "channel_chat_created", "unique_gift", "users_shared", "video_chat_ended",
    "video_chat_participants_invited", "video_chat_scheduled", "video_chat_started", "web_app_data",
    "write_access_allowed",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Content:
    """The channel-neutral part of a message; `name` is what Telegram calls its kind."""

    name: str
    kind: MessageKind
    text: str = ""
    payload: dict[str, Any] = field(default_factory=dict)


_Reader = Callable[[Mapping[str, Any], str, Mapping[str, Any]], Content]


def read_content(message: Mapping[str, Any], author: Mapping[str, Any]) -> Content | None:
    """Read a message by what it holds; None for service messages. Raises BadInput for a text that is none."""
    for name, reader in _READERS.items():
        if name in message:
            return reader(message, name, author)
    if not _SERVICE.isdisjoint(message):
        return None
    return Content("unknown", MessageKind.UNSUPPORTED, text_of(message.get("caption"), _TEXT_LIMIT))


def _text(message: Mapping[str, Any], name: str, _: Mapping[str, Any]) -> Content:
    if not isinstance(message[name], str):
        raise BadInput("a text that is no string")
    text = text_of(message[name], _TEXT_LIMIT)
    return Content(name, MessageKind.COMMAND if _COMMAND.match(text) else MessageKind.TEXT, text)


def _media(kind: MessageKind) -> _Reader:
    def read(message: Mapping[str, Any], name: str, _: Mapping[str, Any]) -> Content:
        found = message[name]
        # A photo comes in several sizes, the largest last.
        media = mapping_of(next(reversed(items_of(found)), None) if name == "photo" else found)
        extras = {
            "media_id": text_of(media.get("file_id"), 256),
            "mime_type": text_of(media.get("mime_type"), 100),
            "file_name": text_of(media.get("file_name"), 200),
            "size": integer_of(media.get("file_size")),
            "duration": integer_of(media.get("duration")),
            "emoji": text_of(media.get("emoji"), 16) if name == "sticker" else "",
        }
        payload: dict[str, Any] = {key: value for key, value in extras.items() if value}
        if kind is MessageKind.VOICE:
            payload["recorded"] = name == "voice"
        return Content(name, kind, text_of(message.get("caption"), _TEXT_LIMIT), payload)

    return read


def _location(message: Mapping[str, Any], name: str, _: Mapping[str, Any]) -> Content:
    place = mapping_of(message[name])
    point = mapping_of(place.get("location")) if name == "venue" else place
    payload = {
        "latitude": number_of(point.get("latitude")),
        "longitude": number_of(point.get("longitude")),
        "name": text_of(place.get("title"), 200),
        "address": text_of(place.get("address"), 400),
    }
    return Content(name, MessageKind.LOCATION, payload=payload)


def _contact(message: Mapping[str, Any], name: str, author: Mapping[str, Any]) -> Content:
    """A shared contact card. `own`: it carries the sender's own id, so the number is verified."""
    card = mapping_of(message[name])
    number = text_of(card.get("phone_number"), 32).replace(" ", "")
    user = integer_of(card.get("user_id"))
    payload = {
        "numbers": [number.removeprefix("+")] if _PHONE.fullmatch(number) else [],
        "own": user is not None and user == integer_of(author.get("id")),
    }
    return Content(name, MessageKind.CONTACT, payload=payload)


# In this order: an animation comes with a document, a venue with a location.
_READERS: Mapping[str, _Reader] = {
    "text": _text,
    "voice": _media(MessageKind.VOICE),
    "audio": _media(MessageKind.VOICE),
    "photo": _media(MessageKind.IMAGE),
    "animation": _media(MessageKind.VIDEO),
    "video": _media(MessageKind.VIDEO),
    "video_note": _media(MessageKind.VIDEO),
    "document": _media(MessageKind.DOCUMENT),
    "sticker": _media(MessageKind.STICKER),
    "venue": _location,
    "location": _location,
    "contact": _contact,
}
