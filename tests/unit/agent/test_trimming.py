"""Whatever a conversation was, what is kept of it is a history a model accepts."""

from __future__ import annotations

from typing import Any

import pytest
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
from langgraph.graph.message import add_messages

from agent.trimming import CUT_MARK, bounded, count_tokens, estimate_tokens, trim
from benchmarks.conversations import ANSWERS, PASSAGES, QUESTIONS

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
words = st.text(alphabet="aé 5", max_size=300)


def calls(*numbers: int) -> list[Any]:
    return [
        {"name": "search", "args": {"q": "1 Go"}, "id": f"c{number}", "type": "tool_call"}
        for number in numbers
    ]


@st.composite
def exchanges(draw: st.DrawFn, *, broken: bool = False) -> list[AnyMessage]:
    """A human message and all that follows it; `broken` ones stop in the middle of a call."""
    messages: list[AnyMessage] = [HumanMessage(draw(words))]
    first = draw(st.integers(0, 10**9))
    for step in range(draw(st.integers(0, 3))):
        numbers = range(first + step * 3, first + step * 3 + draw(st.integers(1, 3)))
        messages.append(AIMessage("", tool_calls=calls(*numbers)))
        messages += [ToolMessage(draw(words), tool_call_id=f"c{number}") for number in numbers]
    if broken:
        messages.append(AIMessage("", tool_calls=calls(first + 100)))
        messages += draw(st.lists(st.builds(ToolMessage, words, tool_call_id=st.just("c0")), max_size=2))
    elif draw(st.booleans()):
        messages.append(AIMessage(draw(words)))
    return messages


@st.composite
def conversations(draw: st.DrawFn) -> list[AnyMessage]:
    """Systems, a cut beginning, good and broken exchanges, and a good one last."""
    older = draw(st.lists(exchanges() | exchanges(broken=True), max_size=8))
    start: list[AnyMessage] = draw(
        st.sampled_from([[], [AIMessage("bonjour")], [ToolMessage("x", tool_call_id="lost")]])
    )
    system: list[AnyMessage] = [SystemMessage("règles")] * draw(st.integers(0, 2))
    return [*system, *start, *(message for each in older for message in each), *draw(exchanges())]


def assert_valid(history: list[AnyMessage]) -> None:
    """System messages, then a human one; each call is followed by exactly its results."""
    talk = [message for message in history if not isinstance(message, SystemMessage)]
    assert history[len(history) - len(talk) :] == talk
    assert isinstance(talk[0], HumanMessage)
    waiting: list[str | None] = []
    for message in talk:
        if isinstance(message, ToolMessage):
            waiting.remove(message.tool_call_id)
            continue
        assert waiting == []
        if isinstance(message, AIMessage):
            waiting = [call["id"] for call in message.tool_calls]
    assert waiting == []


@UNTIMED
@given(conversations(), st.integers(1, 3000), st.integers(1, 60))
def test_a_trimmed_history_is_always_valid(history: list[AnyMessage], tokens: int, most: int) -> None:
    kept = trim(history, tokens, most)
    assert_valid(kept)
    assert [m for m in kept if isinstance(m, SystemMessage)] == [
        m for m in history if isinstance(m, SystemMessage)
    ]
    rest = iter(history)
    assert all(any(message is other for other in rest) for message in kept)  # a subsequence, nothing invented
    last = max(place for place, message in enumerate(history) if isinstance(message, HumanMessage))
    assert kept[-len(history[last:]) :] == history[last:]  # the newest exchange is whole
    talk = [message for message in kept if not isinstance(message, SystemMessage)]
    if sum(isinstance(message, HumanMessage) for message in talk) > 1:
        assert sum(map(count_tokens, kept)) <= tokens
        assert len(kept) <= most


@UNTIMED
@given(conversations(), st.integers(1, 3000), st.integers(1, 60))
def test_trimming_twice_changes_nothing(history: list[AnyMessage], tokens: int, most: int) -> None:
    kept = trim(history, tokens, most)
    assert trim(kept, tokens, most) == kept


