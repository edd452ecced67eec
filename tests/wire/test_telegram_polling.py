"""The poller against the fake: what is confirmed is stored, and no trouble ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson
import pytest

from channels.telegram_parse import ALLOWED_UPDATES
from channels.telegram_polling import TelegramPoller
from domain.errors import Overloaded, StoreUnavailable
from domain.messages import InboundMessage, MessageKind
from tests.fakes import telegram_faults as faults
from tests.wire.telegram_house import QUICK, TEXTS, House, Inbox, house


@asynccontextmanager
async def polling(
    home: House, *, inbox: Inbox | None = None, busy: Callable[[], bool] = lambda: False
) -> AsyncIterator[TelegramPoller]:
    """A poller at work; nothing may end it but the end of the block."""
    into = inbox or home.inbox
    poller = TelegramPoller(
        home.session,
        home.endpoint,
        into.accept,
        busy=busy,
        set_aside=into.set_aside,
        texts=TEXTS,
        on_trouble=home.on_trouble,
        waits=QUICK,
    )
    task = asyncio.create_task(poller.run())
    try:
        yield poller
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_updates_are_stored_in_order_then_confirmed() -> None:
    async with house() as home:
        for number in range(250):
            home.fake.push_text(number % 5 + 1, f"texte {number}")
        async with polling(home):
            await home.fake.wait_confirmed()
        assert home.inbox.texts == [f"texte {number}" for number in range(250)]
        assert len(home.inbox.offered) == 250


async def test_every_request_says_what_it_wants() -> None:
    async with house() as home, polling(home):
        home.fake.push_text(7, "a")
        await home.fake.wait_confirmed()
        assert home.fake.poll_requests[0]["offset"] == 0
        for asked in home.fake.poll_requests:
            assert asked["allowed_updates"] == list(ALLOWED_UPDATES)
            assert (asked["limit"], asked["timeout"]) == (100, QUICK.poll)


@pytest.mark.parametrize(
    "trouble", [StoreUnavailable("full"), Overloaded("queue", seconds=0.01), OSError("odd")]
)
async def test_nothing_is_confirmed_before_it_is_stored(trouble: Exception) -> None:
    async with house() as home:
        confirmed_when_offered: list[int] = []
        home.inbox.troubles = [trouble, trouble, trouble]

        def refuse(message: InboundMessage) -> None:
            confirmed_when_offered.append(home.fake.confirmed)

        home.inbox.refuse = refuse
        home.fake.push_text(7, "eins")
        home.fake.push_text(7, "zwei")
        async with polling(home):
            await home.fake.wait_confirmed()
        assert home.inbox.texts == ["eins", "zwei"]
        assert not home.inbox.aside
        assert set(confirmed_when_offered) == {0}


async def test_a_bot_killed_between_commit_and_offset_hears_it_again_but_stores_it_once() -> None:
    async with house() as home:
        stored = asyncio.Event()

        class Dying(Inbox):
            async def accept(self, messages):  # type: ignore[no-untyped-def]  # as the base
                result = await super().accept(messages)
                stored.set()
                await asyncio.sleep(3600)
                return result

        home.fake.push_text(7, "eins")
        dying = Dying()
        async with polling(home, inbox=dying):
            await stored.wait()
        assert home.fake.confirmed == 0
        async with polling(home, inbox=Inbox(messages=dying.messages)) as _:
            await home.fake.wait_confirmed()
        assert dying.texts == ["eins"]


async def test_a_poison_update_is_set_aside_between_good_ones() -> None:
    async with house() as home:
        home.fake.push_text(7, "vorher")
        home.fake.push({"message": {"text": "mon PIN est 1234", "chat": {"id": "x", "type": "private"}}})
        home.fake.push({"callback_query": []})
        home.fake.push_text(7, "nachher")
        async with polling(home):
            await home.fake.wait_confirmed()
        assert home.inbox.texts == ["vorher", "nachher"]
        assert [(source, error) for source, _, error in home.inbox.aside] == [
            ("telegram", "no chat id"),
            ("telegram", "callback_query is no object"),
        ]
        raw = home.inbox.aside[0][1]
        assert b"1234" not in raw
        assert orjson.loads(raw)["update_id"] == 1001


@pytest.mark.parametrize(
    "raw",
    [
        b'{"update_id":%d,"message":nonsense}',
        b'{"update_id": %d,"message":{"text":"PIN 1234',
        b'{"update_id":%d,"message":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        b'{"update_id":%d,"message":{"date":' + b"9" * 5000 + b"}}",
    ],
    ids=["no JSON", "torn", "deep", "huge number"],
)
async def test_an_answer_that_is_no_json_is_narrowed_down_to_the_update(raw: bytes) -> None:
    async with house() as home:
        home.fake.push_text(7, "vorher")
        home.fake.push_raw(raw % 1001, 1001)
        home.fake.push({"update_id": 1002, "message": home.fake.message(7, text="nachher")})
        async with polling(home):
            await home.fake.wait_confirmed()
        assert home.inbox.texts == ["vorher", "nachher"]
        ((source, kept, _),) = home.inbox.aside
        assert source == "telegram"
        assert len(kept) <= 16 * 1024
        assert b"1234" not in kept


async def test_half_emojis_arrive_readable() -> None:
    async with house() as home:
        update = orjson.dumps({"update_id": 1000, "message": home.fake.message(7, text="a@b")})
        home.fake.push_raw(update.replace(b"a@b", rb"a\ud83db\u0000"), 1000)
        async with polling(home):
            await home.fake.wait_confirmed()
        assert home.inbox.texts == ["a\ufffdb"]


async def test_a_message_the_store_chokes_on_is_set_aside_alone() -> None:
    async with house() as home:

        def refuse(message: InboundMessage) -> None:
            if message.text == "gift":
                raise ValueError("odd")

        home.inbox.refuse = refuse
        for text in ("eins", "gift", "zwei"):
            home.fake.push_text(7, text)
        async with polling(home):
            await home.fake.wait_confirmed()
        assert home.inbox.texts == ["eins", "zwei"]
        assert [error for _, _, error in home.inbox.aside] == ["ValueError"]
        assert home.fake.calls["getUpdates"] >= 3  # it may have been a passing trouble


async def test_what_cannot_even_be_set_aside_is_not_confirmed() -> None:
    async with house() as home:
        home.inbox.aside_troubles = [StoreUnavailable("full"), StoreUnavailable("full")]
        home.fake.push({"message": 5})
        async with polling(home):
            await home.fake.wait_confirmed()
        assert len(home.inbox.aside) == 1
        assert home.fake.calls["getUpdates"] >= 3


async def test_while_busy_telegram_keeps_the_updates() -> None:
    async with house() as home:
        full = True
        home.fake.push_text(7, "eins")
        async with polling(home, busy=lambda: full):
            await asyncio.sleep(0.1)
            assert not home.fake.calls["getUpdates"]
            full = False
            await home.fake.wait_confirmed()
        assert home.inbox.texts == ["eins"]


TROUBLES = [
    faults.server_error(),
    faults.server_error(502),
    faults.reset(),
    faults.half_answer(),
    faults.page(),
    faults.page(b'{"ok":true,"result":{}}'),
    faults.page(b'{"ok":true,"result":[{}]}'),
    faults.page(b"", 302),
    faults.unauthorized(),
    faults.not_found(),
    faults.bad_request("x"),
    faults.blocked(),
]


@pytest.mark.parametrize("fault", TROUBLES, ids=[str(number) for number in range(len(TROUBLES))])
async def test_no_trouble_ends_the_polling(fault: faults.Fault) -> None:
    async with house() as home:
        home.fake.faults.plan("getUpdates", fault, times=6)
        home.fake.push_text(7, "eins")
        async with polling(home) as poller:
            await home.fake.wait_confirmed()
            assert poller.trouble == ""
        assert home.inbox.texts == ["eins"]
        assert len(home.troubles) <= 2
        assert home.fake.calls["getUpdates"] >= 7


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (faults.unauthorized(), "telegram.trouble_token"),
        (faults.not_found(), "telegram.trouble_address"),
        (faults.server_error(), "telegram.trouble_unreachable"),
        (faults.Fault(409, "Conflict: terminated by other getUpdates request"), "telegram.trouble_conflict"),
    ],
)
async def test_lasting_trouble_is_reported_once(fault: faults.Fault, text: str) -> None:
    async with house() as home:
        home.fake.faults.always("getUpdates", fault)
        async with polling(home) as poller:
            await home.fake.wait_called("getUpdates", 8)
            assert poller.trouble == TEXTS.get(text)
            home.fake.faults.clear()
            home.fake.push_text(7, "eins")
            await home.fake.wait_confirmed()
            assert poller.trouble == ""
        assert home.troubles == [("TROUBLE", TEXTS.get(text))]


async def test_a_flood_answer_is_obeyed() -> None:
    async with house() as home:
        home.fake.faults.plan("getUpdates", faults.flood(1))
        home.fake.push_text(7, "eins")
        loop = asyncio.get_running_loop()
        async with polling(home):
            await home.fake.wait_called("getUpdates")
            told = loop.time()
            await home.fake.wait_called("getUpdates", 2)
            assert loop.time() - told > 0.9
            await home.fake.wait_confirmed()


async def test_two_pollers_share_without_loss_or_double_and_say_so() -> None:
    async with house() as home:
        shared = Inbox()
        async with polling(home, inbox=shared), polling(home, inbox=shared):
            await home.fake.until(lambda: home.fake.conflicts >= 8)
            for number in range(20):
                home.fake.push_text(7, f"texte {number}")
            await home.fake.wait_confirmed()
        assert shared.texts == [f"texte {number}" for number in range(20)]
        assert ("TROUBLE", TEXTS.get("telegram.trouble_conflict")) in home.troubles


async def test_a_webhook_left_over_is_deleted_with_its_backlog_kept() -> None:
    async with house() as home:
        await _call(home, "setWebhook", {"url": "http://127.0.0.1:9/none"})
        home.fake.push_text(7, "eins")
        async with polling(home):
            await home.fake.wait_confirmed()
        assert home.inbox.texts == ["eins"]
        assert home.fake.webhook.url == ""
        assert home.fake.calls["deleteWebhook"] == 1


async def test_no_webhook_no_deleting() -> None:
    async with house() as home, polling(home):
        home.fake.push_text(7, "eins")
        await home.fake.wait_confirmed()
        assert not home.fake.calls["deleteWebhook"]


async def test_telegram_down_and_back() -> None:
    async with house() as home, polling(home):
        home.fake.push_text(7, "eins")
        await home.fake.wait_confirmed()
        await home.fake.stop()
        await asyncio.sleep(0.1)
        home.fake.push_text(7, "zwei")
        await home.fake.start()
        await home.fake.wait_confirmed()
        assert home.inbox.texts == ["eins", "zwei"]


async def test_numbers_may_begin_anew_after_silence() -> None:
    async with house() as home, polling(home):
        home.fake.push_text(7, "eins")
        await home.fake.wait_confirmed()
        await home.fake.until(lambda: home.fake.poll_requests[-1]["offset"] == 0)
        home.fake.push({"update_id": 5, "message": home.fake.message(7, text="zwei")})
        await home.fake.wait_confirmed()
        assert home.inbox.texts == ["eins", "zwei"]


async def test_groups_reach_the_inbox_unheard() -> None:
    async with house() as home, polling(home):
        home.fake.push_text(-7, "le PIN est 1234")
        await home.fake.wait_confirmed()
        (message,) = home.inbox.messages
        assert (message.kind, message.text) == (MessageKind.GROUP, "")


async def test_taps_carry_the_label(caplog: pytest.LogCaptureFixture) -> None:
    async with house() as home, polling(home):
        with caplog.at_level(logging.DEBUG, logger="channels"):
            await _call(
                home,
                "sendMessage",
                {
                    "chat_id": 7,
                    "text": "?",
                    "reply_markup": {"inline_keyboard": [[{"text": "1. Oui", "callback_data": "fb:yes"}]]},
                },
            )
            home.fake.push_tap(7, "fb:yes")
            await home.fake.wait_confirmed()
        (message,) = home.inbox.messages
        assert (message.text, message.payload["choice_id"]) == ("Oui", "fb:yes")
        assert "Oui" not in caplog.text


async def _call(home: House, method: str, body: object) -> None:
    async with home.session.post(home.endpoint.method_url(method), json=body) as response:
        assert response.status == 200
