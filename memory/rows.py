"""Messages and replies as the JSON of one column. Reading back raises StoreCorrupt, whatever is there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from domain.errors import StoreCorrupt
from domain.messages import (
    Attachment,
    ChatKey,
    Choice,
    InboundMessage,
    MessageKind,
    Purpose,
    Reply,
    Sender,
)

_NAME_END = b"\n"  # an attachment's column is its name, its media type and its bytes
_BROKEN = (ValueError, TypeError, KeyError, AttributeError, IndexError)


def seen_hash(message: InboundMessage) -> bytes:
    """What deduplication keeps of (channel, account, external id): it names nobody."""
    key = message.key
    named = orjson.dumps([key.channel, key.account, message.external_id])
    return hashlib.blake2b(named, digest_size=16).digest()


def dump_message(message: InboundMessage) -> bytes:
    """All of a message but its chat and its times of arrival, which are columns."""
    sender = message.sender
    return orjson.dumps(
        {
            "id": message.external_id,
            "kind": message.kind,
            "text": message.text,
            "user": sender.user_id,
            "name": sender.name,
            "phone": sender.phone,
            "locale": sender.locale,
            "sent": message.sent_at,
            "ready": message.ready_at,
            "flags": message.flags,
            "payload": message.payload,
        },
        default=_plain,
    )


def load_message(chat: str, received_at: float, body: bytes) -> InboundMessage:
    """Read back what `dump_message` wrote."""
    try:
        value = orjson.loads(body)
        return InboundMessage(
            key=ChatKey.parse(chat),
            external_id=value["id"],
            kind=MessageKind(value["kind"]),
            text=_text(value["text"]),
            sender=Sender(value["user"], value["name"], value["phone"], value["locale"]),
            sent_at=float(value["sent"]),
            received_at=received_at,
            ready_at=float(value["ready"]),
            flags=tuple(value["flags"]),
            payload=dict(value["payload"]),
        )
    except _BROKEN as error:
        raise StoreCorrupt(f"an inbox row cannot be read: {type(error).__name__}") from error


def readable_key(chat: str) -> ChatKey | None:
    """The chat a row names; None when damage made it unreadable."""
    try:
        return ChatKey.parse(chat)
    except ValueError:
        return None


def dump_reply(reply: Reply) -> tuple[bytes, bytes | None]:
    """The body and the attachment of an outbox row."""
    body = orjson.dumps({"text": reply.text, "choices": _pairs(reply.choices), "purpose": reply.purpose})
    file = reply.attachment
    if file is None:
        return body, None
    head = f"{file.name}\n{file.media_type}\n".encode()
    return body, head + file.data


def load_reply(body: bytes, attachment: bytes | None) -> Reply:
    """Read back what `dump_reply` wrote."""
    try:
        value = orjson.loads(body)
        file = None
        if attachment is not None:
            name, media_type, data = attachment.split(_NAME_END, 2)
            file = Attachment(name.decode(), media_type.decode(), data)
        return Reply(_text(value["text"]), _choices(value["choices"]), file, Purpose(value["purpose"]))
    except _BROKEN as error:
        raise StoreCorrupt(f"an outbox row cannot be read: {type(error).__name__}") from error


def dump_choices(choices: Sequence[Choice]) -> str:
    """The choices of a session."""
    return orjson.dumps(_pairs(choices)).decode()


def load_choices(text: str) -> tuple[Choice, ...]:
    """Read back what `dump_choices` wrote."""
    try:
        return _choices(orjson.loads(text))
    except _BROKEN as error:
        raise StoreCorrupt(f"choices cannot be read: {type(error).__name__}") from error


def dump_json(value: Any) -> str:
    """Any JSON-able value. Raises TypeError for others."""
    return orjson.dumps(value, default=_plain).decode()


def load_json(text: str) -> Any:
    """Read back what `dump_json` wrote."""
    try:
        return orjson.loads(text)
    except _BROKEN as error:
        raise StoreCorrupt(f"a JSON value cannot be read: {type(error).__name__}") from error


def _pairs(choices: Sequence[Choice]) -> list[tuple[str, str]]:
    return [(choice.id, choice.label) for choice in choices]


def _choices(value: Sequence[Sequence[str]]) -> tuple[Choice, ...]:
    return tuple(Choice(_text(item[0]), _text(item[1])) for item in value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _plain(value: object) -> object:
    """Mappings that are no dict, as frozen messages carry them."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"not JSON-able: {type(value).__name__}")
