"""The OpenAPI description, made from the same table the server routes by, so that it cannot drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from channels.routing import Access, Route

PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "required": ["error", "message"],
    "properties": {
        "error": {"type": "string", "description": "stable code"},
        "message": {"type": "string", "description": "one sentence in French"},
    },
}


def describe(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """An OpenAPI 3.1 document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Assistant Airtel Niger", "version": version},
        "paths": paths,
        "components": {
            "securitySchemes": {"operator": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": PROBLEM},
        },
    }


def statuses(route: Route) -> dict[int, str]:
    """What a route may answer: its own statuses and those the server adds around it."""
    answers = dict(route.responses)
    if route.access is Access.OPERATOR:
        answers.setdefault(401, "No or wrong token")
    if route.method != "GET":
        answers.setdefault(400, "Body that cannot be read")
        answers.setdefault(408, "Body too slow")
        answers.setdefault(413, "Body too large")
    if route.intake:
        answers.setdefault(503, "Stopping or overloaded: come back after Retry-After seconds")
    return answers


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "responses": {str(code): _response(route, code, text) for code, text in statuses(route).items()},
    }
    if route.parameters:
        operation["parameters"] = [dict(parameter) for parameter in route.parameters]
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": dict(route.body)}},
        }
    if route.access is Access.OPERATOR:
        operation["security"] = [{"operator": []}]
    return operation


def _response(route: Route, code: int, text: str) -> dict[str, Any]:
    if code in (204, 304):
        return {"description": text}
    if code >= 400 and route.schema is not None and code in route.same_schema:
        return {"description": text, "content": {"application/json": {"schema": dict(route.schema)}}}
    if code >= 400:
        schema = {"$ref": "#/components/schemas/Problem"}
        return {"description": text, "content": {"application/json": {"schema": schema}}}
    media = {"schema": dict(route.schema)} if route.schema is not None else {}
    return {"description": text, "content": {route.media_type: media}}
