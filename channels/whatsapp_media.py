"""Fetches the media of a message from Meta's own hosts only, bounded in size and checked by its digest.

Every request carries the access token, so the host is checked before anything is sent. A subscriber chooses
neither address nor host: the id comes from a signed webhook, the address from the Graph API.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from channels.whatsapp_clean import integer_of, mapping_of, text_of
from channels.whatsapp_errors import GraphError, raised
from channels.whatsapp_graph import Graph, read_bounded, timeouts
from domain.errors import BadInput, NotSent
from domain.messages import InboundMessage
from transport.line import harmless

MAX_BYTES = 2 * 1024 * 1024
FETCH_SECONDS = 15.0
TRIES = 2  # Meta blocks the endpoint for 30 minutes after 20 failures
_REDIRECTS = 2
_MEDIA_ID = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)

logger = logging.getLogger(__name__)


class WhatsAppMedia:
    """Media of one phone number. `hosts` are exact names, or domains written with a leading dot."""

    def __init__(self, graph: Graph, *, hosts: Sequence[str], max_bytes: int = MAX_BYTES) -> None:
        self._graph = graph
        self._hosts = tuple(host.lower() for host in hosts)
        self._max_bytes = max_bytes

    async def fetch(self, message: InboundMessage) -> bytes:
        """The bytes of the message's media.

        Raises BadInput when they cannot be used (too large, damaged, from elsewhere, gone) and NotSent when
        they could not be reached now.
        """
        media_id = str(message.payload.get("media_id") or "")
        if not _MEDIA_ID.fullmatch(media_id):
            raise BadInput("a message without media")
        for _ in range(TRIES):
            told = await self._look_up(media_id)
            data = await self._download(text_of(told.get("url"), 4096))
            if data is not None:
                return _checked(data, message.payload.get("sha256"), told.get("sha256"))
        raise BadInput("the media is gone")

    def allows(self, url: str) -> bool:
        """Whether the token may travel to this address."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return False
        if parts.username is not None or not host:
            return False
        endpoint = self._graph.endpoint
        if endpoint.is_local and host == endpoint.host:
            return parts.scheme in {"http", "https"}
        known = any(host == name or (name.startswith(".") and host.endswith(name)) for name in self._hosts)
        return parts.scheme == "https" and port in {None, 443} and (known or host == endpoint.host)

    async def _look_up(self, media_id: str) -> Mapping[str, Any]:
        answer = await self._graph.get(media_id, seconds=FETCH_SECONDS)
        if not answer.ok:
            error = GraphError.read(answer.status, answer.body, answer.retry_after)
            if answer.status in {400, 404}:  # unknown or older than seven days
                raise BadInput(f"the media cannot be looked up: {error}")
            raise raised(error, wait=1.0, plain=True)
        told = mapping_of(answer.body)
        if (integer_of(told.get("file_size")) or 0) > self._max_bytes:
            raise BadInput("the media is too large")
        return told

    async def _download(self, url: str) -> bytes | None:
        """The bytes, or None when the address has expired."""
        for _ in range(_REDIRECTS + 1):
            if not self.allows(url):
                raise BadInput("media from another host is not fetched")
            try:
                async with self._graph.session.get(
                    url,
                    headers=self._graph.endpoint.headers,
                    timeout=timeouts(FETCH_SECONDS),
                    allow_redirects=False,
                ) as response:
                    if response.status not in {301, 302, 303, 307, 308}:
                        return await self._body(response)
                    url = urljoin(url, response.headers.get("Location", ""))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise NotSent(harmless(error)) from error
        raise BadInput("the media is passed on too often")

    async def _body(self, response: aiohttp.ClientResponse) -> bytes | None:
        if response.status in {404, 410}:
            return None
        if response.status != 200:
            raise NotSent(f"media: HTTP {response.status}")
        if (response.content_length or 0) > self._max_bytes:
            raise BadInput("the media is too large")
        data = await read_bounded(response, self._max_bytes)
        if data is None:
            raise BadInput("the media is too large")
        return data


def _checked(data: bytes, *announced: object) -> bytes:
    """The data when its digest is the first one announced: that of the signed webhook, else the API's."""
    digests = [digest for digest in map(_digest, announced) if digest]
    if digests and digests[0] != hashlib.sha256(data).digest():
        raise BadInput("the media is damaged")
    return data


def _digest(text: object) -> bytes:
    """A digest as bytes, empty when it is none: webhooks write base64, the Graph API hexadecimal."""
    if not isinstance(text, str):
        return b""
    try:
        digest = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""
    return digest if len(digest) == 32 else b""
