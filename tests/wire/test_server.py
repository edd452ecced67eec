"""The HTTP server against real clients: who gets in, what is refused, who is cut, what is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.http_access import SECURITY_HEADERS
from bot.probes import Check
from bot.server import Limits, Providers, Server
from channels.routing import Access, Route, json_answer
from config.settings import Settings
from domain.errors import BadSettings
from tests.wire.web_house import OPERATOR, settings_of_a_test, until


async def _figures() -> dict[str, object]:
    return {"active_sessions": 1}


async def _metrics() -> bytes:
    return b"bot_turns_total 1.0\n"


PROVIDERS = Providers(sessions=_figures, performance=_figures, metrics=_metrics)
FIGURE_PATHS = ("/sessions", "/performance", "/metrics", "/openapi.json")


async def _length(request: web.Request) -> web.Response:
    return json_answer({"bytes": len(await request.read())})


async def _broken(request: web.Request) -> web.Response:
    raise RuntimeError("secret detail")


async def _never(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


ROUTES = (
    Route("POST", "/take", _length, "Takes", access=Access.SIGNED, intake=True, body_limit=1000),
    Route("GET", "/broken", _broken, "Breaks", access=Access.PUBLIC),
    Route("GET", "/never", _never, "Hangs", access=Access.PUBLIC),
)


@asynccontextmanager
async def serving(
    *, token: str | None = None, limits: Limits | None = None, checks: dict[str, Check] | None = None
) -> AsyncIterator[tuple[Server, str]]:
    settings = settings_of_a_test(http_token=SecretStr(token) if token else None)
    server = Server(settings, ROUTES, providers=PROVIDERS, limits=limits, checks=checks)
    host, port = await server.start()
    try:
        yield server, f"http://{host}:{port}"
    finally:
        await server.stop()


async def ask(url: str, method: str = "GET", **more: object) -> tuple[int, str, aiohttp.ClientResponse]:
    async with aiohttp.ClientSession() as client, client.request(method, url, **more) as answer:  # type: ignore[arg-type]
        return answer.status, await answer.text(), answer


async def talk(url: str, *pieces: bytes, pause: float = 0.0, patience: float = 5.0) -> bytes:
    """Send bytes as they are, and read until the server closes or nothing comes for a while."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    heard = b""
    try:
        async with asyncio.timeout(patience):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            while chunk := await reader.read(65536):
                heard += chunk
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return heard


async def test_operators_need_the_token() -> None:
    wrong: Sequence[dict[str, str]] = (
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {OPERATOR[:-1]}"},
        {"Authorization": f"Bearer {OPERATOR}x"},
        {"Authorization": f"Bearer {OPERATOR.upper()}"},
        {"Authorization": f"Basic {OPERATOR}"},
        {"Authorization": OPERATOR},
        {"X-Token": OPERATOR},
        {"Cookie": f"token={OPERATOR}"},
    )
    async with serving(token=OPERATOR) as (server, url):
        guarded = [route for route in server.routes if route.access is Access.OPERATOR]
        assert {route.path for route in guarded} == set(FIGURE_PATHS)
        for route in guarded:
            for headers in wrong:
                status, text, answer = await ask(url + route.path, route.method, headers=headers)
                assert status == 401, (route.path, headers)
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                assert "active_sessions" not in text
            status, _, _ = await ask(
                f"{url}{route.path}?token={OPERATOR}", route.method, headers={"Host": "127.0.0.1"}
            )
            assert status == 401
            right = {"Authorization": f"bearer {OPERATOR}"}
            assert (await ask(url + route.path, headers=right))[0] == 200


async def test_without_a_token_only_this_machine_gets_in() -> None:
    async with serving() as (_, url):
        for path in FIGURE_PATHS:
            assert (await ask(url + path))[0] == 200
            assert (await ask(url + path, headers={"Host": "localhost:1234"}))[0] == 200
            for headers in (
                {"Host": "evil.example"},
                {"Host": "127.0.0.1.evil.example"},
                {"Host": ""},
                {"X-Forwarded-For": "127.0.0.1"},
                {"Forwarded": "for=127.0.0.1"},
                {"X-Real-IP": "127.0.0.1"},
                {"Via": "1.1 proxy"},
            ):
                assert (await ask(url + path, headers=headers))[0] == 401, headers


def test_listening_elsewhere_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_HOST", "0.0.0.0")
    monkeypatch.delenv("HTTP_TOKEN", raising=False)
    with pytest.raises(BadSettings, match="HTTP_TOKEN"):
        Settings.load(None)


