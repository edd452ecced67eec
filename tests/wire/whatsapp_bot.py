"""The WhatsApp side of a bot between a fake Graph API and the real HTTP server."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from pydantic import SecretStr

from bot.server import Server
from channels.whatsapp_graph import Graph, GraphEndpoint
from channels.whatsapp_webhook import SIGNATURE, Webhook, WebhookSecrets, whatsapp_routes
from config.settings import Settings
from domain.messages import Accepted, InboundMessage
from memory.records import SendState
from monitoring.metrics import Metrics
from tests.fakes.whatsapp import TOKEN, FakeGraph
from tests.fakes.whatsapp_payloads import ACCOUNT, APP_SECRET, VERIFY_TOKEN, signature


@dataclass(slots=True)
class Desk:
    """Stands behind the webhook where no database is needed: remembers, or fails as told."""

    trouble: Exception | None = None
    status_trouble: Exception | None = None
    aside_trouble: Exception | None = None
    messages: list[InboundMessage] = field(default_factory=list)
    confirmed: list[tuple[int, SendState, str]] = field(default_factory=list)
    put_aside: list[tuple[str, bytes, str]] = field(default_factory=list)

    async def accept(self, messages: Sequence[InboundMessage]) -> Accepted:
        if self.trouble is not None:
            raise self.trouble
        known = {message.external_id for message in self.messages}
        fresh = {message.external_id: message for message in messages if message.external_id not in known}
        self.messages += fresh.values()
        return Accepted(len(fresh), len(messages) - len(fresh))

    async def confirm(self, part_id: int, state: SendState, *, platform_id: str, error: str = "") -> bool:
        if self.status_trouble is not None and part_id % 2:
            raise self.status_trouble
        self.confirmed.append((part_id, state, platform_id))
        return True

    async def set_aside(self, source: str, raw: bytes, error: str) -> None:
        if self.aside_trouble is not None:
            raise self.aside_trouble
        self.put_aside.append((source, raw, error))


@asynccontextmanager
async def serve(
    accept: Any, confirm: Any, set_aside: Any, *, stamp: str = "", metrics: Metrics | None = None
) -> AsyncIterator[tuple[str, Server]]:
    """The bot's HTTP server with the webhook; yields its address."""
    webhook = Webhook(
        ACCOUNT,
        WebhookSecrets(APP_SECRET, VERIFY_TOKEN),
        accept=accept,
        confirm=confirm,
        set_aside=set_aside,
        metrics=metrics or Metrics(),
        stamp=stamp,
    )
    server = Server(Settings(_env_file=None, http_port=0), whatsapp_routes(webhook))  # type: ignore[call-arg]
    host, port = await server.start()
    try:
        yield f"http://{host}:{port}/whatsapp", server
    finally:
        await server.stop()


@asynccontextmanager
async def graph_client(fake: FakeGraph, *, token: str = TOKEN) -> AsyncIterator[Graph]:
    """Our client of the fake Graph API."""
    async with aiohttp.ClientSession() as session:
        yield Graph(session, GraphEndpoint(fake.base_url, SecretStr(token), ACCOUNT))


def _keyed(secret: str, digest: str = "sha256") -> Callable[[bytes], str]:
    return lambda raw: f"{digest}=" + hmac.new(secret.encode(), raw, digest).hexdigest()


FORGERIES: dict[str, Callable[[bytes], str | None]] = {
    "missing": lambda _: None,
    "empty": lambda _: "",
    "truncated": lambda raw: signature(raw)[:-2],
    "longer": lambda raw: signature(raw) + "0",
    "wrong key": _keyed("another secret"),
    "no key": lambda raw: "sha256=" + hashlib.sha256(raw).hexdigest(),
    "upper case": lambda raw: "sha256=" + signature(raw)[7:].upper(),
    "upper case scheme": lambda raw: signature(raw).upper(),
    "sha1": _keyed(APP_SECRET, "sha1"),
    "without scheme": lambda raw: signature(raw)[7:],
    "not ASCII": lambda raw: "sha256=" + "é" * 64,
    "of other bytes": lambda raw: signature(raw + b" "),
    "re-serialised": lambda raw: signature(json.dumps(json.loads(raw), ensure_ascii=False).encode()),
}


class RawClient:
    """A bare HTTP client on one kept-alive connection: ten thousand requests cost little."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port

    async def __aenter__(self) -> RawClient:
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def post(self, raw: bytes, signed: str | None) -> int:
        head = f"POST /whatsapp HTTP/1.1\r\nHost: x\r\nContent-Length: {len(raw)}\r\n"
        if signed is not None:
            head += f"{SIGNATURE}: {signed}\r\n"
        self._writer.write(head.encode() + b"\r\n" + raw)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in answer.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        await self._reader.readexactly(length)
        return int(answer[9:12])
