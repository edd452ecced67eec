"""Messages and replies as JSON: any that can be sent comes back; anything else is refused cleanly."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import StoreCorrupt
from domain.messages import Attachment, ChatKey, Choice, InboundMessage, MessageKind, Purpose, Reply, Sender
from memory.rows import (
    dump_choices,
    dump_message,
    dump_reply,
    load_choices,
    load_message,
    load_reply,
    seen_hash,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=":"), max_size=10)
TIMES = st.floats(0, 4e9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
CHOICES = st.lists(st.builds(Choice, WORDS, WORDS), max_size=4).map(tuple)
FILES = st.builds(
    Attachment,
    NAMES.filter(lambda name: "\n" not in name),
    st.sampled_from(["image/png", "application/json"]),
    st.binary(max_size=50),
)
MESSAGES = st.builds(
    InboundMessage,
    key=st.builds(ChatKey, NAMES, NAMES, WORDS),
    external_id=WORDS,
    kind=st.sampled_from(MessageKind),
    text=WORDS,
    sender=st.builds(Sender, WORDS, WORDS, st.none() | WORDS, st.none() | WORDS),
    sent_at=TIMES,
    received_at=TIMES,
    ready_at=TIMES,
    flags=st.lists(WORDS, max_size=3).map(tuple),
    payload=st.dictionaries(WORDS, JSON, max_size=3),
)
REPLIES = st.builds(Reply, WORDS, CHOICES, st.none() | FILES, st.sampled_from(Purpose))


@settings(max_examples=50, deadline=None)
@given(MESSAGES)
def test_messages_come_back(message: InboundMessage) -> None:
    assert load_message(str(message.key), message.received_at, dump_message(message)) == message


@settings(max_examples=50, deadline=None)
@given(REPLIES)
def test_replies_come_back(reply: Reply) -> None:
    assert load_reply(*dump_reply(reply)) == reply


@settings(max_examples=50, deadline=None)
@given(CHOICES)
def test_choices_come_back(choices: tuple[Choice, ...]) -> None:
    assert load_choices(dump_choices(choices)) == choices


@settings(max_examples=50, deadline=None)
@given(st.binary() | JSON.map(orjson.dumps))
def test_any_other_bytes_are_refused_in_one_way(body: bytes) -> None:
    with pytest.raises(StoreCorrupt):
        load_message("web:local:1", 1.0, body)
    with pytest.raises(StoreCorrupt):
        load_reply(body, None)
    with pytest.raises(StoreCorrupt):
        load_reply(dump_reply(Reply("x"))[0], b"no head")


@settings(max_examples=50, deadline=None)
@given(MESSAGES, MESSAGES)
def test_two_messages_have_one_hash_only_when_their_names_are_one(
    one: InboundMessage, other: InboundMessage
) -> None:
    def name(message: InboundMessage) -> tuple[str, str, str]:
        return message.key.channel, message.key.account, message.external_id

    assert (seen_hash(one) == seen_hash(other)) == (name(one) == name(other))


def test_a_damaged_choice_is_refused() -> None:
    for text in ("", "{", "[1]", '[["a"]]', '[[1, "b"]]', '{"a": 1}'):
        with pytest.raises(StoreCorrupt):
            load_choices(text)
