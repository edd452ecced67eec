"""Updates into messages: every kind, and whatever else JSON can hold."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.telegram_parse import parse_update
from domain.errors import BadInput
from domain.messages import ChatKey, InboundMessage, MessageKind, Sender

NOW = 1_800_000_000.0
CHAT = {"id": 7, "type": "private", "first_name": "Awa"}
AWA = {"id": 7, "is_bot": False, "first_name": "Awa", "last_name": "Issa", "language_code": "fr"}
GROUP = {"id": -1007, "type": "supergroup", "title": "Famille"}
FILE = {"file_id": "F1", "file_unique_id": "U1", "file_size": 1234}


def message(**content: Any) -> dict[str, Any]:
    base = {"message_id": 11, "date": int(NOW) - 5, "chat": CHAT, "from": AWA}
    return {"update_id": 100, "message": {**base, **content}}


def tap(data: object = "menu:internet", **more: Any) -> dict[str, Any]:
    keyboard = [
        [{"text": "1. Forfaits internet", "callback_data": "menu:internet"}],
        [{"text": "📋 *141#", "copy_text": {"text": "*141#"}}],
    ]
    shown = {"message_id": 12, "date": 1, "chat": CHAT, "reply_markup": {"inline_keyboard": keyboard}}
    query = {"id": "9001", "from": AWA, "chat_instance": "1", "message": shown, "data": data}
    return {"update_id": 101, "callback_query": {**query, **more}}


def member(status: str, chat: dict[str, Any] | None = None) -> dict[str, Any]:
    change = {"chat": chat or CHAT, "from": AWA, "date": int(NOW) - 1, "new_chat_member": {"status": status}}
    return {"update_id": 102, "my_chat_member": change}


def parsed(update: dict[str, Any]) -> InboundMessage:
    found = parse_update(update, "42", now=NOW)
    assert found is not None
    return found


KINDS = [
    ("text", "Bonjour", MessageKind.TEXT, "Bonjour"),
    ("text", "/start abc", MessageKind.COMMAND, "/start abc"),
    ("text", "/ 141", MessageKind.TEXT, "/ 141"),
    ("text", "\x00", MessageKind.TEXT, ""),
    ("voice", FILE | {"duration": 4}, MessageKind.VOICE, "Légende"),
    ("audio", FILE | {"duration": 4}, MessageKind.VOICE, "Légende"),
    ("photo", [FILE | {"file_id": "small"}, FILE], MessageKind.IMAGE, "Légende"),
    ("video", FILE, MessageKind.VIDEO, "Légende"),
    ("video_note", FILE, MessageKind.VIDEO, "Légende"),
    ("animation", FILE, MessageKind.VIDEO, "Légende"),
    ("document", FILE | {"file_name": "a.pdf"}, MessageKind.DOCUMENT, "Légende"),
    ("sticker", FILE | {"emoji": "👍"}, MessageKind.STICKER, "Légende"),
    ("location", {"latitude": 13.5, "longitude": 2.1}, MessageKind.LOCATION, ""),
    ("venue", {"location": {"latitude": 13.5}, "title": "Agence"}, MessageKind.LOCATION, ""),
    ("contact", {"phone_number": "+227 90123456", "user_id": 7}, MessageKind.CONTACT, ""),
    ("dice", {"emoji": "🎲", "value": 3}, MessageKind.UNSUPPORTED, "Légende"),
    ("poll", {"id": "1"}, MessageKind.UNSUPPORTED, "Légende"),
]


@pytest.mark.parametrize(("name", "content", "kind", "text"), KINDS)
def test_every_kind(name: str, content: object, kind: MessageKind, text: str) -> None:
    found = parsed(message(**{name: content, "caption": "Légende"}))
    assert (found.kind, found.text) == (kind, text)
    assert found.key == ChatKey("telegram", "42", "7")
    assert found.external_id == "100"
    assert found.sent_at == NOW - 5
    assert found.payload["private"] is True
    assert found.payload["message_id"] == 11
    assert "forwarded" not in found.payload


def test_the_sender_is_named_by_its_number() -> None:
    assert parsed(message(text="a")).sender == Sender("7", "Awa Issa", None, "fr")
    update = message(text="a")
    del update["message"]["from"]
    assert parsed(update).sender == Sender("7")


def test_media_carry_what_a_download_needs() -> None:
    payload = parsed(message(voice=FILE | {"duration": 4, "mime_type": "audio/ogg"})).payload
    assert payload["media_id"] == "F1"
    assert (payload["duration"], payload["size"], payload["recorded"]) == (4, 1234, True)
    photo = parsed(message(photo=[FILE | {"file_id": "small"}, FILE | {"file_id": "large"}]))
    assert photo.payload["media_id"] == "large"
    assert parsed(message(animation=FILE, document=FILE)).kind is MessageKind.VIDEO


def test_only_the_own_contact_card_verifies_a_number() -> None:
    own = parsed(message(contact={"phone_number": "+227 90123456", "user_id": 7}))
    assert own.payload["numbers"] == ["22790123456"]
    assert own.payload["own"] is True
    assert own.sender.phone == "22790123456"
    for card in ({"phone_number": "22790123456", "user_id": 8}, {"phone_number": "22790123456"}):
        other = parsed(message(contact=card))
        assert other.payload["own"] is False
        assert other.sender.phone is None


@pytest.mark.parametrize("sign", ["forward_origin", "forward_date", "via_bot"])
def test_what_somebody_else_wrote_is_marked(sign: str) -> None:
    assert parsed(message(text="/stats", **{sign: {"id": 1}})).payload["forwarded"] is True


def test_replies_name_their_message() -> None:
    assert parsed(message(text="oui", reply_to_message={"message_id": 3})).payload["reply_to"] == 3


def test_an_edit_is_no_text() -> None:
    update = message(text="mon PIN est 1234", edit_date=int(NOW) - 1)
    found = parsed({"update_id": 103, "edited_message": update["message"]})
    assert (found.kind, found.text, found.external_id) == (MessageKind.EDITED, "", "103")
    assert found.sent_at == NOW - 1


def test_a_tap_reads_like_its_label_without_the_digit() -> None:
    found = parsed(tap())
    assert (found.kind, found.text) == (MessageKind.CHOICE, "Forfaits internet")
    assert found.payload == {
        "message_id": 12,
        "callback_id": "9001",
        "choice_id": "menu:internet",
        "private": True,
    }
    assert found.sent_at == NOW  # a tap has no date; that of the message is the bot's


def test_a_forged_tap_has_no_label() -> None:
    found = parsed(tap("seal:erase"))
    assert (found.text, found.payload["choice_id"]) == ("", "seal:erase")


@pytest.mark.parametrize(
    "update",
    [tap(""), tap(None), tap(message=None), tap(message={}, inline_message_id="x")],
    ids=["empty", "game", "no message", "inline"],
)
def test_taps_that_are_not_ours_are_passed_over(update: dict[str, Any]) -> None:
    assert parse_update(update, "42", now=NOW) is None


@pytest.mark.parametrize(("status", "event"), [("kicked", "blocked"), ("member", "unblocked")])
def test_blocking_is_a_notice(status: str, event: str) -> None:
    found = parsed(member(status))
    assert (found.kind, found.payload["event"]) == (MessageKind.SYSTEM, event)
    assert parse_update(member("restricted"), "42", now=NOW) is None


GROUP_UPDATES = [
    message(text="le PIN est 1234", chat=GROUP),
    message(new_chat_title="Famille", chat=GROUP),
    message(text="a", chat={"id": -5}),
    tap(message={"message_id": 1, "chat": GROUP}),
    member("member", GROUP),
    member("administrator", {"id": -1008, "type": "channel"}),
    {
        "update_id": 1,
        "channel_post": {"message_id": 1, "chat": {"id": -1008, "type": "channel"}, "text": "a"},
    },
]


@pytest.mark.parametrize("update", GROUP_UPDATES)
def test_groups_and_channels_are_left_unheard(update: dict[str, Any]) -> None:
    found = parsed(update)
    assert (found.kind, found.text, found.payload) == (MessageKind.GROUP, "", {"private": False})
    assert int(found.key.chat) < 0


@pytest.mark.parametrize(
    "update",
    [
        member("left", GROUP),
        member("kicked", GROUP),
        {"update_id": 1, "edited_message": message(text="a", chat=GROUP)["message"]},
        message(text="a", **{"from": AWA | {"is_bot": True}}),
        message(pinned_message={}),
        message(message_auto_delete_timer_changed={"message_auto_delete_time": 1}),
        {"update_id": 1, "inline_query": {"id": "1"}},
        {"update_id": 1, "something_new": {}},
        {"update_id": 1},
    ],
)
def test_nothing_to_do(update: dict[str, Any]) -> None:
    assert parse_update(update, "42", now=NOW) is None


POISON: list[Any] = [
    None,
    [],
    "text",
    {},
    {"message": {}},
    {"update_id": "1", "message": message(text="a")["message"]},
    {"update_id": 10**30, "message": message(text="a")["message"]},
    {"update_id": True},
    {"update_id": -5, "message": message(text="a")["message"]},
    {"update_id": 1, "message": None},
    {"update_id": 1, "message": []},
    {"update_id": 1, "callback_query": 5},
    {"update_id": 1, "my_chat_member": "x"},
    message(text=5),
    message(text=None),
    message(text="a", chat=None),
    message(text="a", chat={"id": "x"}),
    message(text="a", chat={"id": 10**30, "type": "private"}),
    message(text="a", chat={"id": 0, "type": "private"}),
    tap("x" * 65),
    tap("é" * 33),
]


@pytest.mark.parametrize("update", POISON)
def test_poison_is_bad_input(update: object) -> None:
    with pytest.raises(BadInput):
        parse_update(update, "42", now=NOW)


@pytest.mark.parametrize("date", [None, "x", -1, 0, 10**30, NOW * 2, True, 1.5])
def test_impossible_times_are_now(date: object) -> None:
    assert parsed(message(text="a", date=date)).sent_at == NOW


def test_half_emojis_and_controls_are_made_harmless() -> None:
    found = parsed(message(text="a\ud83d\x00b\u202e", **{"from": AWA | {"first_name": "\udfff"}}))
    assert found.text == "a\ufffdb"
    found.sender.name.encode()


def test_huge_numbers_are_dropped() -> None:
    payload = parsed(
        message(voice=FILE | {"file_size": 10**30, "duration": 10**30}, message_id=10**30)
    ).payload
    assert not {"size", "duration", "message_id"} & set(payload)


NASTY: list[Any] = [
    None, True, 0, -1, 10**30, 1.5, 1e400, "", "\ud800", "\x00", "a" * 30_000, "é" * 70, [], {}, [[]],
    {"id": 1}, [None], {"": {}},
]  # fmt: skip
SAMPLES = [message(**{name: content}) for name, content, *_ in KINDS] + [
    tap(),
    member("kicked"),
    *GROUP_UPDATES,
    message(text="a", reply_to_message={"message_id": 3}, forward_origin={"type": "user"}),
    {"update_id": 9, "edited_message": message(text="a")["message"]},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every node of a document."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, child in children:
        yield (*path, name)
        yield from places(child, (*path, name))


def mutated(sample: Any, chance: random.Random) -> Any:
    document = copy.deepcopy(sample)
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(list(places(document)))
        parent = document
        for step in path[:-1]:
            parent = parent[step]
        if isinstance(parent, dict) and chance.random() < 0.3:
            del parent[path[-1]]
        else:
            parent[path[-1]] = copy.deepcopy(chance.choice(NASTY))
        if not document:
            break
    return document


def check(update: object) -> None:
    try:
        found = parse_update(update, "42", now=NOW)
    except BadInput:
        return
    if found is None:
        return
    assert found.kind in MessageKind
    assert 0 < found.sent_at <= NOW
    assert int(found.key.chat)
    assert str(int(found.external_id)) == found.external_id
    orjson.dumps([found.text, found.sender.name, found.sender.locale, found.payload])


def test_twelve_thousand_mutated_updates() -> None:
    chance = random.Random(20261122)
    for number in range(12_000):
        check(mutated(SAMPLES[number % len(SAMPLES)], chance))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["text", "voice", "photo", "contact", "location", "venue", "chat", "from", "date"])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["message", "edited_message", "callback_query", "my_chat_member", "channel_post"]),
    st.dictionaries(FIELDS, JSON, max_size=4),
)
def test_any_json_is_a_message_or_bad_input(kind: str, content: dict[str, Any]) -> None:
    check({"update_id": 1, kind: {"chat": CHAT, **content}})


def test_deep_json_is_read_from_outside() -> None:
    deep = json.loads('{"x":' * 500 + "1" + "}" * 500)
    check(message(text="a", reply_markup=deep))
    check({"update_id": 1, "message": deep})
