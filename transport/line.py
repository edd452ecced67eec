"""The short way to one server: aiohttp's connections and parser, without the rest of its client.

`ClientSession.post` gets ready at each call for redirects, cookies, proxies, uploads and traces, and writes
the body in a task of its own. Of its 0.11 ms of CPU this leaves 0.05. Pool, TLS, time limits and errors are
the session's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http import SERVER_SOFTWARE, HttpProcessingError
from yarl import URL

from transport.deadlines import Deadlines

MOST = 64 * 1024 * 1024  # bytes of an answer; no server of ours has more to say
_HEADERS = (
    f"Accept-Encoding: gzip, deflate\r\nContent-Type: application/json\r\nUser-Agent: {SERVER_SOFTWARE}"
)


class Line:
    """POSTs JSON to one server through the pool of `session`, which stays the caller's to close.

    `headers` go with every call; an answer may have `most` bytes. Raises ValueError for a header that is
    more than one line of ASCII.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        most: int = MOST,
    ) -> None:
        self._session = session
        self._server = URL(base_url)
        own = "".join(f"\r\n{name}: {_one_line(value)}" for name, value in headers.items())
        self._headers = f"Host: {self._server.host_port_subcomponent}\r\n{_HEADERS}{own}"
        self._most = most
        self._deadlines = Deadlines()

    async def post(
        self, url: str, body: bytes, limits: aiohttp.ClientTimeout
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers of the answer.

        Raises what `ClientSession.post` does: ClientError, OSError or TimeoutError, and when there was no
        connection in time ConnectionTimeoutError.
        """
        path = URL(url).raw_path_qs
        head = f"POST {path} HTTP/1.1\r\n{self._headers}\r\nContent-Length: {len(body)}\r\n\r\n"
        with self._deadlines.within(limits.total):
            connection = await self._connect(limits)
            try:
                answer = await _exchange(connection, head.encode("ascii") + body, limits, self._most)
            except BaseException:
                connection.close()  # nobody knows what is still on its way there
                raise
            connection.release()
            return answer

    @cached_property
    def _destination(self) -> _Destination:
        return _Destination("POST", self._server, loop=asyncio.get_running_loop(), session=self._session)

    async def _connect(self, limits: aiohttp.ClientTimeout) -> Connection:
        connector = self._session.connector
        if connector is None:
            raise aiohttp.ClientConnectionError("the session is closed")
        try:
            return await connector.connect(self._destination, [], limits)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("no connection in time") from error


class _Destination(aiohttp.ClientRequest):
    """Names the server to the pool, by a key made once and not for each call; never sent itself."""

    @cached_property
    def connection_key(self) -> ConnectionKey:
        return super().connection_key


def harmless(error: Exception) -> str:
    """What went wrong on the wire, without address and headers: either may hold a secret."""
    reason = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else ""
    return f"{type(error).__name__} {reason}".strip()


async def _exchange(
    connection: Connection, request: bytes, limits: aiohttp.ClientTimeout, most: int
) -> tuple[int, bytes, Mapping[str, str]]:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(read_until_eof=True, read_timeout=limits.sock_read)
    transport.write(request)
    protocol.start_timeout()
    try:
        message, content = await protocol.read()
        while message.code < 200:  # "go on", "early hints": the answer itself follows
            message, content = await protocol.read()
    except HttpProcessingError as error:
        raise aiohttp.ClientPayloadError(f"no HTTP: {error.code}") from error
    answer = await _bounded(content, most)
    if transport.get_write_buffer_size():  # refused halfway: the rest of it must not precede another request
        connection.close()
    return message.code, answer, message.headers


async def _bounded(content: aiohttp.StreamReader, most: int) -> bytes:
    chunks, size = [], 0
    while not content.at_eof():
        chunk = await content.readany()
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            raise aiohttp.ClientPayloadError("the answer is too large")
    return b"".join(chunks)


def _one_line(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("a header must be one line of ASCII")
    return value
