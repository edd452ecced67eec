"""Writes one page's event stream: parts it has not seen, typing, pings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import orjson
from aiohttp import web

from channels.web import UNSEEN, part_json
from channels.web_streams import Stream
from domain.messages import ChatKey
from memory.records import OutboxPart

WRITE_SECONDS = 20.0
# The page reconnects 3 s after its stream ended; one that made room for newer tabs must not push them out.
_HELLO = b"retry: 3000\n\n"
_CROWDED = b"retry: 60000\n\n"
_TYPING = b"event: typing\ndata: {}\n\n"
# An event and not a comment: only events reach the page, which takes long silence for a dead connection.
_PING = b"event: ping\ndata: {}\n\n"

Behind = Callable[[ChatKey, int], Awaitable[Sequence[OutboxPart]]]


async def tell(
    stream: Stream, response: web.StreamResponse, behind: Behind, *, last: int, heartbeat: float
) -> None:
    """Write until the stream is closed. Raises ConnectionError or TimeoutError when nobody reads."""
    await _write(response, _HELLO)
    while not stream.closed:
        stream.event.clear()
        while parts := await behind(stream.key, last):
            last = parts[-1].id
            if told := b"".join(_event(part) for part in parts):
                await _write(response, told)
            stream.typing = False
        if stream.typing:
            stream.typing = False
            await _write(response, _TYPING)
        try:
            async with asyncio.timeout(heartbeat):
                await stream.event.wait()
        except TimeoutError:
            await _write(response, _PING)
    if stream.crowded:
        await _write(response, _CROWDED)


def _event(part: OutboxPart) -> bytes:
    if part.state in UNSEEN:
        return b""
    return b"id: %d\nevent: message\ndata: %b\n\n" % (part.id, orjson.dumps(part_json(part)))


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(data)
