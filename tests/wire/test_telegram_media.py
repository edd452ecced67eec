"""Voice notes: downloaded from the API's address only, and never more than the cap."""

from __future__ import annotations

import aiohttp
import pytest
from pydantic import SecretStr

from channels.telegram_media import MAX_BYTES, TelegramMedia
from channels.telegram_request import BotEndpoint
from domain.errors import BadInput, BotError, NotSent, RateLimited
from domain.messages import InboundMessage, MessageKind, Sender
from tests.fakes import telegram_faults as faults
from tests.fakes.telegram import TOKEN
from tests.wire.telegram_house import House, house, key


def voice(file_id: object = "F1") -> InboundMessage:
    payload = {"media_id": file_id}
    return InboundMessage(key(7), "1", MessageKind.VOICE, "", Sender("7"), 0.0, 0.0, payload=payload)


def media(home: House) -> TelegramMedia:
    return TelegramMedia(home.session, home.endpoint)


async def test_a_voice_note_is_loaded() -> None:
    async with house() as home:
        home.fake.methods.add_file("F1", b"OggS" * 1000)
        assert await media(home).fetch_voice(voice()) == b"OggS" * 1000


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 10, 0])
async def test_too_much_is_refused_whatever_telegram_claims(size: int) -> None:
    async with house() as home:
        home.fake.methods.add_file("F1", b"x" * (MAX_BYTES + 1), size=size)
        with pytest.raises(BadInput, match="too large"):
            await media(home).fetch_voice(voice())
        assert home.fake.calls["file"] == (0 if size > MAX_BYTES else 1)


async def test_exactly_the_cap_is_loaded() -> None:
    async with house() as home:
        home.fake.methods.add_file("F1", b"x" * MAX_BYTES)
        assert len(await media(home).fetch_voice(voice())) == MAX_BYTES


@pytest.mark.parametrize(
    "path",
    [
        "../../getMe",
        "voice/../../x",
        "/etc/passwd",
        "//example.org/x",
        "http://example.org/x",
        "voice/x?y",
        "voice/%2e%2e/x",
        "voice/é",
        "x" * 300,
    ],
)
async def test_only_paths_below_the_bots_own_files(path: str) -> None:
    async with house() as home:
        home.fake.methods.add_file("F1", b"x", path=path)
        with pytest.raises(BadInput, match="path"):
            await media(home).fetch_voice(voice())
        assert not home.fake.calls["file"]


@pytest.mark.parametrize("file_id", ["", None, "unknown"])
async def test_unknown_files(file_id: object) -> None:
    async with house() as home:
        with pytest.raises(BadInput):
            await media(home).fetch_voice(voice(file_id))


@pytest.mark.parametrize(
    ("method", "fault", "meaning"),
    [
        ("getFile", faults.flood(3), RateLimited),
        ("getFile", faults.server_error(), NotSent),
        ("getFile", faults.reset(), NotSent),
        ("getFile", faults.half_answer(), NotSent),
        ("getFile", faults.page(), BadInput),
        ("getFile", faults.page(b'{"ok":true,"result":[]}'), BadInput),
        ("getFile", faults.unauthorized(), BadInput),
        ("file", faults.reset(), NotSent),
        ("file", faults.half_answer(), NotSent),
        ("file", faults.page(b"", 302), BadInput),
        ("file", faults.page(b"", 404), BadInput),
    ],
)
async def test_failures_are_errors_of_ours(method: str, fault: faults.Fault, meaning: type[BotError]) -> None:
    async with house() as home:
        home.fake.methods.add_file("F1", b"OggS" * 10)
        home.fake.faults.plan(method, fault, times=2)  # aiohttp repeats a GET on a reused connection
        with pytest.raises(BotError) as failed:
            await media(home).fetch_voice(voice())
        assert type(failed.value) is meaning
        assert TOKEN not in str(failed.value)


async def test_telegram_is_down() -> None:
    async with aiohttp.ClientSession() as session:
        down = TelegramMedia(session, BotEndpoint("http://127.0.0.1:9", SecretStr(TOKEN)))
        with pytest.raises(NotSent):
            await down.fetch_voice(voice())
