"""The webhook on the real server, fed by the fake with Telegram's order and retries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
import pytest
from pydantic import SecretStr

from bot.server import Server
from channels.telegram_parse import ALLOWED_UPDATES
from channels.telegram_webhook import (
    PATH,
    SECRET_HEADER,
    checked_secret,
    set_webhook,
    telegram_routes,
    webhook_address,
)
from config.settings import Settings
from domain.errors import BadSettings, Overloaded, StoreUnavailable
from domain.messages import InboundMessage
from monitoring.metrics import Metrics
from tests.fakes import telegram_faults as faults
from tests.wire.telegram_house import QUICK, TEXTS, House, house

SECRET = SecretStr("Geheim_123-x")


@dataclass(frozen=True, slots=True)
class Served:
    home: House
    server: Server
    url: str
    metrics: Metrics

    async def post(
        self, body: bytes, secret: str | bytes | None = SECRET.get_secret_value()
    ) -> tuple[int, bytes]:
        headers = {} if secret is None else {SECRET_HEADER: secret}
        async with self.home.session.post(self.url, data=body, headers=headers) as response:  # type: ignore[arg-type]
            return response.status, await response.read()

    def rejects(self, reason: str) -> float:
        labels = {"channel": "telegram", "reason": reason}
        return self.metrics.registry.get_sample_value("bot_webhook_rejects_total", labels) or 0.0


@asynccontextmanager
async def served(*, announce: bool = True) -> AsyncIterator[Served]:
    async with house() as home:
        metrics = Metrics()
        routes = telegram_routes(
            home.endpoint, SECRET, home.inbox.accept, set_aside=home.inbox.set_aside, metrics=metrics
        )
        server = Server(Settings.model_construct(http_host="127.0.0.1", http_port=0, http_token=None), routes)
        host, port = await server.start()
        found = Served(home, server, f"http://{host}:{port}{PATH}", metrics)
        try:
            if announce:
                await announced(home, found.url)
            yield found
        finally:
            await server.stop()


async def announced(home: House, url: str) -> None:
    await set_webhook(
        home.session,
        home.endpoint,
        url,
        SECRET,
        texts=TEXTS,
        on_trouble=home.on_trouble,
        waits=QUICK,
    )


async def test_updates_arrive_in_order_and_are_answered_with_nothing() -> None:
    async with served() as site:
        fake = site.home.fake
        for number in range(60):
            fake.push_text(number % 3 + 1, f"texte {number}")
        await fake.wait_confirmed()
        for chat in (1, 2, 3):
            texts = [m.text for m in site.home.inbox.messages if m.key.chat == str(chat)]
            assert texts == [f"texte {number}" for number in range(60) if number % 3 + 1 == chat]
        assert {(attempt.status, attempt.body) for attempt in fake.webhook.attempts} == {(200, b"")}


async def test_what_waited_while_polling_comes_by_webhook() -> None:
    async with served(announce=False) as site:
        site.home.fake.push_text(7, "eins")
        await announced(site.home, site.url)
        await site.home.fake.wait_confirmed()
        assert site.home.inbox.texts == ["eins"]


@pytest.mark.parametrize(
    ("secret", "status", "reason"),
    [
        (None, 401, "missing"),
        ("", 403, "wrong"),
        ("Geheim_123-", 403, "wrong"),
        ("Geheim_123-xx", 403, "wrong"),
        ("geheim_123-x", 403, "wrong"),
        ("Gehéim_123-x", 403, "wrong"),
    ],
)
async def test_strangers_are_refused(secret: str | None, status: int, reason: str) -> None:
    async with served(announce=False) as site:
        body = orjson.dumps({"update_id": 1, "message": site.home.fake.message(7, text="a")})
        assert await site.post(body, secret) == (status, b"")
        assert not site.home.inbox.offered
        assert site.rejects(reason) == 1


async def test_bytes_that_are_no_text_are_a_wrong_secret() -> None:
    async with served(announce=False) as site:
        host, port = site.url.removeprefix("http://").removesuffix(PATH).split(":")
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(
            b"POST %b HTTP/1.1\r\nHost: x\r\n%b: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}"
            % (PATH.encode(), SECRET_HEADER.encode())
        )
        assert b" 403 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "trouble",
    [StoreUnavailable("the disk is full"), Overloaded("full", seconds=2)],
    ids=["store", "overload"],
)
async def test_our_own_trouble_asks_telegram_to_come_back(trouble: Exception) -> None:
    async with served() as site:
        fake = site.home.fake
        site.home.inbox.troubles = [trouble, trouble]
        fake.push_text(7, "eins")
        fake.push_text(7, "zwei")
        await fake.wait_confirmed()
        assert [attempt.status for attempt in fake.webhook.attempts] == [503, 503, 200, 200]
        assert site.home.inbox.texts == ["eins", "zwei"]


async def test_the_answer_says_when_to_come_back() -> None:
    async with served(announce=False) as site:
        site.home.inbox.troubles = [Overloaded("full", seconds=7.4)]
        body = orjson.dumps({"update_id": 1, "message": site.home.fake.message(7, text="a")})
        headers = {SECRET_HEADER: SECRET.get_secret_value()}
        async with site.home.session.post(site.url, data=body, headers=headers) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "7")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"update_id":1000,"message":5}',
        b'{"message":{}}',
        b"[]",
        b"",
        b"PIN 1234",
        b"\xff\xfe\x00",
        b'{"a":' * 30_000,
        b'{"update_id":' + b"9" * 5000 + b"}",
    ],
    ids=["shape", "no id", "array", "empty", "no JSON", "no UTF-8", "deep", "huge number"],
)
async def test_poison_is_taken_and_set_aside(raw: bytes) -> None:
    async with served() as site:
        fake = site.home.fake
        fake.push_raw(raw, 1000, queue=7)
        fake.push({"update_id": 1001, "message": fake.message(7, text="nachher")})
        await fake.wait_confirmed()
        assert site.home.inbox.texts == ["nachher"]
        ((source, kept, _),) = site.home.inbox.aside
        assert source == "telegram"
        assert b"1234" not in kept
        assert {attempt.status for attempt in fake.webhook.attempts} == {200}


async def test_a_message_the_store_chokes_on_is_set_aside() -> None:
    async with served() as site:

        def refuse(message: InboundMessage) -> None:
            raise ValueError("odd")

        site.home.inbox.refuse = refuse
        site.home.fake.push_text(7, "gift")
        await site.home.fake.wait_confirmed()
        assert [error for _, _, error in site.home.inbox.aside] == ["ValueError"]
        assert [attempt.status for attempt in site.home.fake.webhook.attempts] == [503, 503, 200]


async def test_a_storm_of_copies_is_taken_every_time() -> None:
    async with served(announce=False) as site:
        body = orjson.dumps({"update_id": 1, "message": site.home.fake.message(7, text="a")})
        answers = await asyncio.gather(*(site.post(body) for _ in range(20)))
        assert set(answers) == {(200, b"")}
        assert site.home.inbox.texts == ["a"]


async def test_while_the_bot_stops_telegram_keeps_the_updates() -> None:
    async with served() as site:
        site.server.stop_intake()
        site.home.fake.push_text(7, "eins")
        await site.home.fake.until(lambda: bool(site.home.fake.webhook.attempts))
        assert site.home.fake.webhook.attempts[0].status == 503
        assert not site.home.inbox.offered


async def test_setting_the_webhook_is_tried_until_it_is_done() -> None:
    async with house() as home:
        home.fake.faults.plan(
            "setWebhook", faults.server_error(), faults.reset(), faults.page(), faults.half_answer()
        )
        await announced(home, "https://bot.example.ne")
        assert home.fake.webhook.url == f"https://bot.example.ne{PATH}"
        assert home.fake.webhook.secret == SECRET.get_secret_value()
        assert home.fake.allowed == frozenset(ALLOWED_UPDATES)
        assert not home.troubles


@pytest.mark.parametrize(
    "fault", [faults.unauthorized(), faults.not_found(), faults.bad_request("bad webhook")]
)
async def test_a_hopeless_webhook_is_reported_once_and_tried_slowly(fault: faults.Fault) -> None:
    async with house() as home:
        home.fake.faults.plan("setWebhook", fault, times=4)
        await announced(home, "https://bot.example.ne/hook")
        reason = TEXTS.get("telegram.trouble_webhook", reason=fault.description)
        assert home.troubles == [("TROUBLE", reason)]
        assert home.fake.calls["setWebhook"] == 5


@pytest.mark.parametrize("secret", ["", "mot de passe", "é", "x" * 257])
def test_a_secret_telegram_would_refuse_is_a_bad_setting(secret: str) -> None:
    with pytest.raises(BadSettings, match="TELEGRAM_WEBHOOK_SECRET"):
        checked_secret(SecretStr(secret))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://bot.example.ne", "https://bot.example.ne/telegram"),
        ("https://bot.example.ne/", "https://bot.example.ne/telegram"),
        ("https://bot.example.ne/t/x", "https://bot.example.ne/t/x"),
    ],
)
def test_the_path_is_ours_unless_it_is_set(url: str, address: str) -> None:
    assert webhook_address(url) == address
