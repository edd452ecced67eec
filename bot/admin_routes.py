"""The admin page's table of endpoints, and its files."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.admin_http import HOURS, MAX_MINUTES, AdminEndpoints, Desk
from bot.admin_login import FROM_PAGE, AdminLogin
from bot.http_access import OperatorAccess
from channels.routing import Access, Handler, Route, problem
from channels.web_page import PageFile
from config.settings import ROOT
from config.texts import Texts
from domain.errors import BadInput, BadSettings, StoreUnavailable

PAGE_FOLDER = ROOT / "web" / "admin"
API = "/admin/api"
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_OBJECT = {"type": "object"}
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
_ADDITION = {
    "type": "object",
    "required": ["question", "answer"],
    "properties": {
        "question": {"type": "string", "maxLength": 300},
        "answer": {"type": "string", "maxLength": 3000},
        "ha": {"type": "string"},
        "dje": {"type": "string"},
        "en": {"type": "string"},
        "valid_to": {"type": "string", "description": "last day, AAAA-MM-JJ"},
        "question_id": {"type": "integer", "description": "the open question that this answers"},
    },
}
_MUTE = {
    "type": "object",
    "required": ["rule", "minutes"],
    "properties": {
        "rule": {"type": "string"},
        "minutes": {"type": "number", "minimum": 0, "maximum": MAX_MINUTES},
    },
}


def admin_routes(desk: Desk, operators: OperatorAccess, folder: Path = PAGE_FOLDER) -> tuple[Route, ...]:
    """Page, sign-in and endpoints. `operators` must be the server's. Raises BadSettings without the files."""
    endpoints = AdminEndpoints(desk)
    get = functools.partial(_route, desk.texts, "GET")
    post = functools.partial(_route, desk.texts, "POST")
    hours = {"name": "hours", "in": "query", "schema": {"type": "integer", "enum": [int(h) for h in HOURS]}}
    words = {
        "name": "text",
        "in": "query",
        "required": True,
        "schema": {"type": "string", "minLength": 2, "maxLength": 200},
    }
    chat = {"name": "ref", "in": "path", "required": True, "schema": {"type": "string"}}
    source = {
        "name": "source",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": ["inbox", "outbox"]},
    }
    return (
        *page_routes(folder),
        *AdminLogin(operators, desk.texts).routes(),
        get("live", endpoints.live, "Chiffres du moment"),
        get("charts", endpoints.charts, "Courbes d'un jour ou d'une semaine", parameters=(hours,)),
        get("sessions", endpoints.sessions, "Dernières sessions, sans nommer personne"),
        get("talks/{ref}", endpoints.talk, "Lire une conversation", parameters=(chat,)),
        get("search", endpoints.search, "Chercher dans les conversations", parameters=(words,)),
        get("questions", endpoints.questions, "Questions sans bonne réponse"),
        get("questions.csv", endpoints.questions_file, "Les mêmes, en tableau", media_type="text/csv"),
        post("questions/{id}/close", endpoints.close_question, "Retirer une question", parameters=(_ID,)),
        post("knowledge", endpoints.add, "Ajouter aux connaissances", body=_ADDITION, created=True),
        post("knowledge/reload", endpoints.reload, "Relire les connaissances"),
        post("mutes", endpoints.mute, "Mettre une alerte en silence", body=_MUTE),
        get("letters", endpoints.letters, "Messages mis de côté"),
        post(
            "letters/{source}/{id}/replay", endpoints.replay, "Rejouer un message", parameters=(source, _ID)
        ),
    )


def page_routes(folder: Path) -> tuple[Route, ...]:
    """`/admin` and its files, vendored ones included."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in _KINDS)
    if folder / "index.html" not in files:
        raise BadSettings(f"la page d'administration est incomplète : {folder / 'index.html'} manque")
    routes: list[Route] = []
    for path in files:
        name = path.relative_to(folder).as_posix()
        file = PageFile.of(path.read_bytes(), _KINDS[path.suffix])
        paths = ("/admin", "/admin/") if name == "index.html" else (f"/admin/{name}",)
        routes += [_file_route(address, file) for address in paths]
    return tuple(routes)


def _file_route(path: str, file: PageFile) -> Route:
    async def send(request: web.Request) -> web.Response:
        # Modules name each other without a version: the browser asks each time, and mostly hears 304.
        return file.answer(request, "no-cache")

    return Route(
        "GET",
        path,
        send,
        "La page d'administration"
        if file.media_type == "text/html"
        else f"{path.rpartition('/')[2]} de la page",
        access=Access.PUBLIC,
        responses={200: "The file", 304: "Unchanged"},
        media_type=file.media_type,
    )


def _route(
    texts: Texts,
    method: str,
    path: str,
    handler: Handler,
    summary: str,
    *,
    parameters: tuple[Mapping[str, Any], ...] = (),
    body: Mapping[str, Any] | None = None,
    created: bool = False,
    media_type: str = "application/json",
) -> Route:
    responses = {201 if created else 200: "Done", 400: "Not possible, and why", 503: "The database is busy"}
    return Route(
        method,
        f"{API}/{path}",
        _answering(texts, handler),
        summary,
        parameters=(*parameters, FROM_PAGE) if method == "POST" else parameters,
        body=body,
        responses=responses,
        media_type=media_type,
        schema=_OBJECT if media_type == "application/json" else None,
    )


def _answering(texts: Texts, handler: Handler) -> Handler:
    """Turn our errors into refusals with one sentence."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadInput as error:
            code = str(error)
            text = texts.get("admin_page.unreadable") if code == "unreadable" else code
            return problem(400, "bad_input", text)
        except StoreUnavailable:
            return problem(503, "busy", texts.get("admin_page.busy"), {"Retry-After": "5"})

    return answer
