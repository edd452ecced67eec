"""Calls to Meta's Graph API for one phone number, on an injected aiohttp session.

The access token lives in `GraphEndpoint` only and travels in a header, so no address, log line or error of
ours holds it. What fails on the wire is told apart by whether Meta may have seen the request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
from pydantic import SecretStr

from config.settings import LOOPBACK
from domain.errors import BadSettings, NotSent, SendInDoubt
from transport.line import Line, harmless

CONNECT_SECONDS = 5.0
ANSWER_BYTES = 1024 * 1024
_NOT_SENT = (
    aiohttp.ClientConnectorError,  # DNS, refused, unreachable, TLS
    aiohttp.ConnectionTimeoutError,  # connecting, or waiting for a free connection
    aiohttp.ClientHttpProxyError,  # the proxy would not let us through
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


@dataclass(frozen=True, slots=True)
class GraphEndpoint:
    """Where one phone number's API is. Raises BadSettings when a part of it cannot work."""

    base_url: str
    token: SecretStr
    phone_number_id: str

    def __post_init__(self) -> None:
        token = self.token.get_secret_value()
        if not (token and token.isascii() and token.isprintable() and " " not in token):
            raise BadSettings("WHATSAPP_ACCESS_TOKEN : un seul mot sans accent, tel que Meta le montre")
        if not (self.phone_number_id.isascii() and self.phone_number_id.isalnum()):
            raise BadSettings("WHATSAPP_PHONE_NUMBER_ID : chiffres seulement (l'identifiant, pas le numéro)")
        parts = urlsplit(self.base_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and self.is_local):
            raise BadSettings("WHATSAPP_GRAPH_BASE_URL : doit commencer par https://")

    @property
    def host(self) -> str:
        """The host the API is asked on."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether the API is a stand-in on this machine, which has no TLS."""
        return self.host in LOOPBACK

    def url(self, *parts: str) -> str:
        """Address of an object or edge."""
        return "/".join([self.base_url.rstrip("/"), *parts])

    @property
    def headers(self) -> Mapping[str, str]:
        """What proves who we are. Holds the token: never log it, never send it to another host."""
        return {"Authorization": f"Bearer {self.token.get_secret_value()}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the platform; `body` is None when it is no JSON."""

    status: int
    body: object
    retry_after: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the platform said yes."""
        return 200 <= self.status < 300


class Graph:
    """The calls. The session stays the caller's to close."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: GraphEndpoint) -> None:
        self.session = session
        self.endpoint = endpoint
        self._line = Line(session, endpoint.base_url, headers=endpoint.headers, most=ANSWER_BYTES)

    async def post(self, edge: str, body: Mapping[str, Any] | aiohttp.FormData, *, seconds: float) -> Answer:
        """POST to an edge of our number. Raises NotSent, or SendInDoubt when Meta may have taken it."""
        url = self.endpoint.url(self.endpoint.phone_number_id, edge)
        try:
            if isinstance(body, aiohttp.FormData):
                return await self._upload(url, body, seconds)
            status, answer, headers = await self._line.post(url, orjson.dumps(body), timeouts(seconds))
            return Answer(status, _decoded(answer), headers.get("Retry-After"))
        except _NOT_SENT as error:
            raise NotSent(harmless(error)) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise SendInDoubt(harmless(error), seconds=0.0) from error

    async def _upload(self, url: str, body: aiohttp.FormData, seconds: float) -> Answer:
        async with self.session.post(
            url, data=body, headers=self.endpoint.headers, timeout=timeouts(seconds), allow_redirects=False
        ) as response:
            return await _answer(response)

    async def get(self, *parts: str, seconds: float, fields: str = "") -> Answer:
        """GET an object. Raises NotSent whatever went wrong on the way: reading again changes nothing."""
        params = {"fields": fields} if fields else None
        try:
            async with self.session.get(
                self.endpoint.url(*parts),
                params=params,
                headers=self.endpoint.headers,
                timeout=timeouts(seconds),
                allow_redirects=False,
            ) as response:
                return await _answer(response)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotSent(harmless(error)) from error


@lru_cache  # asked at each call for one of a few
def timeouts(total: float) -> aiohttp.ClientTimeout:
    """At most `total` seconds in all, of which connecting may take five."""
    connect = min(CONNECT_SECONDS, total)
    return aiohttp.ClientTimeout(total=total, connect=connect, sock_connect=connect)


async def read_bounded(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """The whole body, or None when it is larger than `limit`."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    body = await read_bounded(response, ANSWER_BYTES)
    return Answer(response.status, _decoded(body or b""), response.headers.get("Retry-After"))


def _decoded(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            decoded: object = json.loads(body)  # more patient with lone surrogates and huge integers
        except (ValueError, RecursionError):
            return None
        return decoded
