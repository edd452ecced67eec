"""The channel against the fake over HTTP: what arrives, and what every failure means to the sender."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from channels.chunking import PartWords, ussd_codes
from channels.telegram import TelegramChannel
from channels.telegram_request import BotEndpoint
from domain.errors import (
    BadSettings,
    BotError,
    ChannelBroken,
    ChatClosed,
    MarkupRefused,
    NotSent,
    RateLimited,
    SendInDoubt,
    SendRefused,
)
from domain.messages import Attachment, Choice, InboundMessage, MessageKind, Reply, Sender
from handlers.commands import LISTED
from memory.records import OutboxPart, SendState
from tests.fakes import telegram_faults as faults
from tests.fakes.channels import until
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.wire.telegram_house import TEXTS, House, house, key, part


@pytest.fixture
async def one() -> AsyncIterator[House]:
    """One bot for every example of a property."""
    async with house() as home:
        yield home


OFFER = "Forfait <jour> & nuit : 500 F\n*141*3#"


async def test_a_part_arrives_as_it_was_written() -> None:
    async with house() as home:
        receipt = await home.channel().send(part(7, OFFER, choices=[Choice("fb:yes", "Oui")]))
        (sent,) = home.fake.chats[7]
        assert receipt.platform_id == str(sent.message_id)
        assert sent.text == OFFER
        assert sent.codes == ["*141*3#"]
        assert [sorted(button) for button in sent.buttons] == [
            ["callback_data", "text"],
            ["copy_text", "text"],
        ]
        assert sent.fields["link_preview_options"] == {"is_disabled": True}


async def test_plain_parts_have_no_markup_and_typed_choices() -> None:
    async with house() as home:
        await home.channel().send(part(7, OFFER, choices=[Choice("fb:yes", "Oui")], plain=True))
        (sent,) = home.fake.chats[7]
        assert sent.text == OFFER + "\n\n1. Oui"
        assert "parse_mode" not in sent.fields
        assert "reply_markup" not in sent.fields


@pytest.mark.parametrize(
    ("media_type", "method"), [("image/png", "sendPhoto"), ("text/plain", "sendDocument")]
)
async def test_files(media_type: str, method: str) -> None:
    async with house() as home:
        reply = Reply("Voici <vos> données", attachment=Attachment("mes-donnees.txt", media_type, b"abc"))
        await home.channel().send(OutboxPart(1, key(7), reply, SendState.SENDING, 0.0, 0.0))
        (sent,) = home.fake.chats[7]
        assert (sent.method, sent.text) == (method, "Voici <vos> données")
        assert sent.file == ("mes-donnees.txt", b"abc")


async def test_a_long_reply_arrives_in_three_parts_and_the_rest_waits() -> None:
    sentence = "Le forfait coûte 1 000 F et s'active avec *141*3# à tout moment. "
    async with house() as home:
        channel = home.channel()
        split = channel.split(Reply(sentence * 300, choices=(Choice("a", "Oui"),)))
        for reply in split.parts:
            await channel.send(OutboxPart(1, key(7), reply, SendState.SENDING, 0.0, 0.0))
        sent = home.fake.chats[7]
        assert len(sent) == 3
        assert [len(message.buttons) for message in sent] == [1, 1, 2]  # the choice rides on the last
        assert {code for message in sent for code in message.codes} == {"*141*3#"}
        assert split.rest


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec=None), min_size=1, max_size=40))
async def test_any_text_arrives(text: str, one: House) -> None:
    before = len(one.fake.sent)
    channel = one.channel()
    for reply in channel.split(Reply(text)).parts:
        await channel.send(OutboxPart(1, key(7), reply, SendState.SENDING, 0.0, 0.0))
    arrived = "".join(message.text for message in one.fake.sent[before:])
    assert arrived
    for start, end in ussd_codes(text):
        assert text[start:end] in arrived


FAULTS = [
    (faults.flood(7), RateLimited, 0),
    (faults.server_error(), SendInDoubt, 0),
    (faults.server_error(502), SendInDoubt, 0),
    (faults.server_error(processed=True), SendInDoubt, 1),
    (faults.reset(), SendInDoubt, 0),
    (faults.reset(processed=True), SendInDoubt, 1),
    (faults.half_answer(), SendInDoubt, 1),
    (faults.slow(30), SendInDoubt, 0),
    (faults.page(), SendInDoubt, 0),
    (faults.page(b'{"ok":true,"result":{}}'), SendInDoubt, 0),
    (faults.page(b"\xff\xfe", 302), SendInDoubt, 0),
    (faults.page(b"too slow", 408), SendInDoubt, 0),
    (faults.blocked(), ChatClosed, 0),
    (faults.bad_request("chat not found"), ChatClosed, 0),
    (faults.bad_request("PEER_ID_INVALID"), ChatClosed, 0),
    (faults.bad_request('can\'t parse entities: Unsupported start tag "x"'), MarkupRefused, 0),
    (faults.bad_request("BUTTON_DATA_INVALID"), MarkupRefused, 0),
    (faults.bad_request("message is too long"), SendRefused, 0),
    (faults.page(b"no", 413), SendRefused, 0),
    (faults.Fault(409, "Conflict: x"), SendRefused, 0),
    (faults.unauthorized(), ChannelBroken, 0),
    (faults.not_found(), ChannelBroken, 0),
]


@pytest.mark.parametrize(
    ("fault", "meaning", "copies"),
    FAULTS,
    ids=[f"{f.status or 'wire'}-{m.__name__}-{n}" for n, (f, m, _) in enumerate(FAULTS)],
)
async def test_what_a_failure_means(fault: faults.Fault, meaning: type[BotError], copies: int) -> None:
    async with house() as home:
        home.fake.faults.plan("sendMessage", fault)
        with pytest.raises(BotError) as failed:
            await home.channel(send_seconds=0.2).send(part(7, "Bonjour"))
        assert type(failed.value) is meaning
        assert len(home.fake.chats[7]) == copies
        assert home.fake.calls["sendMessage"] == 1  # one retry layer, and it is not here
        assert TOKEN not in str(failed.value)
        if isinstance(failed.value, RateLimited):
            assert failed.value.seconds == 7


async def test_a_flood_answer_of_a_proxy_names_its_time_in_a_header() -> None:
    async with house() as home:
        home.fake.faults.plan("sendMessage", faults.page(b"slow down", 429))
        with pytest.raises(RateLimited) as failed:
            await home.channel().send(part(7, "Bonjour"))
        assert failed.value.seconds >= 1


async def test_a_moved_group_is_followed_once() -> None:
    async with house() as home:
        home.fake.faults.plan("sendMessage", faults.migrated(-100200))
        await home.channel().send(part(-5, "Bonjour"))
        assert [message.text for message in home.fake.chats[-100200]] == ["Bonjour"]


async def test_nobody_listens() -> None:
    with socket.socket() as taken:  # bound, not listening: connecting is refused
        taken.bind(("127.0.0.1", 0))
        await _not_sent(f"http://127.0.0.1:{taken.getsockname()[1]}")


async def test_no_tls_at_the_other_end() -> None:
    async with FakeTelegram() as fake:
        await _not_sent(fake.url.replace("http:", "https:"))
        assert not fake.sent


async def test_all_connections_are_busy() -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with FakeTelegram() as fake, aiohttp.ClientSession(connector=connector) as session:
        channel = _channel(session, fake.url, send_seconds=0.3)
        fake.faults.plan("sendMessage", faults.slow(30))
        hanging = asyncio.create_task(_channel(session, fake.url).send(part(7, "eins")))
        await fake.wait_called("sendMessage")
        with pytest.raises(NotSent):
            await channel.send(part(8, "zwei"))
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        assert fake.calls["sendMessage"] == 1


async def _not_sent(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(NotSent) as failed:
            await _channel(session, url).send(part(7, "Bonjour"))
        chain: BaseException | None = failed.value
        while chain is not None:
            assert TOKEN not in f"{chain} {chain!r}"
            chain = chain.__cause__ or chain.__context__


def _channel(session: aiohttp.ClientSession, url: str, *, send_seconds: float = 10.0) -> TelegramChannel:
    endpoint = BotEndpoint(url, SecretStr(TOKEN))
    return TelegramChannel(session, endpoint, PartWords.of(TEXTS), send_seconds=send_seconds)


async def test_a_key_of_another_platform_is_refused_unsent() -> None:
    async with house() as home:
        with pytest.raises(SendRefused):
            await home.channel().send(part("NE.123", "Bonjour"))
        assert not home.fake.calls


async def test_typing_and_spinners_disturb_nobody() -> None:
    tap = InboundMessage(
        key(7), "1", MessageKind.CHOICE, "", Sender("7"), 0.0, 0.0, payload={"callback_id": "55"}
    )
    async with house() as home:
        channel = home.channel()
        await channel.show_typing(key(7), tap)
        await channel.show_typing(key(7), tap)  # kept alive: the spinner is taken off once
        assert home.fake.methods.typing[7] == 2
        await until(lambda: home.fake.methods.answered_callbacks == ["55"])
        for fault in (faults.blocked(), faults.server_error(), faults.reset(), faults.flood(3)):
            home.fake.faults.plan("*", fault, times=2)
            await channel.show_typing(key(7), tap)
        await channel.show_typing(key("x"), tap)


async def test_a_spinner_goes_though_the_turn_is_over_at_once() -> None:
    tap = InboundMessage(
        key(7), "1", MessageKind.CHOICE, "", Sender("7"), 0.0, 0.0, payload={"callback_id": "56"}
    )
    async with house() as home:
        channel = home.channel()
        typing = asyncio.create_task(channel.show_typing(key(7), tap))
        await asyncio.sleep(0)
        typing.cancel()
        await until(lambda: home.fake.methods.answered_callbacks == ["56"])


async def test_groups_are_told_once_and_channels_never() -> None:
    async with house() as home:
        home.fake.methods.chat_types[-100] = "channel"
        channel = home.channel()
        for chat in (-7, -7, -100):
            await channel.leave(key(chat))
            home.fake.methods.left.clear()  # invited again
        assert [message.text for message in home.fake.sent] == [TEXTS.get("telegram.farewell")]
        assert home.fake.calls["leaveChat"] == 3
        home.fake.faults.always("*", faults.reset())
        await channel.leave(key(-8))


async def test_commands_are_registered_until_telegram_takes_them() -> None:
    async with house() as home:
        home.fake.faults.plan("setMyCommands", faults.server_error(), faults.reset(), faults.page())
        await home.channel().register_commands(TEXTS, LISTED, retry_seconds=0.01)
        registered = home.fake.methods.commands
        assert set(registered) == {"", "ha", "en"}
        assert all(tuple(name for name, _ in commands) == LISTED for commands in registered.values())
        assert home.fake.calls["setMyCommands"] == 6


async def test_a_refused_token_ends_registering() -> None:
    async with house() as home:
        home.fake.faults.always("setMyCommands", faults.unauthorized())
        await home.channel().register_commands(TEXTS, LISTED, retry_seconds=60)
        assert not home.fake.methods.commands


@pytest.mark.parametrize("token", ["", "abc", "12:", ":abc", "x2:abc", "12:a\nb", "12:é"])
def test_a_token_of_another_shape_is_a_bad_setting(token: str) -> None:
    with pytest.raises(BadSettings, match="TELEGRAM_BOT_TOKEN"):
        BotEndpoint("https://api.telegram.org", SecretStr(token))


async def test_the_token_is_shown_nowhere() -> None:
    async with house() as home:
        channel = home.channel()
        shown = f"{vars(channel)!r} {home.endpoint!r} {channel._bot!r}"
        assert TOKEN not in shown
