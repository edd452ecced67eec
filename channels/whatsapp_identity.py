"""Who wrote on WhatsApp: the business-scoped user id where Meta gives one, else the phone number.

The number is an attribute that may be missing (users with a username) and that changes owners; the
business-scoped id may stand in its own field or inside the fields of the number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from channels.whatsapp_clean import items_of, mapping_of, text_of
from domain.errors import BadInput
from domain.messages import ChatKey, Sender

CHANNEL = "whatsapp"
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9][A-Za-z0-9.]{0,127}", re.ASCII)
_PHONE = re.compile(r"[0-9]{4,20}", re.ASCII)
# Older system messages tell the former id in their sentence only. The subscriber's own name stands before it,
# so only the end of the sentence counts.
_CHANGED_FROM = re.compile(r"changed from (\S+) to (\S+?)\.?$")


@dataclass(frozen=True, slots=True)
class Identity:
    """One subscriber as a webhook names them; at least one of both ids stands."""

    user_id: str | None
    phone: str | None
    name: str = ""

    @property
    def chat(self) -> str:
        """What the conversation is keyed by."""
        return self.user_id or self.phone or ""

    @property
    def sender(self) -> Sender:
        """The same for our messages."""
        return Sender(user_id=self.chat, name=self.name, phone=self.phone)


def is_user_id(chat: str) -> bool:
    """Whether a chat is named by a business-scoped user id: such sends take `recipient` instead of `to`."""
    return _USER_ID.fullmatch(chat) is not None


def user_id_of(*candidates: object) -> str | None:
    """The first candidate that is a business-scoped user id."""
    return next((text for text in map(_id_text, candidates) if _USER_ID.fullmatch(text)), None)


def phone_of(*candidates: object) -> str | None:
    """The first candidate that is a phone number, in digits."""
    plain = (_id_text(candidate).removeprefix("+") for candidate in candidates)
    return next((text for text in plain if _PHONE.fullmatch(text)), None)


class Contacts:
    """The contacts of one change, found by any of their ids; a change may hold a thousand."""

    def __init__(self, raw: object) -> None:
        contacts = [mapping_of(contact) for contact in items_of(raw)]
        self.first: Mapping[str, Any] = contacts[0] if contacts else {}
        self._only = len(contacts) == 1
        self._by_id: dict[str, Mapping[str, Any]] = {}
        for contact in contacts:
            for field in ("user_id", "wa_id"):
                if text := _id_text(contact.get(field)):
                    self._by_id.setdefault(text, contact)

    def of(self, *named: object) -> Mapping[str, Any]:
        """The contact that one of the ids names; the only one there is when nothing is named."""
        wanted = [text for text in map(_id_text, named) if text]
        found = next((self._by_id[text] for text in wanted if text in self._by_id), None)
        if found is not None:
            return found
        return self.first if self._only and not wanted else {}


def identify(message: Mapping[str, Any], contacts: Contacts) -> Identity:
    """Who sent the message. Raises BadInput when nothing names a sender."""
    named = (message.get("from_user_id"), message.get("from"))
    contact = contacts.of(*named)
    profile = mapping_of(contact.get("profile"))
    identity = Identity(
        user_id=user_id_of(*named, contact.get("user_id"), contact.get("wa_id")),
        phone=phone_of(message.get("from"), contact.get("wa_id")),
        name=text_of(profile.get("name"), 100),
    )
    if not identity.chat:
        raise BadInput("no sender")
    return identity


def changed_chats(account: str, message: Mapping[str, Any], contacts: Contacts) -> list[ChatKey]:
    """Every key a change of number or identity touches, former ones first. Raises BadInput when none."""
    system = mapping_of(message.get("system"))
    told = _CHANGED_FROM.search(text_of(system.get("body")))
    former = [message.get("from_user_id"), message.get("from"), system.get("previous_user_id")]
    former += [system.get("previous_wa_id"), system.get("customer")]
    current = [system.get("user_id"), system.get("wa_id"), system.get("new_wa_id")]
    if told:
        former.append(told[1])
        current.append(told[2])
    current += [contacts.first.get(field) for field in ("user_id", "wa_id")]
    chats = (user_id_of(value) or phone_of(value) for value in former + current)
    keys = [ChatKey(CHANNEL, account, chat) for chat in dict.fromkeys(chats) if chat]
    if not keys:
        raise BadInput("a change of identity that names nobody")
    return keys


def _id_text(value: object) -> str:
    return value.strip() if isinstance(value, str) and len(value) <= 140 else ""
