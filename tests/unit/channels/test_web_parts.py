"""The pure parts of the chat page: tokens, address limits, streams, parsing."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.web_limits import AddressLimit
from channels.web_parse import parse_message, read_object
from channels.web_streams import Streams
from channels.web_tokens import ChatTokens
from domain.errors import BadInput
from domain.messages import ChatKey, MessageKind

KEY = ChatKey("web", "page", "ab" * 16)


def test_a_token_proves_its_chat() -> None:
    tokens = ChatTokens(b"a" * 32)
    token = tokens.issue()
    chat = tokens.chat(token)
    assert chat is not None
    assert len(chat) == 32
    assert ChatTokens(b"b" * 32).chat(token) is None
    assert tokens.issue() != token


@given(st.text(max_size=80))
def test_no_made_up_token_is_ours(token: str) -> None:
    assert ChatTokens(b"a" * 32).chat(token) is None


def test_a_changed_token_is_not_ours() -> None:
    tokens = ChatTokens(b"a" * 32)
    token = tokens.issue()
    for at in range(len(token) - 1):  # the last letter holds spare bits
        other = "A" if token[at] != "A" else "B"
        assert tokens.chat(token[:at] + other + token[at + 1 :]) is None


class _Notes:
    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    async def get(self, namespace: str, name: str) -> object:
        return self.values.get(f"{namespace}.{name}")

    async def put(self, namespace: str, values: dict[str, object]) -> None:
        self.values.update({f"{namespace}.{name}": value for name, value in values.items()})


async def test_the_key_is_made_once() -> None:
    notes = _Notes()
    token = (await ChatTokens.load(notes)).issue()
    assert (await ChatTokens.load(notes)).chat(token)


def test_an_address_is_slowed_down_alone() -> None:
    now = [0.0]
    limit = AddressLimit(rate=1.0, burst=2.0, addresses=2, clock=lambda: now[0])
    assert [limit.take("a") for _ in range(3)] == [0.0, 0.0, 1.0]
    assert limit.take("b") == 0.0
    now[0] = 1.0
    assert limit.take("a") == 0.0
    limit.take("c")
    limit.take("d")  # "a" and "b" are forgotten
    assert limit.take("a") == 0.0


def test_streams_are_bounded_per_chat_and_in_all() -> None:
    streams = Streams(per_chat=2, total=3)
    first, second = streams.open(KEY), streams.open(KEY)
    assert first is not None
    assert second is not None
    third = streams.open(KEY)
    assert first.closed
    assert first.crowded
    assert not second.crowded
    assert len(streams) == 2
    streams.leave(first)
    assert len(streams) == 2
    other = ChatKey("web", "page", "x")
    assert streams.open(other) is not None
    assert streams.open(other) is None
    assert third is not None
    streams.close()
    assert third.closed
    assert not third.crowded
    assert streams.open(KEY) is None


def test_waking_reaches_the_chat_only() -> None:
    streams = Streams()
    mine, other = streams.open(KEY), streams.open(ChatKey("web", "page", "x"))
    assert mine is not None
    assert other is not None
    streams.wake(KEY, typing=True)
    streams.wake(KEY)
    assert mine.typing
    assert mine.event.is_set()
    assert not other.event.is_set()


def test_a_command_is_known_by_its_slash() -> None:
    message = parse_message({"id": "12345678", "text": " /aide "}, KEY, now=5.0)
    assert (message.kind, message.text, message.sent_at) == (MessageKind.COMMAND, "/aide", 5.0)
    assert message.sender.user_id == KEY.chat
    assert message.external_id == f"{KEY.chat}:12345678"


@given(st.dictionaries(st.sampled_from(["id", "text", "choice"]), st.none() | st.text() | st.integers()))
def test_any_object_is_a_message_or_bad_input(data: dict[str, object]) -> None:
    try:
        message = parse_message(data, KEY, now=1.0)
    except BadInput:
        return
    assert len(message.text) <= 4000
    message.text.encode()


@given(st.binary(max_size=200))
def test_any_body_is_an_object_or_bad_input(body: bytes) -> None:
    with contextlib.suppress(BadInput):
        assert isinstance(read_object(body), dict)


@pytest.mark.parametrize("body", [b'{"a":"\\ud83d"}', b'{"a":"\\udE00x"}'])
def test_half_an_emoji_is_replaced(body: bytes) -> None:
    assert read_object(body)["a"].startswith("\ufffd")
