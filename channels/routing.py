"""How a room offers HTTP endpoints: one table, from which the server routes, guards and documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SMALL_BODY = 256 * 1024
LARGE_BODY = 4 * 1024 * 1024  # Meta's webhook batches reach 3 MB


class Access(StrEnum):
    """Who may call an endpoint."""

    PUBLIC = "public"  # chat page, health
    SIGNED = "signed"  # a platform's webhook: the handler checks its secret or signature
    OPERATOR = "operator"  # operators: the bearer token of HTTP_TOKEN


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. `responses` maps a status to what it means, `body` is the JSON schema of the request.

    `intake` endpoints answer 503 while the bot drains. `streams` have no time limit of their own.
    `media_type` is that of the 200/201/202 answer and `schema` its JSON schema.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    access: Access = Access.OPERATOR
    intake: bool = False
    streams: bool = False
    body_limit: int = SMALL_BODY
    body: Mapping[str, Any] | None = None
    parameters: tuple[Mapping[str, Any], ...] = ()
    responses: Mapping[int, str] = field(default_factory=lambda: {200: "OK"})
    media_type: str = "application/json"
    schema: Mapping[str, Any] | None = None
    same_schema: tuple[int, ...] = ()  # error statuses that answer with `schema` too


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer, not kept by any cache."""
    return web.Response(
        body=orjson.dumps(value), status=status, headers=headers, content_type="application/json"
    )


def problem(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """A refusal: a stable code for programs and one sentence in French for people."""
    return json_answer({"error": code, "message": message}, status, headers)
