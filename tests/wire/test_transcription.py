"""Voice notes to words, through a model server's transcription address."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.transcription import Transcriber
from domain.errors import ModelFailed
from tests.fakes.openai import FakeOpenAI

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_voice_note_becomes_words(http: aiohttp.ClientSession) -> None:
    async with FakeOpenAI(transcript="ina son data ta mako") as server:
        transcriber = Transcriber(http, base_url=server.url, key="sk-test", model="whisper-1")
        assert await transcriber.transcribe(b"OggS...") == "ina son data ta mako"


async def test_what_is_sent(http: aiohttp.ClientSession) -> None:
    seen: dict[str, str] = {}

    async def take(request: web.Request) -> web.Response:
        form = await request.post()
        voice = form["file"]
        assert isinstance(voice, web.FileField)
        seen.update(model=str(form["model"]), name=voice.filename, type=voice.content_type)
        seen["authorization"] = request.headers["Authorization"]
        assert "language" not in form
        return web.json_response({"text": " bonjour "})

    async with _serving(take) as server:
        transcriber = Transcriber(http, base_url=str(server.make_url("/")), key="sk-test", model="whisper-1")
        await transcriber.transcribe(b"OggS")
    assert seen == {
        "model": "whisper-1",
        "name": "voice.ogg",
        "type": "audio/ogg",
        "authorization": "Bearer sk-test",
    }


@pytest.mark.parametrize(
    "response",
    [
        {"status": 500},
        {"status": 401},
        {"body": b"not json"},
        {"body": b'{"words": []}'},
        {"body": b"[1]"},
        {"body": b'{"text": null}'},
    ],
)
async def test_faults_are_failures_of_the_model(
    response: dict[str, object], http: aiohttp.ClientSession
) -> None:
    async def fail(_: web.Request) -> web.Response:
        return web.Response(**response)  # type: ignore[arg-type]  # a table of arguments

    async with _serving(fail) as server:
        transcriber = Transcriber(http, base_url=str(server.make_url("/")), key=None, model="whisper-1")
        with pytest.raises(ModelFailed):
            await transcriber.transcribe(b"OggS")


async def test_nobody_there(http: aiohttp.ClientSession) -> None:
    transcriber = Transcriber(http, base_url="http://127.0.0.1:9", key=None, model="whisper-1")
    with pytest.raises(ModelFailed):
        await transcriber.transcribe(b"OggS")


def _serving(handler: Handler) -> TestServer:
    app = web.Application()
    app.router.add_post("/audio/transcriptions", handler)
    return TestServer(app)
