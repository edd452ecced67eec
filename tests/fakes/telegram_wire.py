"""How updates and calls of the Bot API travel: parameters in, answers and spoilt answers out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web

from tests.fakes.telegram_faults import Fault
from tests.fakes.telegram_methods import Fields


async def read_fields(request: web.Request) -> Fields:
    """The parameters of a call, however they were sent; files are (name, content) pairs."""
    if request.content_type == "application/json":
        body = await request.read()
        return dict(orjson.loads(body)) if body else {}
    form: Iterable[tuple[str, Any]] = (await request.post()).items() if request.can_read_body else ()
    fields: Fields = dict(request.query)
    for name, value in form:
        if isinstance(value, web.FileField):
            fields[name] = (value.filename, value.file.read())
        else:
            fields[name] = _decoded(value)
    return fields


def _decoded(value: Any) -> Any:
    """Objects travel as JSON texts in a form."""
    return orjson.loads(value) if isinstance(value, str) and value[:1] in {"{", "["} else value


def refuse(status: int, description: str, parameters: dict[str, Any] | None = None) -> web.Response:
    answer: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    if parameters:
        answer["parameters"] = parameters
    return web.Response(body=orjson.dumps(answer), status=status, content_type="application/json")


async def spoil(request: web.Request, fault: Fault, payload: bytes = b"") -> web.StreamResponse:
    """Answer as the fault says."""
    if fault.cut or fault.half:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if fault.half:
            response.content_length = len(payload)
            await response.prepare(request)
            await response.write(payload[: len(payload) // 2])
        if request.transport is not None:
            request.transport.abort()
        return response
    if fault.body is not None:
        return web.Response(body=fault.body, status=fault.status or 200, content_type="text/html")
    named = {"retry_after": fault.retry_after, "migrate_to_chat_id": fault.migrate_to}
    return refuse(
        fault.status,
        fault.description,
        {name: value for name, value in named.items() if value is not None},
    )


def person(user: int, name: str = "Awa") -> dict[str, Any]:
    return {"id": user, "is_bot": False, "first_name": name, "language_code": "fr"}


def queue_of(update: dict[str, Any]) -> object:
    """The delivery queue of an update: its chat, or for taps the person, in a range of their own."""
    if query := update.get("callback_query"):
        return ("callback", query["from"]["id"])
    body: Any = next((value for name, value in update.items() if name != "update_id"), None)
    return body.get("chat", {}).get("id") if isinstance(body, dict) else None