@UNTIMED
@given(st.lists(exchanges(), min_size=1, max_size=12), st.integers(200, 2000), st.integers(4, 20))
def test_a_state_that_grows_turn_by_turn_stays_valid_and_bounded(
    talk: list[list[AnyMessage]], tokens: int, most: int
) -> None:
    reduce = bounded(max_tokens=tokens, max_messages=most)
    state: list[AnyMessage] = []
    for exchange in talk:
        state = reduce(state, exchange)
        assert_valid(state)
        assert len(state) <= max(most, len(exchange))
        for message in state:
            if isinstance(message, ToolMessage):
                assert estimate_tokens(message.text) <= tokens // 4 + 5


def test_everything_is_kept_while_it_fits() -> None:
    history: list[AnyMessage] = [HumanMessage("a"), AIMessage("b"), HumanMessage("c"), AIMessage("d")]
    assert trim(history, 1000, 4) == history
    assert trim(history, 1000, 3) == history[2:]


def test_a_cancelled_turn_is_left_out_once_the_next_begins() -> None:
    history: list[AnyMessage] = [
        HumanMessage("a"),
        AIMessage("b"),
        HumanMessage("c"),
        AIMessage("", tool_calls=calls(1)),
        HumanMessage("d"),
    ]
    assert [message.content for message in trim(history, 1000, 50)] == ["a", "b", "d"]


def test_a_fat_tool_result_is_cut_and_says_so() -> None:
    history = bounded(max_tokens=400, max_messages=9)(
        [],
        [
            HumanMessage("x"),
            AIMessage("", tool_calls=calls(1)),
            ToolMessage("très long " * 500, tool_call_id="c1"),
        ],
    )
    assert history[-1].text.endswith(CUT_MARK)
    assert estimate_tokens(history[-1].text) <= 105


def test_the_reducer_replaces_a_known_id_in_place() -> None:
    state = bounded(max_tokens=1000, max_messages=9)([HumanMessage("a", id="1"), AIMessage("b", id="2")], [])
    state = bounded(max_tokens=1000, max_messages=9)(state, [HumanMessage("c", id="1")])
    assert [message.content for message in state] == ["c", "b"]


# Tokens of all questions, answers and passages of benchmarks/conversations.py, counted by the tokenizers
# themselves (`python -m benchmarks.token_count` says how to get their vocabularies).
REAL_TOKENS = {"o200k_base": (317, 747, 333), "cl100k_base": (369, 847, 366)}


@pytest.mark.parametrize("vocabulary", REAL_TOKENS)
def test_french_is_counted_within_15_percent(vocabulary: str) -> None:
    for texts, real in zip((QUESTIONS, ANSWERS, PASSAGES), REAL_TOKENS[vocabulary], strict=True):
        assert abs(sum(map(estimate_tokens, texts)) / real - 1) < 0.15


def test_messages_of_the_state_are_never_changed_in_place() -> None:
    result = ToolMessage("long " * 1000, tool_call_id="c1")
    before: list[AnyMessage] = [HumanMessage("x"), AIMessage("", tool_calls=calls(1)), result]
    bounded(max_tokens=400, max_messages=9)([], before)
    assert result.content == "long " * 1000


def test_messages_merge_as_add_messages_merges_them() -> None:
    said: list[AnyMessage] = [HumanMessage("a", id="1"), AIMessage("b", id="2")]
    reduce = bounded(max_tokens=1000, max_messages=50)
    for more in (
        [HumanMessage("c", id="3"), AIMessage("d", id="4")],
        [HumanMessage("again", id="1")],
        [HumanMessage("c", id="3"), AIMessage("other", id="3")],
        HumanMessage("alone", id="5"),
        [RemoveMessage(id="2")],
        [{"role": "user", "content": "as a dict", "id": "6"}],
    ):
        assert reduce(said, more) == add_messages(said, more)  # type: ignore[arg-type]  # odd ones too
    assert [m.id is None for m in reduce([], [HumanMessage("named by the reducer")])] == [False]
