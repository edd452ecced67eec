"""Flattens one webhook body into messages: every entry, every change, every message, statuses apart.

What cannot be read is set aside by itself, with its reason; nothing of a batch is lost with it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from channels.whatsapp_clean import integer_of, items_of, mapping_of, text_of
from channels.whatsapp_content import Content, read_content
from channels.whatsapp_evidence import Evidence, read_status
from channels.whatsapp_identity import CHANNEL, Contacts, Identity, changed_chats, identify
from domain.errors import BadInput
from domain.messages import ChatKey, InboundMessage, MessageKind

logger = logging.getLogger(__name__)

# What a number shared with the WhatsApp Business app tells about the app's own talks.
_OF_THE_APP = frozenset({"history", "message_echoes", "smb_app_state_sync", "smb_message_echoes"})
_CHANGES = frozenset({"user_changed_number", "user_changed_user_id", "customer_identity_changed"})


@dataclass(frozen=True, slots=True)
class SetAside:
    """One piece that could not be used, and why."""

    raw: object
    error: str


@dataclass(slots=True)
class Delivery:
    """Everything one webhook held."""

    messages: list[InboundMessage] = field(default_factory=list)
    evidence: dict[Evidence, None] = field(default_factory=dict)  # in order, doubles removed
    set_aside: list[SetAside] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)  # known not to be for us

    @classmethod
    def unreadable(cls, raw: bytes, error: str) -> Self:
        """A webhook whose body is no JSON we can read."""
        return cls(set_aside=[SetAside(raw, error)])


def parse_webhook(body: object, account: str, *, now: float, stamp: str = "") -> Delivery:
    """Read a decoded body for our phone number id; never raises for anything JSON can hold."""
    delivery = Delivery()
    if mapping_of(body).get("object") != "whatsapp_business_account":
        delivery.set_aside.append(SetAside(body, "not a WhatsApp webhook"))
        return delivery
    entries = items_of(mapping_of(body).get("entry"))
    if not entries:
        delivery.set_aside.append(SetAside(body, "no entry"))
    for entry in entries:
        changes = items_of(mapping_of(entry).get("changes"))
        if not changes:
            delivery.set_aside.append(SetAside(entry, "no change"))
        for change in changes:
            _Change(delivery, account, now, stamp).read(change)
    return delivery


@dataclass(slots=True)
class _Change:
    """Reads one change into the delivery."""

    delivery: Delivery
    account: str
    now: float
    stamp: str

    def read(self, change: object) -> None:
        value = mapping_of(mapping_of(change).get("value"))
        name = text_of(mapping_of(change).get("field"), 60)
        if name in _OF_THE_APP:
            return self.delivery.ignored.append("business_app")
        if name != "messages":
            return self._put_aside(change, f"field {name or 'missing'} is not handled")
        if text_of(mapping_of(value.get("metadata")).get("phone_number_id"), 60) != self.account:
            return self.delivery.ignored.append("other_number")
        messages, statuses = items_of(value.get("messages")), items_of(value.get("statuses"))
        if not messages and not statuses:
            return self._put_aside(change, _told(value) or "neither message nor status")
        contacts = Contacts(value.get("contacts"))
        for message in messages:
            self._message(message, contacts)
        for status in statuses:
            self._status(status)
        return None

    def _message(self, raw: object, contacts: Contacts) -> None:
        if not isinstance(raw, dict):
            return self._put_aside(raw, "a message that is no object")
        try:
            self.delivery.messages.extend(self._read(raw, contacts))
        except BadInput as error:
            self._put_aside(raw, str(error))
        except Exception:  # one bad item must not take its batch along, for seven days
            logger.exception("a message could not be read", extra={"action": "whatsapp.unreadable"})
            self._put_aside(raw, "unreadable")
        return None

    def _status(self, raw: object) -> None:
        try:
            evidence = read_status(mapping_of(raw), self.stamp)
        except BadInput as error:
            return self._put_aside(raw, str(error))
        if evidence is not None:
            self.delivery.evidence[evidence] = None
        return None

    def _read(self, raw: dict[str, Any], contacts: Contacts) -> Iterator[InboundMessage]:
        message_id = text_of(raw.get("id"), 512)
        if not message_id:
            raise BadInput("a message without id")
        if raw.get("type") == "system":
            yield from self._system(raw, contacts, message_id)
            return
        identity = identify(raw, contacts)
        content = read_content(raw, identity)
        if content.unknown:
            self._put_aside(raw, f"message type {text_of(raw.get('type'), 60) or 'missing'} is not known")
        key = ChatKey(CHANNEL, self.account, identity.chat)
        yield self._build(raw, key, identity, content, message_id)

    def _system(self, raw: dict[str, Any], contacts: Contacts, message_id: str) -> Iterator[InboundMessage]:
        """One message per key that the change touches, so that the memory behind each is sealed."""
        reason = text_of(mapping_of(raw.get("system")).get("type"), 60)
        chats = changed_chats(self.account, raw, contacts)
        if reason not in _CHANGES:
            self._put_aside(raw, f"system message {reason or 'without type'} is not known")
            return
        payload = {
            "event": "identity_changed",
            "reason": reason,
            "old": str(chats[0]),
            "new": str(chats[-1]),
            "chats": [str(chat) for chat in chats],
        }
        for number, key in enumerate(chats):
            identity = Identity(None, None) if number else Identity(key.chat, None)
            content = Content(MessageKind.SYSTEM, payload=payload)
            yield self._build(raw, key, identity, content, f"{message_id}:{number}" if number else message_id)

    def _build(
        self, raw: Mapping[str, Any], key: ChatKey, identity: Identity, content: Content, message_id: str
    ) -> InboundMessage:
        sent_at = integer_of(raw.get("timestamp"))
        return InboundMessage(
            key=key,
            external_id=message_id,
            kind=content.kind,
            text=content.text,
            sender=identity.sender,
            sent_at=min(float(sent_at), self.now) if sent_at and sent_at > 0 else self.now,
            received_at=self.now,
            payload=content.payload,
        )

    def _put_aside(self, raw: object, error: str) -> None:
        self.delivery.set_aside.append(SetAside(raw, error))


def _told(value: Mapping[str, Any]) -> str:
    """The platform's own words about a trouble of the number or the account."""
    errors = [mapping_of(error) for error in items_of(value.get("errors"))]
    told = (f"{integer_of(error.get('code'))} {text_of(error.get('title'), 100)}" for error in errors[:5])
    return "; ".join(told)
