"""The webhook over HTTP: handshake, signatures, batches, and what trouble of ours answers."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from channels.whatsapp_webhook import WebhookSecrets
from domain.errors import BadInput, BadSettings, Overloaded, StoreUnavailable
from memory.opening import open_store
from memory.records import SendState
from monitoring.metrics import Metrics
from tests.fakes import whatsapp_payloads as payloads
from tests.fakes.whatsapp_payloads import SAMPLES, VERIFY_TOKEN, dumped, one, signature, text
from tests.wire.whatsapp_bot import FORGERIES, Desk, serve

HEADER = "X-Hub-Signature-256"


class Caller:
    """Posts to the webhook as Meta, or as somebody else."""

    def __init__(self, url: str, desk: Desk, session: aiohttp.ClientSession, metrics: Metrics) -> None:
        self.url = url
        self.desk = desk
        self.session = session
        self.metrics = metrics

    async def post(self, raw: bytes, **headers: str) -> tuple[int, bytes, Any]:
        async with self.session.post(self.url, data=io.BytesIO(raw), headers=headers) as response:
            return response.status, await response.read(), response.headers

    async def signed(self, body: object) -> int:
        raw = body if isinstance(body, bytes) else dumped(body)
        status, answer, _ = await self.post(raw, **{HEADER: signature(raw)})
        assert status != 200 or answer == b""
        return status

    def rejects(self, reason: str) -> float:
        value = self.metrics.registry.get_sample_value(
            "bot_webhook_rejects_total", {"channel": "whatsapp", "reason": reason}
        )
        return value or 0.0


@pytest.fixture
async def meta() -> AsyncIterator[Caller]:
    desk, metrics = Desk(), Metrics()
    async with (
        serve(desk.accept, desk.confirm, desk.set_aside, stamp="db", metrics=metrics) as (url, _),
        aiohttp.ClientSession() as session,
    ):
        yield Caller(url, desk, session, metrics)


async def test_handshake_gives_the_challenge_back_as_text(meta: Caller) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "1158201444"}
    async with meta.session.get(meta.url, params=query) as response:
        assert (response.status, await response.text()) == (200, "1158201444")
        assert response.content_type == "text/plain"


@pytest.mark.parametrize(
    "wrong",
    [
        {"hub.verify_token": "x"},
        {"hub.verify_token": "é\ud7ff"},
        {"hub.verify_token": ""},
        {"hub.mode": "unsubscribe"},
        {"hub.challenge": ""},
        {"hub.challenge": "9" * 300},
        {"hub.challenge": "<é>"},
    ],
)
async def test_a_false_handshake_is_refused(meta: Caller, wrong: dict[str, str]) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "1"} | wrong
    async with meta.session.get(meta.url, params=query) as response:
        assert response.status == 403


def test_no_start_without_secrets() -> None:
    with pytest.raises(BadSettings, match="WHATSAPP_APP_SECRET"):
        WebhookSecrets("", "x")
    with pytest.raises(BadSettings, match="WHATSAPP_VERIFY_TOKEN"):
        WebhookSecrets("x", "")


async def test_a_batch_gives_every_message(meta: Caller) -> None:
    assert await meta.signed(payloads.batch(2, 2, 3)) == 200
    assert [message.text for message in meta.desk.messages] == [f"message {n}" for n in range(12)]


@pytest.mark.parametrize("name", SAMPLES)
async def test_every_sample_is_taken(meta: Caller, name: str) -> None:
    assert await meta.signed(one(SAMPLES[name][0])) == 200
    assert [message.kind for message in meta.desk.messages] == [SAMPLES[name][1]]


async def test_a_redelivery_changes_nothing(meta: Caller) -> None:
    body = payloads.batch()
    assert [await meta.signed(body) for _ in range(5)] == [200] * 5
    assert len(meta.desk.messages) == 12


@pytest.mark.parametrize("kind", FORGERIES)
async def test_a_forged_webhook_is_refused_before_it_is_read(meta: Caller, kind: str) -> None:
    for body in (dumped(one(text("crédit ?"))), b"{" * 1000, b"\xff\xfe"):
        try:
            forged = FORGERIES[kind](body)
        except ValueError:
            continue  # what is no JSON cannot be re-serialised
        status, _, _ = await meta.post(body, **({} if forged is None else {HEADER: forged}))
        assert status == 401
    assert not meta.desk.messages
    assert not meta.desk.put_aside
    assert meta.rejects("signature") + meta.rejects("unsigned") >= 1


_DEEP = b'{"object":"whatsapp_business_account","entry":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
UNREADABLE = {
    "not JSON": b'{"object": ',
    "empty": b"",
    "deep": _DEEP,
    "not UTF-8": b'{"object": "\xff"}',
    "array": b"[]",
    "number": b"7",
    "null": b"null",
    "another object": b'{"object":"page","entry":[]}',
    "no entries": b'{"object":"whatsapp_business_account"}',
}


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_a_signed_body_nobody_can_read_is_acknowledged_and_kept(meta: Caller, kind: str) -> None:
    assert await meta.signed(UNREADABLE[kind]) == 200
    assert len(meta.desk.put_aside) == 1
    source, raw, error = meta.desk.put_aside[0]
    assert source == "whatsapp"
    assert error
    assert len(raw) <= 16 * 1024


async def test_giant_numbers_and_broken_letters_cost_no_message(meta: Caller) -> None:
    body = dumped(one(text("un"), text("deux \ud83d"), text("trois", timestamp=1)))
    raw = body.replace(b'"timestamp":1', b'"timestamp":' + b"9" * 5000)
    assert await meta.signed(raw) == 200
    assert [message.text for message in meta.desk.messages] == ["un", "deux \ufffd", "trois"]


async def test_one_bad_item_of_a_batch_is_set_aside_without_its_words(meta: Caller) -> None:
    bad = payloads.message("text", {"body": "mon code PIN est 4821"}, sender=None)
    assert await meta.signed(one(text("un"), bad, text("deux"), contacts=None)) == 200
    assert [message.text for message in meta.desk.messages] == ["un", "deux"]
    assert b"4821" not in meta.desk.put_aside[0][1]
    assert meta.rejects("set_aside") == 1


async def test_many_bad_items_share_the_commits_of_the_store(tmp_path: Path) -> None:
    """One commit each would outlast the time for an answer, and Meta would bring all of them again."""
    waiting: list[int] = [0]

    async with open_store(tmp_path / "memory.db") as store:

        async def set_aside(source: str, raw: bytes, error: str) -> None:
            together.append(waiting[0] + 1)
            waiting[0] += 1
            await store.set_aside(source, raw, error)
            waiting[0] -= 1

        together: list[int] = []
        desk = Desk()
        async with (
            serve(desk.accept, desk.confirm, set_aside, stamp="db") as (url, _),
            aiohttp.ClientSession() as session,
        ):
            meta = Caller(url, desk, session, Metrics())
            bad = [{"id": "1"}] * 200
            assert await meta.signed(one(text("un"), *bad, statuses=[payloads.status("sent", "1.db")])) == 200
    assert len(together) == 200
    assert max(together) == 64
    assert [message.text for message in desk.messages] == ["un"]
    assert len(desk.confirmed) == 1


async def test_what_could_not_be_set_aside_comes_again(meta: Caller) -> None:
    body = one({"id": "1"}, text("un"), {"id": "2"})
    meta.desk.aside_trouble = StoreUnavailable("busy")
    assert await meta.signed(body) == 503
    meta.desk.aside_trouble = None
    assert await meta.signed(body) == 200
    assert len(meta.desk.messages) == 1
    assert len(meta.desk.put_aside) == 2


async def test_a_large_batch_is_read(meta: Caller) -> None:
    bodies = payloads.batch(3, 2, 1200)
    assert 1024 * 1024 < len(dumped(bodies)) < 4 * 1024 * 1024
    assert await meta.signed(bodies) == 200
    assert len(meta.desk.messages) == 7200


async def test_a_body_beyond_the_limit_is_refused(meta: Caller) -> None:
    raw = b" " * (4 * 1024 * 1024 + 1)
    status, _, _ = await meta.post(raw, **{HEADER: signature(raw)})
    assert status == 413


@pytest.mark.parametrize(
    ("trouble", "wait"), [(StoreUnavailable("disk full"), "5"), (Overloaded("full", seconds=7.4), "7")]
)
async def test_our_own_trouble_asks_for_a_redelivery(meta: Caller, trouble: Exception, wait: str) -> None:
    meta.desk.trouble = trouble
    raw = dumped(one(text("x"), statuses=[payloads.status("sent", "4.db")]))
    status, _, headers = await meta.post(raw, **{HEADER: signature(raw)})
    assert (status, headers["Retry-After"]) == (503, wait)
    assert not meta.desk.confirmed
    meta.desk.trouble = None
    assert await meta.signed(raw) == 200
    assert len(meta.desk.messages) == len(meta.desk.confirmed) == 1


async def test_statuses_are_evidence_once_each(meta: Caller) -> None:
    sent = [payloads.status(name, f"{part}.db") for part in (1, 2, 3) for name in ("sent", "delivered")]
    foreign = [payloads.status("sent", "9.elsewhere"), payloads.status("read")]
    assert await meta.signed(one(statuses=[*sent, *foreign, sent[0]])) == 200
    assert [part for part, _, _ in meta.desk.confirmed] == [1, 1, 2, 2, 3, 3]
    assert {state for _, state, _ in meta.desk.confirmed} == {SendState.SENT}


async def test_a_status_that_fails_costs_neither_the_others_nor_the_messages(meta: Caller) -> None:
    meta.desk.status_trouble = BadInput("odd")
    sent = [payloads.status("sent", f"{part}.db") for part in range(1, 5)]
    assert await meta.signed(one(text("x"), statuses=sent)) == 200
    meta.desk.status_trouble = ZeroDivisionError()
    assert await meta.signed(one(text("y"), statuses=sent)) == 200
    assert len(meta.desk.messages) == 2
    assert [part for part, _, _ in meta.desk.confirmed] == [2, 4, 2, 4]


async def test_proof_that_could_not_be_written_comes_again(meta: Caller) -> None:
    meta.desk.status_trouble = StoreUnavailable("busy")
    assert await meta.signed(one(statuses=[payloads.status("sent", "1.db")])) == 503


async def test_a_draining_bot_lets_the_platform_wait() -> None:
    desk = Desk()
    async with (
        serve(desk.accept, desk.confirm, desk.set_aside) as (url, server),
        aiohttp.ClientSession() as session,
    ):
        server.stop_intake()
        raw = dumped(one(text("x")))
        async with session.post(url, data=raw, headers={HEADER: signature(raw)}) as response:
            assert response.status == 503
            assert response.headers["Retry-After"]
    assert not desk.messages
