"""The HTTP endpoints of the chat page: start, post, listen, catch up, download."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from channels.routing import Access, Handler, Route, json_answer, problem
from channels.web import ACCOUNT, NAME, UNSEEN, WebChannel, part_json
from channels.web_events import tell
from channels.web_limits import AddressLimit
from channels.web_page import page_routes
from channels.web_parse import POST_SCHEMA, parse_message, read_object
from channels.web_tokens import ChatTokens
from config.settings import ROOT
from config.texts import Texts
from domain.errors import BadInput, Overloaded, StoreUnavailable
from domain.messages import AcceptMessages, ChatKey, InboundMessage

COOKIE = "chat"
COOKIE_PATH = "/api/chat"
COOKIE_SECONDS = 30 * 86_400
HEARTBEAT_SECONDS = 15.0
PAGE_FOLDER = ROOT / "web" / "chat"

_SUMMARY_AFTER = {
    "name": "after",
    "in": "query",
    "schema": {"type": "integer", "minimum": 0, "maximum": 2**53},
}
_LINES = {
    "type": "object",
    "required": ["messages", "last"],
    "properties": {"messages": {"type": "array", "items": {"type": "object"}}, "last": {"type": "integer"}},
}
_STARTED = {"type": "object", "required": ["token"], "properties": {"token": {"type": "string"}}}
_TAKEN = {
    "type": "object",
    "required": ["id", "at"],
    "properties": {"id": {"type": "string"}, "at": {"type": "number"}},
}


class WebChatEndpoints:
    """What the page calls. A chat is proved by its token: a cookie for the page, a bearer for programs."""

    def __init__(
        self,
        channel: WebChannel,
        accept: AcceptMessages,
        tokens: ChatTokens,
        texts: Texts,
        *,
        starts: AddressLimit | None = None,
        heartbeat: float = HEARTBEAT_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._channel = channel
        self._accept = accept
        self._tokens = tokens
        self._texts = texts
        self._starts = starts or AddressLimit()
        self._heartbeat = heartbeat
        self._clock = clock

    async def start(self, request: web.Request) -> web.StreamResponse:
        """A new, empty chat; the old one of this browser is left behind."""
        if _from_elsewhere(request):
            return self._problem(403, "foreign")
        if wait := self._starts.take(request.remote or ""):
            return self._problem(429, "too_many_starts", wait)
        token = self._tokens.issue()
        return _with_cookie(request, json_answer({"token": token}, 201), token)

    async def post(self, request: web.Request) -> web.StreamResponse:
        """One message: 202 once it is on disk."""
        key = self._key(request)
        if key is None:
            return self._problem(401, "no_chat")
        if _from_elsewhere(request) or request.content_type != "application/json":
            return self._problem(403, "foreign")
        try:
            message = parse_message(read_object(await request.read()), key, now=self._clock())
        except BadInput as error:
            return self._problem(400, str(error))
        return await self._store(message)

    async def _store(self, message: InboundMessage) -> web.StreamResponse:
        try:
            accepted = await self._accept((message,))
        except Overloaded as error:
            return self._problem(503, "busy", error.seconds)
        except StoreUnavailable:
            return self._problem(503, "busy", 5.0)
        if accepted.refused:
            return self._problem(429, "too_fast", 5.0)
        taken = {"id": message.external_id.partition(":")[2], "at": message.received_at}
        return json_answer(taken, 202)

    async def history(self, request: web.Request) -> web.StreamResponse:
        """The talk so far; with `after`, only what the bot said since that part."""
        key = self._key(request)
        if key is None:
            return self._problem(401, "no_chat")
        after = request.query.get("after")
        if after is None:
            answer = json_answer(await self._channel.history(key))
            # A page that is opened again keeps its chat for another month.
            token = request.cookies.get(COOKIE)
            return _with_cookie(request, answer, token) if token and self._tokens.chat(token) else answer
        if (last := _part_id(after)) is None:
            return self._problem(400, "unreadable")
        parts = await self._channel.after(key, last)
        lines = [part_json(part) for part in parts if part.state not in UNSEEN]
        return json_answer({"messages": lines, "last": parts[-1].id if parts else last})

    async def file(self, request: web.Request) -> web.StreamResponse:
        """The file of one part, for its chat only."""
        key = self._key(request)
        if key is None:
            return self._problem(401, "no_chat")
        part_id = _part_id(request.match_info["part_id"])
        part = await self._channel.part(key, part_id) if part_id else None
        if part is None or part.reply.attachment is None:
            return self._problem(404, "no_file")
        attachment = part.reply.attachment
        headers = {
            "Content-Type": attachment.media_type,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(attachment.name, safe='')}",
        }
        return web.Response(body=attachment.data, headers=headers)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: every part behind the last one seen, then each new one as it is sent."""
        key = self._key(request)
        if key is None:
            return self._problem(401, "no_chat")
        last = _part_id(request.headers.get("Last-Event-ID") or request.query.get("after") or "0")
        if last is None:
            return self._problem(400, "unreadable")
        stream = self._channel.streams.open(key)
        if stream is None:
            return self._problem(503, "busy", 10.0)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        try:
            await response.prepare(request)
            await tell(stream, response, self._channel.after, last=last, heartbeat=self._heartbeat)
        except (ConnectionError, TimeoutError, StoreUnavailable):
            pass  # the page reconnects and names the last part it has seen
        finally:
            self._channel.streams.leave(stream)
        return response

    def _key(self, request: web.Request) -> ChatKey | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = request.cookies.get(COOKIE, "")
        chat = self._tokens.chat(token.strip())
        return ChatKey(NAME, ACCOUNT, chat) if chat else None

    def _problem(self, status: int, code: str, wait: float | None = None) -> web.Response:
        headers = None if wait is None else {"Retry-After": str(max(1, round(wait)))}
        return problem(status, code, self._texts.get(f"web.{code}"), headers)


