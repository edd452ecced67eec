"""The fake keeps Telegram's rules; otherwise what is tested against it proves nothing."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from config.settings import ROOT
from tests.fakes import telegram_faults as faults
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.fakes.telegram_markup import Refusal, parse_html


@asynccontextmanager
async def api() -> AsyncIterator[tuple[FakeTelegram, aiohttp.ClientSession]]:
    async with FakeTelegram() as fake, aiohttp.ClientSession(fake.url) as session:
        yield fake, session


async def call(
    session: aiohttp.ClientSession, method: str, token: str = TOKEN, **fields: Any
) -> tuple[int, dict[str, Any]]:
    async with session.post(f"/bot{token}/{method}", json=fields) as response:
        return response.status, await response.json()


async def ids(session: aiohttp.ClientSession, **fields: Any) -> list[int]:
    _, answer = await call(session, "getUpdates", **fields)
    return [update["update_id"] for update in answer["result"]]


async def test_updates_stay_until_a_higher_offset() -> None:
    async with api() as (fake, session):
        for number in range(5):
            fake.push_text(7, str(number))
        assert await ids(session) == [1000, 1001, 1002, 1003, 1004]
        assert await ids(session, limit=2) == [1000, 1001]
        assert await ids(session, offset=1002) == [1002, 1003, 1004]
        assert await ids(session, offset=0) == [1002, 1003, 1004]
        assert await ids(session, offset=-1) == [1004]
        assert await ids(session, offset=1005) == []
        assert fake.confirmed == 3


async def test_a_long_poll_ends_when_something_comes() -> None:
    async with api() as (fake, session):
        poll = asyncio.create_task(ids(session, timeout=50))
        await fake.until(lambda: fake.polling)
        fake.push_text(7, "eins")
        assert await poll == [1000]


async def test_the_second_poller_ends_the_first() -> None:
    async with api() as (fake, session):
        first = asyncio.create_task(call(session, "getUpdates", timeout=50))
        await fake.until(lambda: fake.polling)
        second = asyncio.create_task(call(session, "getUpdates", timeout=50))
        status, answer = await first
        assert (status, answer["error_code"]) == (409, 409)
        assert "other getUpdates" in answer["description"]
        fake.push_text(7, "eins")
        assert (await second)[0] == 200


async def test_a_bot_that_dies_in_its_poll_loses_nothing() -> None:
    async with api() as (fake, session):
        body = b'{"timeout":50}'
        dead = socket.create_connection(("127.0.0.1", fake.port))
        dead.sendall(
            b"POST /bot%b/getUpdates HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (TOKEN.encode(), len(body), body)
        )
        await fake.until(lambda: fake.polling)
        dead.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        dead.close()  # a reset, as after kill -9
        fake.push_text(7, "eins")
        assert await ids(session, timeout=50) == [1000]
        assert fake.confirmed == 0


async def test_types_not_asked_for_do_not_come() -> None:
    async with api() as (fake, session):
        await ids(session, allowed_updates=["message"])
        fake.push({"edited_message": fake.message(7, text="a")})
        fake.push_text(7, "b")
        assert len(await ids(session)) == 1


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a &lt;b&gt; &amp; <b>c</b>", "a <b> & c"),
        ("<pre><code>*141#</code></pre>", "*141#"),
        ('<a href="https://x">y</a>', "y"),
        ("&nbsp;", "&nbsp;"),
    ],
)
def test_good_html(text: str, plain: str) -> None:
    assert parse_html(text)[0] == plain


@pytest.mark.parametrize("text", ["a < b", "<x>a</x>", "<b>a", "a</b>", "<b><i>a</b></i>", "<b", "<>"])
def test_bad_html(text: str) -> None:
    with pytest.raises(Refusal, match="can't parse entities"):
        parse_html(text)


def button(**content: Any) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "x", **content}]]}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": " \n "}, "message text is empty"),
        ({"text": "<b></b>", "parse_mode": "HTML"}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": "<b>x", "parse_mode": "HTML"}, "can't parse entities"),
        ({"text": "x", "reply_markup": button(callback_data="é" * 33)}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "reply_markup": button(callback_data="")}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "reply_markup": button(copy_text={"text": "1" * 257})}, "BUTTON_COPY_TEXT_INVALID"),
        ({"text": "x", "reply_markup": button()}, "inline keyboard button"),
    ],
)
async def test_what_telegram_refuses(fields: dict[str, Any], words: str) -> None:
    async with api() as (fake, session):
        status, answer = await call(session, "sendMessage", chat_id=7, **fields)
        assert status == 400
        assert words in answer["description"]
        assert not fake.sent


async def test_what_telegram_takes() -> None:
    async with api() as (fake, session):
        for text in ("x" * 4096, "<b>" + "x" * 4096 + "</b>"):
            status, _ = await call(session, "sendMessage", chat_id=7, text=text, parse_mode="HTML")
            assert status == 200
        assert [len(sent.text) for sent in await fake.wait_sent(7, 2)] == [4096, 4096]


async def test_doors_that_are_closed() -> None:
    async with api() as (fake, session):
        assert (await call(session, "getMe", token="1:x"))[0] == 401
        assert (await call(session, "getMee"))[0] == 404
        fake.methods.blocked.add(7)
        assert (await call(session, "sendMessage", chat_id=7, text="x"))[0] == 403
        assert (await call(session, "getMe"))[1]["result"]["is_bot"] is True


async def test_webhook_information() -> None:
    async with api() as (fake, session):
        await call(session, "setWebhook", url="http://127.0.0.1:9/x", secret_token="s")
        fake.push_text(7, "eins")
        await fake.until(lambda: bool(fake.webhook.attempts))
        _, answer = await call(session, "getWebhookInfo")
        assert answer["result"]["pending_update_count"] == 1
        assert answer["result"]["last_error_message"]
        assert (await call(session, "getUpdates"))[0] == 409
        await call(session, "deleteWebhook")
        assert await ids(session) == [1000]


async def test_planned_faults_are_taken_in_turn() -> None:
    async with api() as (fake, session):
        fake.faults.plan("sendMessage", faults.blocked(), chat=8)
        fake.faults.plan("sendMessage", faults.flood(3), faults.server_error(processed=True))
        statuses = [(await call(session, "sendMessage", chat_id=7, text="x"))[0] for _ in range(3)]
        assert statuses == [429, 500, 200]
        assert (await call(session, "sendMessage", chat_id=8, text="x"))[0] == 403
        assert len(fake.chats[7]) == 2


async def test_the_fake_as_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.telegram", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession(url) as session:
            texts = {"updates": [{"chat": 7, "text": "eins"}, {"chat": 8, "text": "zwei", "user": 8}]}
            async with session.post("/control/push", json=texts) as response:
                assert await response.json() == {"ids": [1000, 1001]}
            assert await ids(session) == [1000, 1001]
            assert await ids(session, offset=1002) == []
            waiting = asyncio.create_task(control(session, "sent?after=0&wait=10"))
            fault = {"method": "sendMessage", "kind": "server_error"}
            async with session.post("/control/faults", json=fault) as response:
                assert response.status == 200
            assert (await call(session, "sendMessage", chat_id=7, text="antwort"))[0] == 500
            assert (await call(session, "sendMessage", chat_id=7, text="antwort"))[0] == 200
            found = await waiting
            assert found["last"] == 1
            assert found["sent"][0][2:] == [7, "sendMessage", "antwort"]
            figures = await control(session, "stats")
            assert (figures["pushed"], figures["confirmed"], figures["sent"]) == (2, 2, 1)
    finally:
        process.terminate()
        await process.wait()


async def control(session: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    async with session.get(f"/control/{path}") as response:
        found: dict[str, Any] = await response.json()
        return found
