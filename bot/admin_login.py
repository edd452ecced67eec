"""Signing in to the admin page with HTTP_TOKEN, and out again."""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import web

from bot.http_access import PAGE_HEADER, OperatorAccess, from_our_page
from bot.http_sessions import COOKIE, COOKIE_PATH, SESSION_SECONDS
from channels.routing import Access, Route, json_answer, problem
from channels.web_limits import AddressLimit
from channels.web_parse import read_object
from config.texts import Texts
from domain.errors import BadInput

logger = logging.getLogger(__name__)

_SIGNED: dict[str, Any] = {
    "type": "object",
    "required": ["signed_in", "sign_in"],
    "properties": {
        "signed_in": {"type": "boolean"},
        "sign_in": {"type": "string", "enum": ["token", "local"]},
    },
}
_BODY = {
    "type": "object",
    "required": ["token"],
    "properties": {"token": {"type": "string", "maxLength": 4096}},
}
FROM_PAGE = {
    "name": PAGE_HEADER,
    "in": "header",
    "required": False,
    "description": "set by the admin page; needed unless a bearer token is sent",
    "schema": {"type": "string", "pattern": "^1$"},
}


class AdminLogin:
    """The door. Tries are limited per address, since forwarding headers are only claims."""

    def __init__(self, operators: OperatorAccess, texts: Texts, *, tries: AddressLimit | None = None) -> None:
        self._operators = operators
        self._texts = texts
        self._tries = tries or AddressLimit(rate=0.2, burst=10, addresses=1000)

    async def state(self, request: web.Request) -> web.Response:
        """Whether this browser is signed in, and how one signs in here."""
        return self._state(self._operators.allows(request))

    async def enter(self, request: web.Request) -> web.Response:
        """Trade the token for a session cookie."""
        sessions = self._operators.sessions
        if not from_our_page(request) or request.content_type != "application/json":
            return self._problem(403, "foreign")
        if sessions is None:
            return self._problem(409, "no_token")
        if wait := self._tries.take(request.remote or ""):
            return self._problem(429, "too_many_tries", wait)
        try:
            token = read_object(await request.read()).get("token")
        except BadInput:
            return self._problem(400, "unreadable")
        if not isinstance(token, str) or not self._operators.knows(token.strip()):
            logger.warning("sign-in refused", extra={"action": "sign_in_refused"})
            return self._problem(401, "wrong_token")
        logger.info("operator signed in", extra={"action": "sign_in"})
        answer = self._state(True)
        secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        answer.set_cookie(
            COOKIE,
            sessions.issue(),
            path=COOKIE_PATH,
            max_age=int(SESSION_SECONDS),
            httponly=True,
            samesite="Strict",
            secure=secure,
        )
        return answer

    async def leave(self, request: web.Request) -> web.Response:
        """End the session of this browser."""
        if not from_our_page(request):
            return self._problem(403, "foreign")
        if self._operators.sessions is not None:
            self._operators.sessions.end(request.cookies.get(COOKIE, ""))
        answer = self._state(False)
        answer.del_cookie(COOKIE, path=COOKIE_PATH)
        return answer

    def routes(self) -> tuple[Route, ...]:
        """The three endpoints; open to all, since they are how one gets in."""
        refused = {403: "Not sent by the admin page"}
        enter = {
            200: "Signed in",
            401: "Wrong token",
            409: "No token is set",
            429: "Too many tries",
            **refused,
        }
        table = (
            ("GET", "/admin/access", self.state, "Connecté ou non", {200: "State"}, None),
            ("POST", "/admin/login", self.enter, "Se connecter", enter, _BODY),
            ("POST", "/admin/logout", self.leave, "Se déconnecter", {200: "Signed out", **refused}, None),
        )
        return tuple(
            Route(
                method,
                path,
                handler,
                summary,
                access=Access.PUBLIC,
                responses=responses,
                body=body,
                schema=_SIGNED,
                parameters=(FROM_PAGE,) if method == "POST" else (),
            )
            for method, path, handler, summary, responses, body in table
        )

    def _state(self, signed_in: bool) -> web.Response:
        way = "local" if self._operators.sessions is None else "token"
        return json_answer({"signed_in": signed_in, "sign_in": way})

    def _problem(self, status: int, code: str, wait: float | None = None) -> web.Response:
        headers = None if wait is None else {"Retry-After": str(max(1, round(wait)))}
        return problem(status, code, self._texts.get(f"admin_page.{code}"), headers)
