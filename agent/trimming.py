"""The bound on a session's history: the reducer of the graph's `messages`.

A history is a run of exchanges, each a human message and everything up to the next one. Whole exchanges are
kept, newest first, while they fit; so a tool call is never parted from its result, and the history starts on
a human message. The newest exchange stays whatever its size.

Tokens are estimated without network as a quarter of the characters plus 0.7 for each digit. On French the
error is -3 to +5 % against o200k_base (gpt-4o) and -12 to -7 % against cl100k_base; Hausa and Zarma are
counted a fifth to a third too low. Measured in `benchmarks/token_count.md`.

What a message is, its `type` says: `isinstance` asks LangChain's abstract classes, at ten times the price.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    ToolMessage,
)
from langgraph.graph.message import add_messages

TOKENS_PER_CHAR = 0.25
TOKENS_PER_DIGIT = 0.7
TOKENS_PER_MESSAGE = 4  # role and separators of the chat format
TOKENS_PER_CALL = 8  # the JSON around a tool call
CUT_MARK = " […]"
_PLAIN = (HumanMessage, AIMessage, ToolMessage)

Reducer = Callable[[Any, Any], list[AnyMessage]]


@lru_cache(maxsize=2048)
def estimate_tokens(text: str) -> int:
    """Tokens of a text, without network. Cached: a turn counts its whole history twice."""
    raw = text.encode("utf-8", "replace")
    digits = len(raw) - len(raw.translate(None, b"0123456789"))
    return round(len(text) * TOKENS_PER_CHAR + digits * TOKENS_PER_DIGIT)


def count_tokens(message: AnyMessage) -> int:
    """Tokens of one message in a chat request, its tool calls included."""
    content = message.content if isinstance(message.content, str) else str(message.content)
    total = TOKENS_PER_MESSAGE + estimate_tokens(content)
    if message.type == "ai":
        for call in message.tool_calls:
            total += TOKENS_PER_CALL + estimate_tokens(call["name"] + str(call["args"]))
    return total


def bounded(*, max_tokens: int, max_messages: int, max_tool_tokens: int | None = None) -> Reducer:
    """The reducer for `Annotated[list[AnyMessage], bounded(...)]`.

    Merges like `add_messages` (a known id is replaced in place), cuts tool results to `max_tool_tokens`
    (default: a quarter of `max_tokens`), then trims.
    """
    tool_limit = max_tokens // 4 if max_tool_tokens is None else max_tool_tokens

    def reduce(left: Any, right: Any) -> list[AnyMessage]:
        merged = _merged(left, right)
        return trim([_cap(message, tool_limit) for message in merged], max_tokens, max_messages)

    return reduce


def _merged(left: Any, right: Any) -> list[AnyMessage]:
    """What `add_messages` returns, which converts the whole history; new plain messages need none of that."""
    if isinstance(left, list) and isinstance(right, list):
        ids = {message.id for message in (*left, *right) if type(message) in _PLAIN and message.id}
        if len(ids) == len(left) + len(right):
            return [*left, *right]
    merged: Any = add_messages(left, right)
    return list(merged)


def trim(messages: Sequence[AnyMessage], max_tokens: int, max_messages: int) -> list[AnyMessage]:
    """Keep the system messages and the newest exchanges that fit, in one pass from the end.

    The newest exchange is a floor. An older one with a call that has no result (a turn that was cancelled)
    is left out: a model refuses such a history.
    """
    system = [message for message in messages if message.type == "system"]
    tokens_left = max_tokens - sum(map(count_tokens, system))
    messages_left = max_messages - len(system)
    kept: list[list[AnyMessage]] = []
    exchange: list[AnyMessage] = []
    for message in reversed(messages):
        if message.type == "system":
            continue
        exchange.append(message)
        if message.type != "human":
            continue
        whole, exchange = exchange[::-1], []
        tokens_left -= sum(map(count_tokens, whole))
        messages_left -= len(whole)
        if kept and (tokens_left < 0 or messages_left < 0):
            break
        if not kept or _answered(whole):
            kept.append(whole)
    return [*system, *(message for whole in reversed(kept) for message in whole)]


def _answered(exchange: Sequence[AnyMessage]) -> bool:
    """Whether every tool call is followed by its result, and every result follows its call."""
    waiting: set[str | None] = set()
    for message in exchange:
        if message.type == "tool":
            if message.tool_call_id not in waiting:
                return False
            waiting.remove(message.tool_call_id)
        elif waiting:
            return False
        elif message.type == "ai":
            waiting = {call["id"] for call in message.tool_calls}
    return not waiting


def _cap(message: AnyMessage, limit: int) -> AnyMessage:
    if message.type != "tool":
        return message
    text = message.text
    if isinstance(message.content, str) and len(text) * (TOKENS_PER_CHAR + TOKENS_PER_DIGIT) <= limit:
        return message  # short enough even if it were all digits
    if (tokens := estimate_tokens(text)) <= limit:
        return message
    return message.model_copy(update={"content": text[: len(text) * limit // tokens] + CUT_MARK})
