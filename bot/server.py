"""The one HTTP server: routes every room's endpoints, guarded, limited and documented."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot import __version__
from bot.http_access import OperatorAccess, add_security_headers
from bot.http_guard import ConnectionGuard
from bot.openapi import describe
from bot.probes import Check, probe_routes
from channels.routing import SMALL_BODY, Access, Handler, Route, json_answer, problem
from config.settings import Settings
from domain.errors import BadSettings

logger = logging.getLogger(__name__)

Figures = Callable[[], Awaitable[Mapping[str, object]]]

REFUSED = "Jeton d'accès absent ou faux."
STOPPING = "Le service redémarre. Réessayez dans un instant."
NOT_FOUND = "Cette adresse n'existe pas."
TOO_LARGE = "Le message est trop volumineux."
TROUBLE = "Une erreur est survenue. Réessayez dans un instant."


@dataclass(frozen=True, slots=True)
class Providers:
    """Where operators' figures come from; None leaves the endpoint out."""

    sessions: Figures | None = None
    performance: Figures | None = None
    metrics: Callable[[], Awaitable[bytes]] | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take of us; times in seconds."""

    connections: int = 4096
    head_seconds: float = 10.0
    body_seconds: float = 10.0
    idle_seconds: float = 30.0
    answer_seconds: float = 30.0


class Server:
    """Starts, drains and stops the HTTP side of the bot.

    `operators` is given when the admin page's sign-in shares it; else it is made from the settings. `checks`
    answer "" when their part works, else the reason; the one named "store" decides `/healthz`.
    """

    def __init__(
        self,
        settings: Settings,
        routes: Sequence[Route],
        *,
        providers: Providers | None = None,
        checks: Mapping[str, Check] | None = None,
        limits: Limits | None = None,
        operators: OperatorAccess | None = None,
        on_stop: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._host = settings.http_host
        self._port = settings.http_port
        token = settings.http_token.get_secret_value() if settings.http_token else None
        self._operators = operators or OperatorAccess(token)
        self._limits = limits or Limits()
        self._on_stop = tuple(on_stop)
        self._draining = False
        self._runner: web.AppRunner | None = None
        self._socket_server: asyncio.Server | None = None
        self.guard = ConnectionGuard(
            limit=self._limits.connections,
            head_seconds=self._limits.head_seconds,
            idle_seconds=self._limits.idle_seconds,
        )
        probes = probe_routes(checks or {}, lambda: self._draining)
        self.routes = (*routes, *probes, *_figure_routes(providers or Providers()))
        self.routes = (*self.routes, self._openapi_route())

    @property
    def draining(self) -> bool:
        """Whether new work is refused because the bot is stopping."""
        return self._draining

    async def start(self) -> tuple[str, int]:
        """Listen; returns the bound host and port. Raises BadSettings when the port cannot be had."""
        app = web.Application(middlewares=[self._middleware()], client_max_size=SMALL_BODY)
        for route in self.routes:
            app.router.add_route(route.method, route.path, self._guarded(route))
        app.on_response_prepare.append(add_security_headers)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=self._limits.idle_seconds,
            lingering_time=2.0,
            shutdown_timeout=2.0,
        )
        await self._runner.setup()
        try:
            self._socket_server = await self._listen(self._runner)
        except OSError as error:
            await self._runner.cleanup()
            raise BadSettings(_no_port(self._host, self._port, error)) from None
        self.guard.start()
        host, port = self._socket_server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    def stop_intake(self) -> None:
        """From now on webhooks and chat posts answer 503 with Retry-After; everything else goes on."""
        self._draining = True

    async def stop(self) -> None:
        """Close open streams, let running answers end (2 s), close every connection."""
        self._draining = True
        for close in self._on_stop:
            close()
        if self._socket_server is not None:
            self._socket_server.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.guard.stop()
        self._socket_server = self._runner = None

    async def _listen(self, runner: web.AppRunner) -> asyncio.Server:
        factory = cast(web.Server, runner.server)  # set up by now
        return await asyncio.get_running_loop().create_server(
            lambda: self.guard.protocol(factory),
            self._host,
            self._port,
            family=socket.AF_UNSPEC,
            backlog=1024,
        )

    def _guarded(self, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if route.access is Access.OPERATOR and not self._operators.allows(request):
                return problem(401, "unauthorized", REFUSED, {"WWW-Authenticate": "Bearer"})
            if route.intake and self._draining:
                return problem(503, "stopping", STOPPING, {"Retry-After": "5"})
            if route.streams:
                return await route.handler(request)
            if request.can_read_body:
                request = request.clone(client_max_size=route.body_limit)
                if refused := await self._read_body(request, route.body_limit):
                    return refused
            async with asyncio.timeout(self._limits.answer_seconds):
                return await route.handler(request)

        return handle

    async def _read_body(self, request: web.Request, limit: int) -> web.StreamResponse | None:
        """Read the whole body into the request, in bounded time and size; the refusal, if any."""
        if (request.content_length or 0) > limit:
            return _closing(problem(413, "too_large", TOO_LARGE))
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                await request.read()
        except TimeoutError:
            return _closing(problem(408, "too_slow", "Le message n'est pas arrivé à temps."))
        except web.HTTPRequestEntityTooLarge:
            return _closing(problem(413, "too_large", TOO_LARGE))
        except (web.RequestPayloadError, ValueError):
            return _closing(problem(400, "unreadable", "Le message est illisible."))
        return None

    def _middleware(self) -> Middleware:
        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            transport = request.transport
            self.guard.begin(transport)
            try:
                return await handler(request)
            except web.HTTPNotFound:
                return problem(404, "not_found", NOT_FOUND)
            except web.HTTPMethodNotAllowed as error:
                allow = {"Allow": ",".join(sorted(error.allowed_methods))}
                return problem(405, "method_not_allowed", "Cette méthode n'est pas permise ici.", allow)
            except web.HTTPException:
                raise
            except TimeoutError:
                logger.warning("answer took too long", extra={"action": "http", "path": request.path})
                return problem(503, "too_slow", TROUBLE, {"Retry-After": "5"})
            except Exception:  # a bug in one endpoint is a 500, never a dead connection
                logger.exception("endpoint failed", extra={"action": "http"})
                return problem(500, "error", TROUBLE)
            finally:
                self.guard.end(transport)

        return watch

    def _openapi_route(self) -> Route:
        async def openapi(request: web.Request) -> web.Response:
            return json_answer(describe(self.routes, __version__))

        return Route("GET", "/openapi.json", openapi, "Cette description", schema={"type": "object"})


def _figure_routes(providers: Providers) -> tuple[Route, ...]:
    routes = []
    if providers.sessions is not None:
        routes.append(_figures("/sessions", "Sessions en cours et comptées", providers.sessions))
    if providers.performance is not None:
        routes.append(_figures("/performance", "Temps de réponse, cache, modèle", providers.performance))
    if providers.metrics is not None:
        routes.append(_metrics_route(providers.metrics))
    return tuple(routes)


def _figures(path: str, summary: str, provider: Figures) -> Route:
    async def figures(request: web.Request) -> web.Response:
        return json_answer(await provider())

    return Route("GET", path, figures, summary, schema={"type": "object"})


def _metrics_route(provider: Callable[[], Awaitable[bytes]]) -> Route:
    async def metrics(request: web.Request) -> web.Response:
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=await provider(), headers=headers)

    return Route("GET", "/metrics", metrics, "Mesures pour Prometheus", media_type="text/plain")


def _closing(response: web.Response) -> web.Response:
    response.force_close()  # the rest of the body is not waited for
    return response


def _no_port(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"HTTP_PORT={port} : ce port est déjà pris par un autre programme ; "
            "arrêtez-le ou choisissez un autre HTTP_PORT"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"HTTP_PORT={port} : ce port demande des droits d'administrateur ; prenez-en un au-dessus de 1023"
        )
    return f"HTTP_HOST={host} : impossible d'écouter à cette adresse ({error.strerror or error})"
