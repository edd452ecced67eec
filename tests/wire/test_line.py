"""The short way over HTTP, against servers that say whatever they like."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes.channels import until
from transport.line import MOST, Line

BODY = b'{"text":"Bonjour"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(slots=True)
class Server:
    """Answers each request with the next script, and hangs up after one that ends there."""

    scripts: list[bytes]
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    impatient: bool = False  # answers before it has read the body
    over: asyncio.Event = field(default_factory=asyncio.Event)
    talks: list[asyncio.Task[None] | None] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.talks.append(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                length = int(request.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                if not self.impatient:
                    request += await reader.readexactly(length)
                self.requests.append(request)
                script = self.scripts.pop(0)
                writer.write(script)
                await writer.drain()
                if not script or b"close" in script.lower() or not script.startswith(b"HTTP/1.1"):
                    break
                if self.impatient:
                    await self.over.wait()
                    await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def line_to(
    *scripts: bytes,
    impatient: bool = False,
    limit: int = 10,
    headers: Mapping[str, str] = MappingProxyType({}),
    most: int = MOST,
) -> AsyncIterator[tuple[Server, Line, str]]:
    server = Server(list(scripts), impatient=impatient)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    base = f"http://127.0.0.1:{server.port}"
    connector = aiohttp.TCPConnector(limit=limit)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield server, Line(session, base, headers=headers, most=most), base
    listening.close()
    server.over.set()
    await asyncio.gather(*filter(None, server.talks))


def limits(total: float = 5.0) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, connect=total / 2, sock_connect=total / 2)


async def test_one_connection_serves_many_calls() -> None:
    async with line_to(OK, OK, OK) as (server, line, base):
        for _ in range(3):
            status, body, _ = await line.post(f"{base}/bot1:a b/sendMessage?x=é", BODY, limits())
            assert (status, body) == (200, b"ok")
        assert server.connections == 1
        head, _, sent = server.requests[0].partition(b"\r\n\r\n")
        assert sent == BODY
        assert head.split(b"\r\n")[0] == b"POST /bot1:a%20b/sendMessage?x=%C3%A9 HTTP/1.1"
        assert f"Host: 127.0.0.1:{server.port}".encode() in head


ANSWERS = {
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
    "after a hint": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK,
    "after go on": b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    "until it closes": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
    "of old": b"HTTP/1.0 200 OK\r\n\r\nok",
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_is_read_whole(name: str) -> None:
    async with line_to(ANSWERS[name], OK) as (_, line, base):
        for _ in range(2):
            status, body, _ = await line.post(base, BODY, limits())
            assert (status, body) == (200, b"ok")


async def test_a_redirect_is_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with line_to(moved) as (server, line, base):
        status, _, headers = await line.post(base, BODY, limits())
        assert (status, headers["location"]) == (302, "/elsewhere")
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "script",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 20\r\n\r\nhalf",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ],
    ids=["hangs up", "half", "no HTTP"],
)
async def test_a_torn_answer_is_an_error_and_ends_its_connection(script: bytes) -> None:
    async with line_to(script, OK) as (server, line, base):
        with pytest.raises(aiohttp.ClientError):
            await line.post(base, BODY, limits())
        assert (await line.post(base, BODY, limits()))[1] == b"ok"
        assert server.connections == 2


BEGUN = [b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nla"]


@pytest.mark.parametrize("begun", BEGUN, ids=["head", "body"])
async def test_a_late_answer_is_never_taken_for_the_next_one(begun: bytes) -> None:
    async with line_to(begun, OK) as (server, line, base):
        with pytest.raises(TimeoutError):
            await line.post(base, BODY, limits(0.1))
        assert (await line.post(base, BODY, limits()))[1] == b"ok"
        assert server.connections == 2


@pytest.mark.parametrize("begun", BEGUN, ids=["head", "body"])
async def test_a_server_that_falls_silent(begun: bytes) -> None:
    async with line_to(begun, OK) as (_, line, base):
        with pytest.raises(TimeoutError):
            await line.post(base, BODY, aiohttp.ClientTimeout(total=60, sock_read=0.1))
        assert (await line.post(base, BODY, limits()))[1] == b"ok"


@pytest.mark.parametrize("begun", BEGUN, ids=["head", "body"])
async def test_a_call_cut_off_ends_its_connection(begun: bytes) -> None:
    async with line_to(begun, OK) as (server, line, base):
        cut = asyncio.create_task(line.post(base, BODY, limits()))
        await until(lambda: bool(server.requests))
        cut.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cut
        assert (await line.post(base, BODY, limits()))[1] == b"ok"
        assert server.connections == 2


async def test_an_answer_before_the_body_is_read_costs_the_connection() -> None:
    large = b"x" * (16 * 1024 * 1024)
    async with line_to(OK, OK, impatient=True) as (server, line, base):
        assert (await line.post(base, large, limits()))[1] == b"ok"
        assert (await line.post(base, BODY, limits()))[1] == b"ok"
        assert server.connections == 2


async def test_no_connection_in_time() -> None:
    hanging = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
    async with line_to(hanging, limit=1) as (server, line, base):
        first = asyncio.create_task(line.post(base, BODY, limits()))
        await until(lambda: bool(server.requests))
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await line.post(base, BODY, limits(0.1))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert len(server.requests) == 1


async def test_a_session_that_is_closed_sends_nothing() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(aiohttp.ClientError):
        await Line(session, "http://127.0.0.1:9").post("http://127.0.0.1:9/", BODY, limits())


async def test_cookies_are_not_kept() -> None:
    answers: Sequence[bytes] = [OK.replace(b"\r\nContent", b"\r\nSet-Cookie: a=b\r\nContent"), OK]
    async with line_to(*answers) as (server, line, base):
        for _ in range(2):
            await line.post(base, BODY, limits())
        assert b"cookie" not in server.requests[1].lower()


async def test_headers_are_sent_and_never_hold_a_second_line() -> None:
    async with line_to(OK, headers={"Authorization": "Bearer x"}) as (server, line, base):
        await line.post(base, BODY, limits())
        assert b"\r\nAuthorization: Bearer x\r\n" in server.requests[0]
    async with aiohttp.ClientSession() as session:
        for value in ("x\r\nHost: y", "x\ny", "clé"):
            with pytest.raises(ValueError, match="header"):
                Line(session, "http://127.0.0.1:9", headers={"Authorization": value})


@pytest.mark.parametrize("script", [OK, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"])
async def test_an_answer_is_bounded(script: bytes) -> None:
    async with line_to(script, most=1) as (_, line, base):
        with pytest.raises(aiohttp.ClientPayloadError):
            await line.post(base, BODY, limits())
    async with line_to(script, most=2) as (_, line, base):
        assert (await line.post(base, BODY, limits()))[1] == b"ok"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of "localhost", signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_is_verified_as_by_the_session(certificate: Path, trusted: bool) -> None:
    server = Server([OK, OK])
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificate)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=own)
    base = f"https://localhost:{listening.sockets[0].getsockname()[1]}"
    theirs = ssl.create_default_context(cafile=str(certificate) if trusted else None)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=theirs)) as session:
        line = Line(session, base)
        if trusted:
            for _ in range(2):
                assert (await line.post(f"{base}/x", BODY, limits()))[:2] == (200, b"ok")
            assert server.connections == 1
        else:
            with pytest.raises(aiohttp.ClientConnectorError):  # thus surely not sent
                await line.post(f"{base}/x", BODY, limits())
            assert not server.requests
    listening.close()
    await asyncio.gather(*filter(None, server.talks))
