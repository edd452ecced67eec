"""The OpenAPI description of a route holds what the server adds around it."""

from __future__ import annotations

from aiohttp import web

from bot.openapi import describe, statuses
from channels.routing import Access, Route, json_answer


async def _handler(request: web.Request) -> web.Response:
    return json_answer({})


SCHEMA = {"type": "object"}


def test_an_operator_route_may_answer_401() -> None:
    route = Route("GET", "/a", _handler, "A")
    assert set(statuses(route)) == {200, 401}
    operation = describe([route], "1")["paths"]["/a"]["get"]
    assert operation["security"] == [{"operator": []}]


def test_a_body_may_be_unreadable_slow_or_large() -> None:
    route = Route("POST", "/a", _handler, "A", access=Access.PUBLIC, intake=True, body=SCHEMA)
    assert set(statuses(route)) == {200, 400, 408, 413, 503}
    operation = describe([route], "1")["paths"]["/a"]["post"]
    assert "security" not in operation
    assert operation["requestBody"]["content"]["application/json"]["schema"] == SCHEMA


def test_a_route_keeps_its_own_words() -> None:
    route = Route("POST", "/a", _handler, "A", access=Access.SIGNED, responses={200: "x", 400: "own"})
    assert statuses(route)[400] == "own"


def test_refusals_are_problems_unless_they_share_the_schema() -> None:
    route = Route(
        "GET", "/a", _handler, "A", responses={200: "x", 503: "y"}, schema=SCHEMA, same_schema=(503,)
    )
    answers = describe([route], "1")["paths"]["/a"]["get"]["responses"]
    assert answers["503"]["content"]["application/json"]["schema"] == SCHEMA
    assert answers["401"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_an_answer_without_content_has_none() -> None:
    route = Route("GET", "/a", _handler, "A", responses={304: "same"})
    assert describe([route], "1")["paths"]["/a"]["get"]["responses"]["304"] == {"description": "same"}


def test_two_methods_share_a_path() -> None:
    routes = [Route("GET", "/a", _handler, "A"), Route("POST", "/a", _handler, "B")]
    assert set(describe(routes, "1")["paths"]["/a"]) == {"get", "post"}
