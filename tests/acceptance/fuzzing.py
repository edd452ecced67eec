"""Spoils honest webhook bodies: values, keys, structure, then bytes. Seeded, so faults can be repeated."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes import whatsapp_payloads as meta
from tests.fakes.telegram import FakeTelegram
from tests.fakes.telegram_wire import person

Json = dict[str, Any]

POISON: tuple[Callable[[random.Random], Any], ...] = (
    lambda _: None,
    lambda _: True,
    lambda _: "",
    lambda _: [],
    lambda _: {},
    lambda _: 0,
    lambda _: -1,
    lambda _: 2**63,
    lambda _: -(2**80),
    lambda _: 10**400,
    lambda _: 1e308,
    lambda _: float("nan"),
    lambda _: float("-inf"),
    lambda _: "\ud83d",
    lambda _: "\x00\x01\x1b[31m\r\n",
    lambda _: "\u202e\u200b\ufeff\u2066" * 20,
    lambda _: "z" + "\u0301" * 500,
    lambda dice: "x" * dice.randrange(100_000),
    lambda dice: "🙏🏿" * dice.randrange(5_000),
    lambda dice: str(dice.getrandbits(64)),
    lambda dice: dice.getrandbits(70),
    lambda _: "'; DROP TABLE inbox; --",
    lambda _: "/oublie",
    lambda _: "/" + "a" * 5000,
    lambda _: "1" * 5000,
    lambda dice: _deep(dice.randrange(2, 300)),
    lambda _: [{"id": 1}] * 200,
    lambda _: {str(number): number for number in range(300)},
)

SCRAPS = (b"", b"null", b"[]", b'"x"', b"7", b"{}", b"NaN", b"[" * 50_000, b"{" * 3)


def telegram_seeds(telegram: FakeTelegram, chat: int) -> list[Json]:
    """One honest update of each kind, for that chat."""
    contents: list[Json] = [
        {"text": "Bonjour, mon forfait ?"},
        {"text": "/aide", "entities": [{"type": "bot_command", "offset": 0, "length": 5}]},
        {
            "voice": {
                "file_id": "v1",
                "file_unique_id": "u",
                "duration": 3,
                "mime_type": "audio/ogg",
                "file_size": 9,
            }
        },
        {
            "photo": [{"file_id": "p", "file_unique_id": "u", "width": 9, "height": 9}],
            "caption": "c'est quoi ?",
        },
        {"document": {"file_id": "d", "file_unique_id": "u", "file_name": "f.pdf"}},
        {"sticker": {"file_id": "s", "file_unique_id": "u", "width": 9, "height": 9, "type": "regular"}},
        {"location": {"latitude": 13.5, "longitude": 2.1}},
        {"contact": {"phone_number": "+22790000001", "first_name": "Issa", "user_id": chat}},
        {"text": "transféré", "forward_origin": {"type": "user", "sender_user": person(8), "date": 1}},
        {"text": "réponse", "reply_to_message": telegram.message(chat, text="avant")},
        {"new_chat_members": [person(9)]},
        {"migrate_to_chat_id": -100123},
    ]
    updates: list[Json] = [{"message": telegram.message(chat, **content)} for content in contents]
    tapped = {"id": "77", "from": person(chat), "chat_instance": "1", "data": "fb:yes"}
    member = {"user": person(chat), "status": "kicked", "until_date": 0}
    moved = {
        "chat": {"id": chat, "type": "private"},
        "from": person(chat),
        "date": 1,
        "new_chat_member": member,
    }
    return [
        *updates,
        {"edited_message": telegram.message(chat, text="corrigé")},
        {"callback_query": tapped | {"message": telegram.message(chat, text="menu")}},
        {"my_chat_member": moved | {"old_chat_member": {**member, "status": "member"}}},
        {"message": telegram.message(-chat, text="groupe")},
        {"inline_query": {"id": "1", "from": person(chat), "query": "q", "offset": ""}},
    ]


def whatsapp_seeds(phone: str) -> list[Json]:
    """One honest webhook body of each kind, from that phone."""
    messages = [copy.deepcopy(message) for message, _, _ in meta.SAMPLES.values()]
    for message in messages:
        if "from" in message:
            message["from"] = phone
    bodies = [meta.one(message) for message in messages]
    names = ("sent", "delivered", "read", "failed", "played")
    return [*bodies, *(meta.one(statuses=[meta.status(name, "1.abcd")]) for name in names), meta.batch()]


def spoilt(body: Json, dice: random.Random) -> Json:
    """A copy with one to four things wrong."""
    body = copy.deepcopy(body)
    for _ in range(dice.randint(1, 4)):
        places = list(_places(body))
        if not places:
            break
        holder, key = dice.choice(places)
        _spoil(holder, key, dice)
    return body


def torn(raw: bytes, dice: random.Random) -> bytes:
    """The same bytes, no longer whole."""
    place = dice.randrange(len(raw) + 1)
    flipped = (byte ^ (1 << dice.randrange(8)) if dice.random() < 0.02 else byte for byte in raw)
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: raw[:place],
        lambda: raw[:place] + dice.randbytes(dice.randint(1, 8)) + raw[place:],
        lambda: bytes(flipped),
        lambda: b"\xef\xbb\xbf" + raw,
        lambda: dice.choice(SCRAPS),
        lambda: raw.replace(b'"', b"'", dice.randint(1, 4)),
        lambda: dice.randbytes(dice.randrange(2000)),
    )
    return dice.choice(ways)()


def dumped(body: object) -> bytes:
    """JSON as lax as any sender ever wrote it: lone surrogates escaped, NaN spelt out."""
    return json.dumps(body, ensure_ascii=True).encode()


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    if depth > 12:
        return
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from _places(item, depth + 1)


def _spoil(holder: Any, key: Any, dice: random.Random) -> None:
    kind = dice.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[dice.choice(("x", "", "\ud800", "__proto__", key.upper()))] = holder.pop(key)
    elif kind == 2 and isinstance(holder, list):
        holder.extend([holder[key]] * dice.randint(1, 30))
    elif kind == 3:
        holder[key] = [holder[key]]
    else:
        holder[key] = dice.choice(POISON)(dice)


def _deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value
