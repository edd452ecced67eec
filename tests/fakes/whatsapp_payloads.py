"""Webhook bodies in the shapes Meta sends, of our own writing: one builder per piece, one sample per type."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

ACCOUNT = "106540352242922"
WABA = "102290129340398"
PHONE = "22790000001"
USER = "NE.13491208655302741918"
APP_SECRET = "app-secret-of-the-tests"
VERIFY_TOKEN = "verify-token-of-the-tests"

Json = dict[str, Any]
_numbers = itertools.count(1)


def wamid() -> str:
    """A fresh message id."""
    return f"wamid.HBgLMjI3{next(_numbers):08d}FQIAEhg"


def message(
    kind: str, content: object = None, *, sender: str | None = PHONE, user: str | None = None, **extra: object
) -> Json:
    """One message of a type; `content` is the object under the type's own name."""
    built: Json = {"id": wamid(), "timestamp": str(int(time.time())), "type": kind}
    if sender:
        built["from"] = sender
    if user:
        built["from_user_id"] = user
    if content is not None:
        built[kind] = content
    return built | extra


def text(body: str, **who: Any) -> Json:
    return message("text", {"body": body}, **who)


def contact(sender: str | None = PHONE, user: str | None = None, name: str = "Aïssa") -> Json:
    built: Json = {"profile": {"name": name}}
    if sender:
        built["wa_id"] = sender
    if user:
        built["user_id"] = user
    return built


def change(
    *messages: object,
    statuses: Sequence[object] = (),
    contacts: Sequence[object] | None = (),
    account: str = ACCOUNT,
    field: str = "messages",
    **extra: object,
) -> Json:
    """One change; `contacts` None leaves the array out, () writes one contact per known sender."""
    value: Json = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "22780000000", "phone_number_id": account},
    }
    if contacts:
        value["contacts"] = list(contacts)
    elif contacts is not None and messages:
        value["contacts"] = [
            contact(one.get("from"), one.get("from_user_id")) for one in messages if isinstance(one, dict)
        ]
    if messages:
        value["messages"] = list(messages)
    if statuses:
        value["statuses"] = list(statuses)
    return {"field": field, "value": value | extra}


def webhook(*entries: Sequence[object]) -> Json:
    """A whole body: each entry is its list of changes."""
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": WABA, "changes": list(changes)} for changes in entries],
    }


def one(*messages: object, **options: Any) -> Json:
    """A body with one entry and one change."""
    return webhook([change(*messages, **options)])


def status(
    name: str, callback: str = "", *, platform_id: str = "", recipient: str = PHONE, code: int | None = None
) -> Json:
    built: Json = {
        "id": platform_id or wamid(),
        "status": name,
        "timestamp": str(int(time.time())),
        "recipient_id": recipient,
    }
    if callback:
        built["biz_opaque_callback_data"] = callback
    if name in {"sent", "delivered"}:
        built["conversation"] = {"id": "c0ffee", "origin": {"type": "service"}}
        built["pricing"] = {"billable": True, "pricing_model": "PMP", "category": "service"}
    if code is not None:
        built["errors"] = [{"code": code, "title": "Scripted", "message": "Scripted"}]
    return built


def batch(entries: int = 2, changes: int = 2, messages: int = 3) -> Json:
    """Several messages of several chats in several changes of several entries."""

    def of_change(base: int) -> Json:
        sent = [text(f"message {base + n}", sender=f"2279{base + n:07d}") for n in range(messages)]
        return change(*sent)

    bases = itertools.count(0, messages)
    return webhook(*([of_change(next(bases)) for _ in range(changes)] for _ in range(entries)))


def dumped(body: object) -> bytes:
    """The body as Meta writes it: no spaces, everything beyond ASCII escaped."""
    return json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode()


def signature(raw: bytes, secret: str = APP_SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def _media(mime: str, **extra: object) -> Json:
    digest = "fnTQ/aOdFSMS0t0LxH8zvXqlVYz0CJN9jHRp2r1OrEI="
    return {"id": "1037543291543636", "mime_type": mime, "sha256": digest, **extra}


# Name of the sample -> the message, and what our kind and text of it must be.
SAMPLES: Mapping[str, tuple[Json, str, str]] = {
    "text": (text("Bonjour, mon forfait ?"), "text", "Bonjour, mon forfait ?"),
    "command": (text("/aide"), "command", "/aide"),
    "quoted": (text("oui", context={"from": "22780000000", "id": "wamid.X"}), "text", "oui"),
    "from an ad": (text("Info", referral={"source_id": "123", "source_type": "ad"}), "text", "Info"),
    "voice note": (message("audio", _media("audio/ogg; codecs=opus", voice=True)), "voice", ""),
    "old voice": (message("voice", _media("audio/ogg; codecs=opus")), "voice", ""),
    "audio": (message("audio", _media("audio/mpeg", voice=False)), "voice", ""),
    "image": (message("image", _media("image/jpeg", caption="c'est quoi ça ?")), "image", "c'est quoi ça ?"),
    "video": (message("video", _media("video/mp4")), "video", ""),
    "document": (message("document", _media("application/pdf", filename="f.pdf")), "document", ""),
    "sticker": (message("sticker", _media("image/webp", animated=False)), "sticker", ""),
    "location": (
        message("location", {"latitude": 13.51, "longitude": 2.11, "name": "Niamey"}),
        "location",
        "",
    ),
    "contacts": (
        message(
            "contacts", [{"name": {"formatted_name": "Issa"}, "phones": [{"phone": "+227 90 00 00 02"}]}]
        ),
        "contact",
        "",
    ),
    "button reply": (
        message("interactive", {"type": "button_reply", "button_reply": {"id": "fb:yes", "title": "Oui"}}),
        "choice",
        "Oui",
    ),
    "list reply": (
        message(
            "interactive",
            {"type": "list_reply", "list_reply": {"id": "menu:solde", "title": "Solde", "description": "x"}},
        ),
        "choice",
        "Solde",
    ),
    "flow reply": (
        message("interactive", {"type": "nfm_reply", "nfm_reply": {"response_json": "{}", "name": "flow"}}),
        "unsupported",
        "",
    ),
    "call permission": (
        message(
            "interactive", {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}}
        ),
        "unsupported",
        "",
    ),
    "interactive without object": (
        message("interactive", errors=[{"code": 131000, "title": "Something went wrong"}]),
        "unsupported",
        "",
    ),
    "template button": (message("button", {"payload": "RESUME", "text": "Reprendre"}), "text", "Reprendre"),
    "reaction": (message("reaction", {"message_id": "wamid.X", "emoji": "👍"}), "reaction", "👍"),
    "reaction removed": (message("reaction", {"message_id": "wamid.X"}), "reaction", ""),
    "order": (message("order", {"catalog_id": "1", "product_items": []}), "unsupported", ""),
    "edit": (message("edit", {"original_message_id": "wamid.X", "message": {}}), "edited", ""),
    "revoke": (message("revoke", {"original_message_id": "wamid.X"}), "edited", ""),
    "unsupported": (
        message("unsupported", errors=[{"code": 131051, "title": "Message type unknown"}]),
        "unsupported",
        "",
    ),
    "never seen": (message("hologram", {"id": "7"}), "unsupported", ""),
    "without type": ({"id": wamid(), "from": PHONE, "timestamp": "1"}, "unsupported", ""),
    "group": (text("salut tous", group_id="Y2FwaV9ncm91cA=="), "group", "salut tous"),
}
