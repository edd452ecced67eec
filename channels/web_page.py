"""The chat page's three files, read once, sent compressed and cached by content."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from channels.routing import Access, Handler, Route
from domain.errors import BadSettings

ASSETS = {"chat.css": "text/css", "chat.js": "text/javascript"}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file, plain and compressed. `tag` names its content."""

    media_type: str
    plain: bytes
    packed: bytes
    tag: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> PageFile:
        """Compress and tag."""
        tag = hashlib.sha256(content).hexdigest()[:16]
        return cls(media_type, content, gzip.compress(content, 9, mtime=0), tag)

    def answer(self, request: web.Request, cache: str) -> web.Response:
        """The file, or 304 when the browser has it."""
        quoted = f'"{self.tag}"'
        headers = {"Cache-Control": cache, "ETag": quoted, "Vary": "Accept-Encoding"}
        if quoted in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        body = self.plain
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body = self.packed
            headers["Content-Encoding"] = "gzip"
        headers["Content-Type"] = f"{self.media_type}; charset=utf-8"
        return web.Response(body=body, headers=headers)


def page_routes(folder: Path) -> tuple[Route, ...]:
    """`/` and its files. Raises BadSettings when the folder is not whole."""
    try:
        assets = {name: PageFile.of((folder / name).read_bytes(), kind) for name, kind in ASSETS.items()}
        html = (folder / "index.html").read_text(encoding="utf-8")
    except OSError as error:
        raise BadSettings(f"la page de discussion est incomplète : {error}") from None
    for name, asset in assets.items():
        html = html.replace(f"/chat/{name}", f"/chat/{name}?v={asset.tag}")
    page = PageFile.of(html.encode(), "text/html")
    routes = [_route("/", page, "no-cache", "La page de discussion")]
    for name, asset in assets.items():
        # The address carries the tag of the content, so that it may be kept for ever.
        routes.append(
            _route(f"/chat/{name}", asset, "public, max-age=31536000, immutable", f"{name} de la page")
        )
    return tuple(routes)


def _route(path: str, file: PageFile, cache: str, summary: str) -> Route:
    return Route(
        "GET",
        path,
        _sender(file, cache),
        summary,
        access=Access.PUBLIC,
        responses={200: "The file", 304: "Unchanged"},
        media_type=file.media_type,
    )


def _sender(file: PageFile, cache: str) -> Handler:
    async def send(request: web.Request) -> web.Response:
        return file.answer(request, cache)

    return send
