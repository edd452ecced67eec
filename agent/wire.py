"""The chat format of the model server, as values: what a turn sends, and what it reads of an answer.

A turn's messages are plain dictionaries from the start, each made once however many calls repeat it.
LangChain's own classes check every field again, at 15-30 us each; they stand only in the session's state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

_ARGUMENTS = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` would make one for each call
_ROLES: Mapping[type[BaseMessage], str] = {SystemMessage: "system", HumanMessage: "user"}


class Message(TypedDict):
    """One message of a request."""

    content: str | None
    role: str
    tool_calls: NotRequired[Sequence[Mapping[str, Any]]]
    tool_call_id: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool the model wants to be run."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BrokenCall:
    """A call whose arguments are no JSON object: they stay as they were written."""

    id: str
    name: str
    written: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model said. Both token counts are 0 when the server does not tell them."""

    text: str
    calls: tuple[Call, ...] = ()
    broken: tuple[BrokenCall, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0


def system(text: str) -> Message:
    """The rules of the talk."""
    return {"content": text, "role": "system"}


def user(text: str) -> Message:
    """What the subscriber says."""
    return {"content": text, "role": "user"}


def assistant(text: str, calls: Sequence[Call] = (), broken: Sequence[BrokenCall] = ()) -> Message:
    """What the model said, with the tools it wanted."""
    if not (calls or broken):
        return {"content": text, "role": "assistant"}
    wanted = [_wanted(c.id, c.name, _ARGUMENTS.encode(c.arguments)) for c in calls]
    wanted += [_wanted(c.id, c.name, c.written) for c in broken]
    return {"content": text or None, "role": "assistant", "tool_calls": wanted}


def tool(text: str, call_id: str) -> Message:
    """What a tool gave back."""
    return {"content": text, "role": "tool", "tool_call_id": call_id}


def _wanted(call_id: str, name: str, arguments: str) -> Mapping[str, Any]:
    return {"type": "function", "id": call_id, "function": {"name": name, "arguments": arguments}}


def remembered(message: BaseMessage) -> Message:
    """A message of the session's state, as the stock class writes it."""
    text = text_of(message)
    if (role := _ROLES.get(type(message))) is not None:
        return {"content": text, "role": role}
    if isinstance(message, AIMessage):
        calls = [Call(c["id"] or "", c["name"], c["args"]) for c in message.tool_calls]
        invalid = message.invalid_tool_calls
        broken = [BrokenCall(c["id"] or "", c["name"] or "", c["args"] or "") for c in invalid]
        return assistant(text, calls, broken)
    return tool(text, getattr(message, "tool_call_id", ""))


def text_of(message: BaseMessage) -> str:
    """The text of a message. `message.text` makes an object of its own even of a plain string."""
    return message.content if isinstance(message.content, str) else message.text
