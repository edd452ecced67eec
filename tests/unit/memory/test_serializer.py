"""State as bytes: what comes back, what is refused, what it costs an attacker."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from benchmarks.conversations import conversation
from domain.errors import BadInput, StoreCorrupt
from memory.encryption import StateCipher
from memory.serializer import MAX_STATE_BYTES, StateSerializer

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
PLAIN = StateSerializer()
SEALED = StateSerializer(cipher=StateCipher("clé"))
CALL = {"name": "search_offers", "args": {"words": "1 Go", "n": [1, None]}, "id": "c1", "type": "tool_call"}

texts = st.text(max_size=200)
names = st.none() | st.text(min_size=1, max_size=10)
messages: st.SearchStrategy[AnyMessage] = st.one_of(
    st.builds(HumanMessage, content=texts, id=names, name=names),
    st.builds(SystemMessage, content=texts, id=names),
    st.builds(AIMessage, content=texts, id=names, tool_calls=st.sampled_from([[], [CALL], [CALL, CALL]])),
    st.builds(
        ToolMessage,
        content=texts,
        id=names,
        tool_call_id=st.text(min_size=1, max_size=9),
        status=st.sampled_from(["success", "error"]),
    ),
)


@pytest.mark.parametrize("serializer", [PLAIN, SEALED], ids=["plain", "sealed"])
@UNTIMED
@given(history=st.lists(messages, max_size=8))
def test_a_history_comes_back_as_it_was(serializer: StateSerializer, history: list[AnyMessage]) -> None:
    assert serializer.loads_for("t", serializer.dumps_for("t", history)) == history


@UNTIMED
@given(
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False)
        | texts
        | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=20,
    )
)
def test_plain_values_come_back(value: Any) -> None:
    assert PLAIN.loads_typed(PLAIN.dumps_typed(value)) == value


def test_finish_reason_and_token_counts_are_kept_and_the_rest_is_not() -> None:
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    metadata = {"finish_reason": "stop", "model_name": "gpt", "token_usage": {"prompt_tokens": 3}}
    message = AIMessage("oui", id="1", response_metadata=metadata, usage_metadata=usage)
    back = PLAIN.loads_typed(PLAIN.dumps_typed(message))
    assert back.usage_metadata == usage
    assert back.response_metadata == {"finish_reason": "stop"}


def test_other_classes_take_the_standard_way() -> None:
    invalid = {"name": "x", "args": "{", "id": "1", "error": "no JSON", "type": "invalid_tool_call"}
    for message in (RemoveMessage(id="1"), AIMessage("", invalid_tool_calls=[invalid])):
        assert PLAIN.loads_typed(PLAIN.dumps_typed(message)) == message


def test_a_lone_surrogate_is_replaced() -> None:
    back = PLAIN.loads_typed(PLAIN.dumps_typed([HumanMessage("a\ud800b")]))
    assert back[0].content == "a?b"


def test_a_long_talk_takes_few_bytes() -> None:
    history = conversation(1, 9)
    standard = JsonPlusSerializer(allowed_msgpack_modules=None).dumps_typed(history)[1]
    assert len(PLAIN.dumps_for("t", history)[1]) * 4 < len(standard)


def test_a_named_callable_is_never_called(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    call = ormsgpack.packb(("os", "system", f"touch {trap}"))
    payload = ormsgpack.packb({"x": ormsgpack.Ext(0, call)})
    assert PLAIN.loads_typed(("msgpack~r", b"\x01" + payload)) == {"x": f"touch {trap}"}
    assert not trap.exists()
    JsonPlusSerializer(allowed_msgpack_modules=True).loads_typed(("msgpack", payload))
    assert trap.exists()  # the same bytes in LangGraph's permissive mode


def test_what_langgraph_adds_to_the_allow_list_is_revived() -> None:
    clone = PLAIN.with_msgpack_allowlist([(__name__, "Marked")])
    tag, blob = PLAIN.dumps_typed(Marked("x"))
    assert isinstance(clone.loads_typed((tag, blob)), Marked)
    assert not isinstance(PLAIN.loads_typed((tag, blob)), Marked)


class Marked:
    """Stands for a class of a graph's state."""

    def __init__(self, text: str) -> None:
        self.text = text

    def model_dump(self) -> dict[str, str]:
        return {"text": self.text}