def chat_routes(endpoints: WebChatEndpoints, folder: Path = PAGE_FOLDER) -> tuple[Route, ...]:
    """Every endpoint of the page and the page itself."""
    known = {401: "No chat, or a token that is not ours"}

    def route(
        method: str, path: str, handler: Handler, summary: str, responses: dict[int, str], **more: Any
    ) -> Route:
        return Route(
            method, f"/api/chat/{path}", handler, summary, access=Access.PUBLIC, responses=responses, **more
        )

    return (
        *page_routes(folder),
        route(
            "POST",
            "start",
            endpoints.start,
            "Commencer une discussion",
            {
                201: "The token, in a cookie too",
                403: "Sent by another site",
                429: "Too many from this address",
            },
            intake=True,
            schema=_STARTED,
        ),
        route(
            "POST",
            "messages",
            endpoints.post,
            "Envoyer un message",
            {202: "On disk", 400: "Not a message", 403: "Sent by another site", 429: "Too fast", **known},
            intake=True,
            body=POST_SCHEMA,
            schema=_TAKEN,
        ),
        route(
            "GET",
            "history",
            endpoints.history,
            "Relire la discussion",
            {200: "Oldest first", 400: "Not a part number", **known},
            parameters=(_SUMMARY_AFTER,),
            schema=_LINES,
        ),
        route(
            "GET",
            "events",
            endpoints.events,
            "Écouter les réponses",
            {
                200: "Events: message (its id is the part's), typing, ping",
                400: "Not a part number",
                503: "Full",
                **known,
            },
            parameters=(_SUMMARY_AFTER,),
            streams=True,
            media_type="text/event-stream",
        ),
        route(
            "GET",
            "files/{part_id}",
            endpoints.file,
            "Télécharger un fichier",
            {200: "The file", 404: "No such file in this chat", **known},
            parameters=(
                {
                    "name": "part_id",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "integer", "minimum": 1},
                },
            ),
            media_type="application/octet-stream",
        ),
    )


def _with_cookie(request: web.Request, answer: web.Response, token: str) -> web.Response:
    answer.set_cookie(
        COOKIE,
        token,
        path=COOKIE_PATH,
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="Strict",
        secure=request.secure or request.headers.get("X-Forwarded-Proto") == "https",
    )
    return answer


def _from_elsewhere(request: web.Request) -> bool:
    """Whether a browser says that another site makes it send this."""
    return request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none")


def _part_id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None
