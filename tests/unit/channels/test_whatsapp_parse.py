"""Reading webhooks: every level, every type, every way to name a sender, and nothing that raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.whatsapp_parse import Delivery, parse_webhook
from domain.messages import ChatKey, InboundMessage, MessageKind
from memory.records import SendState
from tests.fakes import whatsapp_payloads as payloads
from tests.fakes.whatsapp_payloads import ACCOUNT, PHONE, SAMPLES, USER, change, contact, one, text, webhook

NOW = 1_800_000_000.0


def read(body: object, stamp: str = "") -> Delivery:
    return parse_webhook(body, ACCOUNT, now=NOW, stamp=stamp)


def only(body: object) -> InboundMessage:
    delivery = read(body)
    assert len(delivery.messages) == 1
    return delivery.messages[0]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_type_becomes_one_message(name: str) -> None:
    raw, kind, words = SAMPLES[name]
    message = only(one(raw))
    assert (message.kind, message.text) == (kind, words)
    assert message.key == ChatKey("whatsapp", ACCOUNT, PHONE)
    assert message.external_id == raw["id"]
    assert message.sender.phone == PHONE


def test_unknown_types_are_answered_and_set_aside() -> None:
    for name in ("never seen", "without type"):
        delivery = read(one(SAMPLES[name][0]))
        assert len(delivery.messages) == len(delivery.set_aside) == 1


def test_extras_an_answer_depends_on() -> None:
    voice = only(one(SAMPLES["voice note"][0])).payload
    assert voice["media_id"]
    assert voice["recorded"] is True
    assert only(one(SAMPLES["list reply"][0])).payload["choice_id"] == "menu:solde"
    assert only(one(SAMPLES["quoted"][0])).payload["reply_to"] == "wamid.X"
    assert only(one(SAMPLES["contacts"][0])).payload["numbers"] == []  # written with spaces, not an id
    assert only(one(SAMPLES["group"][0])).payload["private"] is False
    forwarded = text("voici", context={"forwarded": True})
    assert only(one(forwarded)).payload["forwarded"] is True


def test_a_batch_keeps_every_message_in_order() -> None:
    delivery = read(payloads.batch(2, 2, 3))
    assert [message.text for message in delivery.messages] == [f"message {n}" for n in range(12)]
    assert len({message.key for message in delivery.messages}) == 12
    assert not delivery.set_aside


def test_one_bad_item_costs_only_itself() -> None:
    bad: list[object] = [None, 7, "x", [], {}, {"id": "wamid.a"}, {"id": 5, "from": PHONE}]
    delivery = read(webhook([change(text("un"), *bad, text("deux"))], [None], [], "x", [{}]))
    assert [message.text for message in delivery.messages] == ["un", "deux"]
    assert len(delivery.set_aside) == len(bad) + 4


@pytest.mark.parametrize(
    ("raw", "contacts", "chat", "phone"),
    [
        (text("x"), [], PHONE, PHONE),
        (text("x"), None, PHONE, PHONE),
        (text("x", user=USER), [contact(user=USER)], USER, PHONE),
        (text("x", sender=None, user=USER), [contact(None, USER)], USER, None),
        (text("x", sender=None, user=USER), None, USER, None),
        (text("x", sender=USER), [contact(USER)], USER, None),
        (text("x", sender=None), [contact(PHONE)], PHONE, PHONE),
        (text("x", sender=None), [contact(None, USER)], USER, None),
        (text("x", sender="+" + PHONE), None, PHONE, PHONE),
        (text("x"), [contact("22799999999", "NE.999")], PHONE, PHONE),
        (text("x"), [contact(PHONE, USER)], USER, PHONE),
    ],
    ids=[
        "phone",
        "phone, no contacts",
        "both",
        "user id only",
        "user id only, no contacts",
        "user id in from",
        "contact names the sender",
        "contact names the user id",
        "plus sign",
        "contact of somebody else",
        "user id in the contact only",
    ],
)
def test_who_wrote(raw: dict[str, Any], contacts: list[object] | None, chat: str, phone: str | None) -> None:
    message = only(one(raw, contacts=contacts))
    assert (message.key.chat, message.sender.user_id, message.sender.phone) == (chat, chat, phone)


def test_nobody_to_answer_is_set_aside() -> None:
    delivery = read(one(text("x", sender=None), text("y", sender="quelqu'un"), contacts=None))
    assert [piece.error for piece in delivery.set_aside] == ["no sender"] * 2


def test_contacts_of_several_senders_are_told_apart() -> None:
    raws = [text("a", sender="22790000011"), text("b", sender="22790000012")]
    names = [contact("22790000012", name="Deux"), contact("22790000011", name="Un")]
    messages = read(one(*raws, contacts=names)).messages
    assert [message.sender.name for message in messages] == ["Un", "Deux"]


SYSTEM: dict[str, tuple[dict[str, Any], set[str]]] = {
    "number, current shape": (
        payloads.message("system", {"type": "user_changed_number", "wa_id": "22790000002", "body": "..."}),
        {PHONE, "22790000002"},
    ),
    "number, older shape": (
        payloads.message(
            "system", {"type": "user_changed_number", "new_wa_id": "22790000002", "customer": PHONE}
        ),
        {PHONE, "22790000002"},
    ),
    "number, in the sentence only": (
        payloads.message(
            "system",
            {
                "type": "user_changed_number",
                "body": "A changed from 1 to 2 changed from 22790000003 to 22790000004",
            },
            sender=None,
        ),
        {"22790000003", "22790000004"},
    ),
    "identity": (
        payloads.message(
            "system", {"type": "customer_identity_changed", "customer": PHONE, "identity": "x", "body": "..."}
        ),
        {PHONE},
    ),
    "user id": (
        payloads.message(
            "system",
            {"type": "user_changed_user_id", "user_id": "NE.222", "previous_user_id": USER},
            sender=None,
        ),
        {USER, "NE.222"},
    ),
    "number of a known user id": (
        payloads.message("system", {"type": "user_changed_number", "wa_id": "22790000002"}, user=USER),
        {USER, PHONE, "22790000002"},
    ),
}


@pytest.mark.parametrize("name", SYSTEM)
def test_a_change_of_identity_reaches_every_chat_it_touches(name: str) -> None:
    raw, chats = SYSTEM[name]
    messages = read(one(raw, contacts=None)).messages
    assert {message.key.chat for message in messages} == chats
    assert {message.kind for message in messages} == {MessageKind.SYSTEM}
    assert {message.payload["event"] for message in messages} == {"identity_changed"}
    assert len({message.external_id for message in messages}) == len(chats)


def test_system_messages_that_seal_nothing() -> None:
    unknown = payloads.message("system", {"type": "birthday", "body": "..."})
    nameless = payloads.message("system", {"type": "user_changed_number"}, sender=None)
    delivery = read(one(unknown, nameless, contacts=None))
    assert not delivery.messages
    assert len(delivery.set_aside) == 2


def test_other_numbers_and_the_business_app_are_not_ours() -> None:
    delivery = read(
        webhook(
            [change(text("x"), account="999"), change(field="smb_message_echoes")], [change(field="flows")]
        )
    )
    assert delivery.ignored == ["other_number", "business_app"]
    assert [piece.error for piece in delivery.set_aside] == ["field flows is not handled"]
    assert not delivery.messages


def test_troubles_of_the_number_are_kept_in_the_platform_s_words() -> None:
    body = webhook([change(errors=[{"code": 131042, "title": "Business eligibility payment issue"}])])
    assert read(body).set_aside[0].error == "131042 Business eligibility payment issue"


@pytest.mark.parametrize(
    ("name", "code", "state"),
    [
        ("sent", None, SendState.SENT),
        ("delivered", None, SendState.SENT),
        ("read", None, SendState.SENT),
        ("played", None, SendState.SENT),
        ("failed", 131047, SendState.DEAD),
        ("failed", 131026, SendState.FAILED),
        ("failed", 131049, SendState.FAILED),
        ("failed", 131000, SendState.DEAD),
        ("failed", None, SendState.DEAD),
    ],
)
def test_statuses_prove_what_became_of_a_part(name: str, code: int | None, state: SendState) -> None:
    sent = payloads.status(name, "41.db", code=code)
    evidence = list(read(one(statuses=[sent]), "db").evidence)
    assert [(item.part_id, item.state, item.platform_id) for item in evidence] == [(41, state, sent["id"])]


@pytest.mark.parametrize("callback", ["", "41", "41.other", "x.db", ".db", "-1.db", "9" * 30 + ".db"])
def test_statuses_of_other_databases_prove_nothing(callback: str) -> None:
    delivery = read(one(statuses=[payloads.status("delivered", callback)]), "db")
    assert not delivery.evidence
    assert not delivery.set_aside


def test_messages_and_statuses_in_one_change_with_doubles() -> None:
    sent = payloads.status("sent", "5.db")
    raw = text("x")
    delivery = read(one(raw, raw, statuses=[sent, sent, {"status": "sent"}, 3, {}]), "db")
    assert len(delivery.messages) == 2  # the unique key of the inbox removes the double
    assert len(delivery.evidence) == 1
    assert len(delivery.set_aside) == 3


@pytest.mark.parametrize("stamp", [None, "", "x", -5, 0, 10**30, 1e99, "99999999999999999999", True])
def test_times_that_make_no_sense_are_now(stamp: object) -> None:
    assert only(one(text("x", timestamp=stamp))).sent_at == NOW


def test_hostile_text_is_made_harmless() -> None:
    message = only(one(text("a\x00b\ud800c\u202ed" + "e" + "\u0301" * 50)))
    assert message.text.startswith("ab\ufffdcdé")
    message.text.encode()
    assert len(message.text) < 20


_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from([PHONE, USER, ACCOUNT]),
)
_NAMES = st.sampled_from(
    [
        *("object", "entry", "changes", "value", "field", "messages", "statuses", "contacts", "metadata"),
        *("phone_number_id", "id", "from", "from_user_id", "type", "text", "body", "system", "interactive"),
        *("button_reply", "list_reply", "audio", "errors", "code", "title", "context", "status"),
    ]
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(_JSON, st.sampled_from(sorted(SAMPLES)), st.lists(_NAMES, max_size=3))
def test_nothing_json_can_hold_raises(junk: Any, name: str, places: list[str]) -> None:
    read(junk)
    raw = dict(SAMPLES[name][0])
    for place in places:
        raw[place] = junk
    delivery = read(one(text("avant"), raw, junk, text("après")))
    said = [message.text for message in delivery.messages]
    assert said[0] == "avant"
    assert said[-1] == "après"
