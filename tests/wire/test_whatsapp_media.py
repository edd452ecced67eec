"""Media: from Meta's hosts only, bounded, checked, and fetched again at most once."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest
from pydantic import SecretStr

from channels.whatsapp_graph import Graph, GraphEndpoint
from channels.whatsapp_media import WhatsAppMedia
from channels.whatsapp_parse import parse_webhook
from config.settings import Settings
from domain.errors import BadInput, BotError, ChannelBroken, NotSent
from domain.messages import InboundMessage
from tests.fakes.whatsapp import FakeGraph
from tests.fakes.whatsapp_payloads import ACCOUNT, message, one
from tests.fakes.whatsapp_steps import Media
from tests.wire.whatsapp_bot import graph_client

VOICE = b"OggS" + bytes(range(256)) * 40
HOSTS = ("graph.facebook.com", "lookaside.fbsbx.com", ".fbcdn.net", ".whatsapp.net")


def note(data: bytes = VOICE, media_id: str = "77") -> InboundMessage:
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    raw = message("audio", {"id": media_id, "mime_type": "audio/ogg", "sha256": digest, "voice": True})
    return parse_webhook(one(raw), ACCOUNT, now=1.0).messages[0]


@asynccontextmanager
async def opened(media: Media, *, limit: int = 64 * 1024) -> AsyncIterator[tuple[WhatsAppMedia, FakeGraph]]:
    async with FakeGraph() as graph, graph_client(graph) as client:
        graph.media["77"] = media
        yield WhatsAppMedia(client, hosts=HOSTS, max_bytes=limit), graph


async def test_a_voice_note_arrives_whole() -> None:
    async with opened(Media(VOICE)) as (media, graph):
        assert await media.fetch(note()) == VOICE
        assert graph.media["77"].downloaded == 1


async def test_an_address_that_expired_is_asked_for_once_more() -> None:
    async with opened(Media(VOICE, missing=1)) as (media, graph):
        assert await media.fetch(note()) == VOICE
        assert (graph.media["77"].looked_up, graph.media["77"].downloaded) == (2, 2)


async def test_at_most_two_tries() -> None:
    async with opened(Media(VOICE, missing=99)) as (media, graph):
        with pytest.raises(BadInput, match="gone"):
            await media.fetch(note())
        assert graph.media["77"].downloaded == 2


@pytest.mark.parametrize(
    "stored",
    [
        Media(b"other bytes"),
        Media(VOICE, size=10**9),
        Media(b"x" * 100_000),
        Media(b"x" * 100_000, size=10),
        Media(VOICE, url="https://evil.example/voice.ogg"),
        Media(VOICE, url="http://lookaside.fbsbx.com/x"),
        Media(VOICE, url="not an address"),
        Media(VOICE, url="http://["),
        Media(VOICE, redirect="https://evil.example/voice.ogg"),
        Media(VOICE, redirect=""),
    ],
    ids=[
        "damaged",
        "announced too large",
        "too large",
        "larger than announced",
        "foreign host",
        "no TLS",
        "no address",
        "broken address",
        "foreign redirect",
        "whole",
    ],
)
async def test_what_must_not_be_used_is_refused(stored: Media) -> None:
    said = b"x" * 100_000 if stored.data.startswith(b"x") else VOICE
    async with opened(replace(stored)) as (media, _):
        if stored == Media(VOICE):
            assert await media.fetch(note(said)) == VOICE
        else:
            with pytest.raises(BadInput):
                await media.fetch(note(said))


async def test_a_redirect_loop_ends() -> None:
    async with opened(Media(VOICE)) as (media, graph):
        graph.media["77"].redirect = f"http://127.0.0.1:{graph.port}/download/77"
        with pytest.raises(BadInput, match="too often"):
            await media.fetch(note())
        assert graph.media["77"].downloaded == 3


@pytest.mark.parametrize("media_id", ["", "unknown", "../106540352242922", "77?x=1", "a" * 300])
async def test_ids_that_name_no_media(media_id: str) -> None:
    async with opened(Media(VOICE)) as (media, graph):
        with pytest.raises(BadInput):
            await media.fetch(note(media_id=media_id))
        assert graph.media["77"].looked_up == 0


async def test_a_platform_that_is_down_or_refuses_us() -> None:
    async with FakeGraph() as graph:
        graph.media["77"] = Media(VOICE)
        async with graph_client(graph, token="wrong") as client:
            with pytest.raises(ChannelBroken):
                await WhatsAppMedia(client, hosts=HOSTS).fetch(note())
        async with graph_client(graph) as client:
            await graph.stop()
            with pytest.raises(NotSent):
                await WhatsAppMedia(client, hosts=HOSTS).fetch(note())
    assert issubclass(NotSent, BotError)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://graph.facebook.com/v26.0/77", True),
        ("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1", True),
        ("https://LOOKASIDE.fbsbx.com:443/x", True),
        ("https://scontent.xx.fbcdn.net/x", True),
        ("https://mmg.whatsapp.net/x", True),
        ("http://lookaside.fbsbx.com/x", False),
        ("https://lookaside.fbsbx.com:8443/x", False),
        ("https://lookaside.fbsbx.com.evil.example/x", False),
        ("https://evil.example/lookaside.fbsbx.com", False),
        ("https://lookaside.fbsbx.com@evil.example/x", False),
        ("https://user:pass@lookaside.fbsbx.com/x", False),
        ("https://evilfbcdn.net/x", False),
        ("https://fbcdn.net.evil.example/x", False),
        ("https://127.0.0.1/x", False),
        ("https://169.254.169.254/latest", False),
        ("ftp://graph.facebook.com/x", False),
        ("file:///etc/passwd", False),
        ("https://graph.facebook.com:99999/x", False),
        ("//graph.facebook.com/x", False),
        ("", False),
    ],
)
async def test_hosts_the_token_may_travel_to(url: str, allowed: bool) -> None:
    defaults = Settings(_env_file=None).whatsapp_media_hosts  # type: ignore[call-arg]
    endpoint = GraphEndpoint("https://graph.facebook.com/v26.0", SecretStr("abc"), ACCOUNT)
    async with aiohttp.ClientSession() as session:
        assert WhatsAppMedia(Graph(session, endpoint), hosts=defaults).allows(url) is allowed