@pytest.mark.parametrize("tag", ["msgpack~z0", "bytes~z0", "msgpack~z1"])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
def test_a_bomb_costs_no_memory(tag: str, declared: bool) -> None:
    compressor = zstandard.ZstdCompressor(level=19, write_content_size=declared)
    bomb = b"\x01" + compressor.compress(bytes(64 * 1024 * 1024))
    tracemalloc.start()
    try:
        with pytest.raises(StoreCorrupt):
            PLAIN.loads_typed((tag, bomb))
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_a_frame_that_lies_about_its_size_is_refused() -> None:
    honest = zstandard.ZstdCompressor().compress(bytes(200))
    lying = bytearray(honest)
    place = lying.index(200)  # a single byte holds sizes below 256
    lying[place] = 100
    with pytest.raises(StoreCorrupt):
        PLAIN.loads_typed(("bytes~z0", b"\x01" + bytes(lying)))


def test_a_state_that_is_too_large_is_neither_written_nor_read() -> None:
    large = bytes(MAX_STATE_BYTES + 1)
    with pytest.raises(BadInput):
        PLAIN.dumps_typed(large)
    with pytest.raises(StoreCorrupt):
        PLAIN.loads_typed(("bytes~r", b"\x01" + large))


@pytest.mark.parametrize(
    ("tag", "blob"),
    [
        ("pickle", b"\x01x"),
        ("json", b"\x01{}"),
        ("msgpack", b"\x01\x80"),
        ("msgpack~z9999", b"\x01x"),
        ("msgpack~r", b""),
        ("msgpack~r", b"\x02\x80"),
        ("msgpack~r", b"\x01\xc1"),
        ("msgpack~r", b"\x01\xc7\x02\x40\x91\x09"),  # a message of an unknown kind
        ("msgpack~ra", b"\x01\x80"),
    ],
)
def test_unknown_formats_are_refused(tag: str, blob: bytes) -> None:
    with pytest.raises(StoreCorrupt):
        PLAIN.loads_typed((tag, blob))


@UNTIMED
@given(place=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_changed_bit_is_found_or_changes_nothing(place: int, bit: int) -> None:
    history = conversation(7, 3)
    tag, blob = PLAIN.dumps_typed(history)
    changed = bytearray(blob)
    changed[place % len(blob)] ^= 1 << bit
    with contextlib.suppress(StoreCorrupt):
        assert PLAIN.loads_typed((tag, bytes(changed))) == PLAIN.loads_typed((tag, blob))


@UNTIMED
@given(
    noise=st.binary(max_size=200), tag=st.sampled_from(["msgpack~r", "msgpack~z0", "bytes~r", "msgpack~ra"])
)
def test_noise_is_refused_or_read_never_more(noise: bytes, tag: str) -> None:
    for serializer in (PLAIN, SEALED):
        with contextlib.suppress(StoreCorrupt):
            serializer.loads_for("t", (tag, b"\x01" + noise))


def test_states_written_without_a_dictionary_stay_readable() -> None:
    history = conversation(3, 4)
    for dictionary in (0, 1, 9999):
        written = StateSerializer(dictionary=dictionary).dumps_for("t", history)
        assert len(PLAIN.loads_for("t", written)) == len(history)


def test_encrypted_state_needs_the_key() -> None:
    with pytest.raises(StoreCorrupt, match="MEMORY_ENCRYPTION_KEY"):
        PLAIN.loads_for("t", SEALED.dumps_for("t", [1]))


def test_a_blob_moves_to_another_thread_by_rebinding_only() -> None:
    tag, blob = SEALED.dumps_for("a", ["x"])
    assert SEALED.loads_for("b", (tag, SEALED.rebind("a", "b", (tag, blob)))) == ["x"]
    with pytest.raises(StoreCorrupt):
        SEALED.loads_for("b", (tag, blob))
    assert PLAIN.rebind("a", "b", ("msgpack~r", b"\x01\x80")) == b"\x01\x80"
