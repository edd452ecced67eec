"""A compact encoding of the four message classes that a conversation holds.

Each message is one short msgpack array under a private extension code:
`[kind, content, id, name, *extra]`, trailing Nones left out. Lost by design: `additional_kwargs`,
`ToolMessage.artifact` and all provider metadata but the finish reason and the two token counts. Any other
class, and an AIMessage with `invalid_tool_calls`, takes LangGraph's standard encoding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ormsgpack
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import _msgpack_default, _option

MESSAGE_CODE = 64  # LangGraph uses 0 to 7
ExtHook = Callable[[int, bytes], Any]

_HUMAN, _AI, _SYSTEM, _TOOL = range(4)


def pack(value: Any) -> bytes:
    """Encode a value; raises ormsgpack.MsgpackEncodeError for what msgpack cannot hold."""
    return ormsgpack.packb(value, default=_default, option=_option)


def unpack(data: bytes, hook: ExtHook) -> Any:
    """Decode what `pack` wrote; `hook` revives every other class. Raises ValueError or TypeError."""

    def revive(code: int, inner: bytes) -> Any:
        if code == MESSAGE_CODE:
            return _revive(unpack(inner, hook))
        return hook(code, inner)

    return ormsgpack.unpackb(data, ext_hook=revive, option=ormsgpack.OPT_NON_STR_KEYS)


def _default(value: Any) -> Any:
    fields = _fields(value)
    if fields is None:
        return _msgpack_default(value)
    while fields[-1] is None:
        fields.pop()
    return ormsgpack.Ext(MESSAGE_CODE, pack(fields))


def _fields(value: Any) -> list[Any] | None:
    kind = type(value)
    if kind is HumanMessage:
        return [_HUMAN, value.content, value.id, value.name]
    if kind is AIMessage and not value.invalid_tool_calls:
        return [_AI, value.content, value.id, value.name, *_answer_fields(value)]
    if kind is ToolMessage:
        status = None if value.status == "success" else value.status
        return [_TOOL, value.content, value.id, value.name, value.tool_call_id, status]
    if kind is SystemMessage:
        return [_SYSTEM, value.content, value.id, value.name]
    return None


def _answer_fields(message: AIMessage) -> list[Any]:
    calls = [[call["name"], call["args"], call["id"]] for call in message.tool_calls] or None
    fields = [calls, message.response_metadata.get("finish_reason")]
    if usage := message.usage_metadata:
        fields += [usage["input_tokens"], usage["output_tokens"]]
    return fields


def _revive(fields: list[Any]) -> BaseMessage:
    # The classes' own constructors: they validate, and are seven times faster than model_construct.
    padded = fields + [None] * (8 - len(fields))
    kind, content, message_id, name = padded[:4]
    extra = padded[4:]
    if kind == _HUMAN:
        return HumanMessage(content=content, id=message_id, name=name)
    if kind == _AI:
        return AIMessage(content=content, id=message_id, name=name, **_answer(*extra))
    if kind == _TOOL:
        call_id, status = extra[0], extra[1] or "success"
        return ToolMessage(content=content, id=message_id, name=name, tool_call_id=call_id, status=status)
    if kind == _SYSTEM:
        return SystemMessage(content=content, id=message_id, name=name)
    raise ValueError("unknown kind of message")


def _answer(calls: Any, finish_reason: Any, sent: Any, received: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if calls:
        fields["tool_calls"] = [{"name": name, "args": args, "id": call_id} for name, args, call_id in calls]
    if finish_reason is not None:
        fields["response_metadata"] = {"finish_reason": finish_reason}
    if sent is not None:
        fields["usage_metadata"] = {
            "input_tokens": sent,
            "output_tokens": received,
            "total_tokens": sent + received,
        }
    return fields
