"""What a WhatsApp message says: its kind, its text and the extras an answer depends on, by message type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.whatsapp_clean import integer_of, items_of, mapping_of, number_of, text_of
from channels.whatsapp_identity import Identity, phone_of, user_id_of
from domain.messages import MessageKind

_ID_LIMIT = 512
_CONTACTS_KEPT = 5


@dataclass(frozen=True, slots=True)
class Content:
    """The channel-neutral part of a message; `unknown` when its type is not in our table."""

    kind: MessageKind
    text: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    unknown: bool = False


def read_content(message: Mapping[str, Any], identity: Identity) -> Content:
    """Read the message by its type; unknown types are answered like unsupported ones."""
    name = text_of(message.get("type"), 60)
    reader = _READERS.get(name)
    content = reader(message, identity) if reader else Content(MessageKind.UNSUPPORTED, unknown=True)
    payload = {"type": name, "private": True, **_context(message), **content.payload}
    kind = content.kind
    if "group_id" in message:
        kind, payload = MessageKind.GROUP, payload | {"private": False}
    return Content(kind, content.text, payload, content.unknown)


def _context(message: Mapping[str, Any]) -> dict[str, Any]:
    context = mapping_of(message.get("context"))
    extras: dict[str, Any] = {}
    if reply_to := text_of(context.get("id"), _ID_LIMIT):
        extras["reply_to"] = reply_to
    if context.get("forwarded") is True or context.get("frequently_forwarded") is True:
        extras["forwarded"] = True
    if source := text_of(mapping_of(message.get("referral")).get("source_id"), 100):
        extras["referral"] = source
    return extras


def _text(message: Mapping[str, Any], _: Identity) -> Content:
    text = text_of(mapping_of(message.get("text")).get("body"))
    return Content(MessageKind.COMMAND if text.startswith("/") else MessageKind.TEXT, text)


def _media(kind: MessageKind) -> Callable[[Mapping[str, Any], Identity], Content]:
    def read(message: Mapping[str, Any], _: Identity) -> Content:
        media = mapping_of(message.get(text_of(message.get("type"), 60)))
        extras = {
            "media_id": text_of(media.get("id"), _ID_LIMIT),
            "mime_type": text_of(media.get("mime_type"), 100),
            "sha256": text_of(media.get("sha256"), 100),
            "file_name": text_of(media.get("filename"), 200),
            "size": integer_of(media.get("file_size")),
        }
        payload: dict[str, Any] = {name: value for name, value in extras.items() if value}
        if kind is MessageKind.VOICE:
            payload["recorded"] = media.get("voice") is True or message.get("type") == "voice"
        return Content(kind, text_of(media.get("caption")), payload)

    return read


def _location(message: Mapping[str, Any], _: Identity) -> Content:
    place = mapping_of(message.get("location"))
    payload = {
        "latitude": number_of(place.get("latitude")),
        "longitude": number_of(place.get("longitude")),
        "name": text_of(place.get("name"), 200),
        "address": text_of(place.get("address"), 400),
    }
    return Content(MessageKind.LOCATION, payload=payload)


def _interactive(message: Mapping[str, Any], _: Identity) -> Content:
    """A tapped button or list row; the object may be missing, and flows or call permissions are not ours."""
    interactive = mapping_of(message.get("interactive"))
    name = text_of(interactive.get("type"), 60)
    tapped = mapping_of(interactive.get(name))
    choice_id = text_of(tapped.get("id"), 256)
    if name not in {"button_reply", "list_reply"} or not choice_id:
        return Content(MessageKind.UNSUPPORTED, payload={"interactive": name})
    return Content(MessageKind.CHOICE, text_of(tapped.get("title"), 100), {"choice_id": choice_id})


def _button(message: Mapping[str, Any], _: Identity) -> Content:
    """The quick reply of a template: answered like the same words typed, since its payload is not ours."""
    button = mapping_of(message.get("button"))
    text = text_of(button.get("text"), 200) or text_of(button.get("payload"), 200)
    return Content(MessageKind.TEXT, text, {"button_payload": text_of(button.get("payload"), 256)})


def _contacts(message: Mapping[str, Any], identity: Identity) -> Content:
    """Shared contact cards. `own`: the card carries the sender's own id, so the number is verified."""
    phones = [
        mapping_of(phone)
        for card in items_of(message.get("contacts"))[:_CONTACTS_KEPT]
        for phone in items_of(mapping_of(card).get("phones"))[:_CONTACTS_KEPT]
    ]
    numbers = [phone_of(phone.get("wa_id"), phone.get("phone")) for phone in phones]
    own = any(
        (identity.user_id and user_id_of(phone.get("user_id")) == identity.user_id)
        or (identity.phone and phone_of(phone.get("wa_id")) == identity.phone)
        for phone in phones
    )
    payload = {"numbers": [number for number in numbers if number], "own": own}
    return Content(MessageKind.CONTACT, payload=payload)


def _reaction(message: Mapping[str, Any], _: Identity) -> Content:
    reaction = mapping_of(message.get("reaction"))
    emoji = text_of(reaction.get("emoji"), 40)
    payload = {"message_id": text_of(reaction.get("message_id"), _ID_LIMIT), "removed": not emoji}
    return Content(MessageKind.REACTION, emoji, payload)


def _changed(message: Mapping[str, Any], _: Identity) -> Content:
    """An edited or deleted message: never a second turn."""
    target = mapping_of(message.get(text_of(message.get("type"), 60)))
    payload = {
        "message_id": text_of(target.get("original_message_id"), _ID_LIMIT),
        "revoked": message.get("type") == "revoke",
    }
    return Content(MessageKind.EDITED, payload=payload)


def _unsupported(message: Mapping[str, Any], _: Identity) -> Content:
    errors = items_of(message.get("errors"))
    code = integer_of(mapping_of(errors[0]).get("code")) if errors else None
    return Content(MessageKind.UNSUPPORTED, payload={"code": code})


_READERS: Mapping[str, Callable[[Mapping[str, Any], Identity], Content]] = {
    "text": _text,
    "audio": _media(MessageKind.VOICE),
    "voice": _media(MessageKind.VOICE),
    "image": _media(MessageKind.IMAGE),
    "video": _media(MessageKind.VIDEO),
    "document": _media(MessageKind.DOCUMENT),
    "sticker": _media(MessageKind.STICKER),
    "location": _location,
    "interactive": _interactive,
    "button": _button,
    "contacts": _contacts,
    "reaction": _reaction,
    "edit": _changed,
    "revoke": _changed,
    "order": _unsupported,
    "unsupported": _unsupported,
}
