"""Bombs and slow clients against the whole bot: refused, in bounded memory, while others are answered."""

from __future__ import annotations

import asyncio
import zlib
from pathlib import Path

import aiohttp
import psutil

from tests.acceptance.bot_process import Cold
from tests.acceptance.processes import environment, free_port
from tests.fakes.whatsapp_payloads import signature
from tests.wire.house import House, bot

MIB = 1024 * 1024
BOMB_MIB = 500
# Measured: 19 to 31 MiB, most of it while a body that WhatsApp may send is read up to its limit.
ALLOWED_MIB = 64
QUESTION = "j'ai 500 F, je veux internet pour la semaine"
WHATSAPP = {
    "whatsapp_access_token": "token",
    "whatsapp_phone_number_id": "106540352242922",
    "whatsapp_app_secret": "app-secret-of-the-tests",
    "whatsapp_verify_token": "verify-token-of-the-tests",
    "whatsapp_graph_base_url": "http://127.0.0.1:9/v26.0",
}


def bomb(encoding: str) -> bytes:
    """500 MiB of zeros in half a megabyte; after a full flush every piece is the same bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
    first = packer.compress(b"\0" * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(b"\0" * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + piece * (BOMB_MIB - 1)


async def test_a_decompression_bomb_costs_no_memory(tmp_path: Path) -> None:
    """In a process of its own: what tests before this one allocated must not count."""
    body = bomb("gzip")
    assert len(body) < 2 * MIB
    settings = {name.upper(): value for name, value in WHATSAPP.items()}
    env = environment(tmp_path, HTTP_PORT=str(free_port()), **settings)
    async with Cold(tmp_path, env) as cold, aiohttp.ClientSession() as http:
        running = await cold.start()
        house = House(None, await running.ready(), http)
        await house.open_chat()
        await house.ask(QUESTION, "message-1")
        before = psutil.Process(running.pid).memory_info().rss
        for path, packed, encoding, headers in (
            ("/api/chat/messages", body, "gzip", house.headers),
            ("/whatsapp", body, "gzip", {"X-Hub-Signature-256": signature(body)}),
            ("/admin/login", bomb("deflate"), "deflate", {"X-Admin-Page": "1"}),
        ):
            told = {**headers, "Content-Encoding": encoding, "Content-Type": "application/json"}
            async with http.post(house.url + path, data=packed, headers=told) as response:
                assert response.status == 413, path
        assert psutil.Process(running.pid).memory_info().rss - before <= ALLOWED_MIB * MIB
        assert "*141*3#" in await house.ask(QUESTION, "message-2")


ENDLESS = (
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"id": "message-9", "text": ' + b"9" * 6000 + b"}",
    b'{"id": "message-9", "text": "' + b"\\ud83d" * 3000 + b"\xff\xfe",
    b"\x00" * 1000,
)


async def test_json_without_end_is_refused(tmp_path: Path) -> None:
    async with bot(tmp_path, **WHATSAPP) as house:
        await house.open_chat()
        headers = {**house.headers, "X-Admin-Page": "1", "Content-Type": "application/json"}
        for body in ENDLESS:
            for path in ("/api/chat/messages", "/admin/login", "/admin/api/mutes"):
                async with house.http.post(house.url + path, data=body, headers=headers) as response:
                    assert 400 <= response.status < 500, (path, response.status, body[:30])
            signed = {"X-Hub-Signature-256": signature(body)}
            async with house.http.post(f"{house.url}/whatsapp", data=body, headers=signed) as response:
                assert response.status == 200  # Meta would bring it back for a week
        assert "*141*3#" in await house.ask(QUESTION, "message-2")


async def test_slow_clients_keep_nobody_waiting(tmp_path: Path) -> None:
    async with bot(tmp_path, **WHATSAPP) as house:
        host, port = house.url.removeprefix("http://").split(":")
        half = b"POST /whatsapp HTTP/1.1\r\nHost: x\r\n"
        stalled = half + b"Content-Length: 5000\r\n\r\n{"
        writers = []
        for number in range(400):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(half if number % 2 else stalled)
            writers.append(writer)
        await house.open_chat()
        assert "*141*3#" in await house.ask(QUESTION, "message-1")
        assert len(house.app.server.guard) >= 400
        for writer in writers:
            writer.transport.abort()
        async with asyncio.timeout(10):
            while len(house.app.server.guard) > 50:  # noqa: ASYNC110  # connections tell nobody
                await asyncio.sleep(0.01)