async def test_every_answer_is_hardened() -> None:
    async with serving(token=OPERATOR) as (_, url):
        for method, path, status in (
            ("GET", "/healthz", 200),
            ("GET", "/sessions", 401),
            ("GET", "/nothing", 404),
            ("DELETE", "/take", 405),
            ("GET", "/broken", 500),
        ):
            found, text, answer = await ask(url + path, method)
            assert found == status
            for name, value in SECURITY_HEADERS.items():
                assert answer.headers[name] == value
            assert answer.headers["Server"] == "bot"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "secret detail" not in text
            assert "Traceback" not in text
        assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]


async def test_a_wrong_method_says_which_is_right() -> None:
    async with serving() as (_, url):
        assert (await ask(url + "/take", "PUT"))[2].headers["Allow"] == "POST"


async def test_too_large_a_body_is_refused() -> None:
    async with serving() as (_, url):
        assert (await ask(url + "/take", "POST", data=b"x" * 1000))[1] == '{"bytes":1000}'
        assert (await ask(url + "/take", "POST", data=b"x" * 1001))[0] == 413
        head = b"POST /take HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        heard = await talk(url, head, b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n")
        assert heard.startswith(b"HTTP/1.1 413")
        heard = await talk(url, b"POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n")
        assert heard.startswith(b"HTTP/1.1 413")


async def test_a_body_that_never_ends_is_refused() -> None:
    async with serving(limits=Limits(body_seconds=0.2, idle_seconds=0.5)) as (_, url):
        heard = await talk(url, b"POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n", b"abc")
        assert heard.startswith(b"HTTP/1.1 408")
        assert b"too_slow" in heard


async def test_who_dawdles_is_cut() -> None:
    async with serving(limits=Limits(head_seconds=0.3, idle_seconds=60)) as (server, url):
        assert await talk(url, b"GET /healthz HTTP/1.1\r\nHo") == b""
        dripping = (b"GET /healthz HTTP/1.1\r\n", *(b"X-A: 1\r\n" for _ in range(20)))
        assert await talk(url, *dripping, pause=0.1) == b""
        second = (b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHo")
        assert (await talk(url, *second, pause=0.1)).count(b"HTTP/1.1 200") == 1
        assert server.guard.closed_slow == 3
        assert len(server.guard) == 0


async def test_who_rests_too_long_is_closed() -> None:
    async with serving(limits=Limits(idle_seconds=0.2)) as (server, url):
        assert (await talk(url, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert len(server.guard) == 0


async def test_idle_connections_make_room() -> None:
    async with serving(limits=Limits(connections=3)) as (server, url):
        host, _, port = url.removeprefix("http://").partition(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(6)]
        assert (await ask(url + "/healthz"))[0] == 200
        assert len(server.guard) <= 3
        for _, writer in idle:
            writer.close()


async def test_when_all_are_busy_more_are_refused() -> None:
    async with serving(limits=Limits(connections=2, answer_seconds=3)) as (server, url):
        busy = [asyncio.create_task(talk(url, b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")) for _ in range(2)]
        await until(lambda: sum(c.answering for c in server.guard._connections.values()) == 2)
        assert (await talk(url)).startswith(b"HTTP/1.1 503")
        assert server.guard.refused == 1
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


async def test_an_endpoint_that_hangs_is_given_up() -> None:
    async with serving(limits=Limits(answer_seconds=0.1)) as (_, url):
        status, text, answer = await ask(url + "/never")
        assert (status, answer.headers["Retry-After"]) == (503, "5")
        assert "too_slow" in text


async def test_draining_refuses_new_work_only() -> None:
    async with serving() as (server, url):
        server.stop_intake()
        status, _, answer = await ask(url + "/take", "POST", data=b"x")
        assert (status, answer.headers["Retry-After"]) == (503, "5")
        assert (await ask(url + "/healthz"))[0] == 200
        status, text, _ = await ask(url + "/readyz")
        assert status == 503
        assert "stopping" in text


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /healthz HTTP/1.1\r\nHost: [::1\r\n\r\n",
        b"GET /sessions HTTP/1.1\r\nHost: [::1\r\n\r\n",
        b"GET /sessions HTTP/1.1\r\nHost: a:99999999\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%ff%fe%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"b" * 20000 + b"\r\n\r\n",
        b"POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /take HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"POST /take HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /take HTTP/1.1\r\nHost: a\r\nExpect: nonsense\r\nContent-Length: 1\r\n\r\na",
        b"GET /sessions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nCookie: " + b"=;" * 3000 + b"\r\n\r\n",
    ],
)
async def test_no_request_is_our_fault(request_bytes: bytes) -> None:
    async with serving(limits=Limits(head_seconds=0.4, idle_seconds=0.2, body_seconds=0.3)) as (_, url):
        heard = await talk(url, request_bytes)
        assert not heard.startswith(b"HTTP/1.1 5"), heard[:200]
        assert (await ask(url + "/healthz"))[0] == 200
