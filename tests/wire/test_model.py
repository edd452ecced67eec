"""The lean chat model: the stock class's body on the wire, and one kind of error for each kind of fault."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agent.model import ChatModel
from agent.tools import tool_schemas
from agent.wire import Completion, Message, assistant, remembered, tool
from domain.errors import ModelFailed, ModelRefused, RateLimited
from tests.fakes.openai import (
    CUT,
    EMPTY,
    HANG,
    HTML,
    NO_CHOICES,
    NOT_JSON,
    NOT_OBJECT,
    NULL,
    FakeOpenAI,
    Step,
    answer,
    call,
    fail,
    refuse,
)

TALK: list[AnyMessage] = [
    SystemMessage("Tu réponds."),
    HumanMessage("j'ai 500 F", id="web:1"),
    AIMessage("", tool_calls=[{"name": "search_offers", "args": {"budget": 500}, "id": "call_0"}]),
    ToolMessage("[1] 400 Mo à 500 F", tool_call_id="call_0"),
    AIMessage("400 Mo à 500 F\n*141*3#", id="web:1:answer"),
    HumanMessage("merci ɗ 🌟"),
]
ASKED = [remembered(message) for message in TALK]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def lean(http: aiohttp.ClientSession, server: FakeOpenAI, *, timeout: float = 5) -> ChatModel:
    return ChatModel.build(
        http,
        model="gpt-4o-mini",
        base_url=server.url,
        key=SecretStr("sk-test"),
        timeout=timeout,
        max_tokens=321,
        temperature=0.2,
    )


async def test_the_wire_body_is_that_of_the_stock_class(http: aiohttp.ClientSession) -> None:
    async with FakeOpenAI([answer("Bien.")]) as server:
        client = ChatOpenAI(
            model="gpt-4o-mini",
            base_url=server.url,
            api_key=SecretStr("sk-test"),
            timeout=5,
            max_retries=0,
            max_completion_tokens=321,
            temperature=0.2,
            use_responses_api=False,
        )
        tools = [dict(schema) for schema in tool_schemas()]
        model = lean(http, server)
        await client.bind_tools(tools).ainvoke(TALK)
        await model.completions.complete(ASKED, tools=tools)
        await model.bind_tools(tools).ainvoke(TALK)
        await client.ainvoke(TALK[:2])
        await model.completions.complete(ASKED[:2])
        stock, complete, invoke, stock_plain, complete_plain = server.bodies
        for body in server.bodies:
            assert body.pop("stream", False) is False
        assert complete == stock
        assert invoke == stock
        assert complete_plain == stock_plain
        assert {headers["Authorization"] for headers in server.headers} == {"Bearer sk-test"}
        await client.root_async_client.close()


async def test_an_answer_and_its_usage(http: aiohttp.ClientSession) -> None:
    async with FakeOpenAI([answer("Bonjour.")]) as server:
        got = await lean(http, server).completions.complete(ASKED)
        assert got.text == "Bonjour."
        assert got.prompt_tokens > 0
        assert got.completion_tokens > 0


async def test_what_langchain_is_told(http: aiohttp.ClientSession) -> None:
    script = [answer("Bonjour."), Step(text="d'abord", calls=(("f", {"a": 1}), ("g", "{broken")))]
    async with FakeOpenAI(script) as server:
        model = lean(http, server)
        plain, calling = await model.ainvoke(TALK), await model.ainvoke(TALK)
        assert plain.text == "Bonjour."
        assert plain.usage_metadata is not None
        assert plain.usage_metadata["input_tokens"] > 0
        assert [(c["id"], c["name"], c["args"]) for c in calling.tool_calls] == [("call_0", "f", {"a": 1})]
        assert [(c["id"], c["args"]) for c in calling.invalid_tool_calls] == [("call_1", "{broken")]


async def test_tool_calls_in_every_spelling(http: aiohttp.ClientSession) -> None:
    script = [
        call("f", {"a": 1}),
        call("f", {"a": 1}, as_object=True),
        call("f", ""),
        call("f", "{broken"),
        call("f", "[1]"),
        Step(text="d'abord", calls=(("f", {}), ("g", {}))),
    ]
    async with FakeOpenAI(script) as server:
        model = lean(http, server).completions
        plain, as_object, none, broken, not_object, two = [await model.complete(ASKED) for _ in script]
        assert plain.calls == as_object.calls
        assert plain.calls[0].arguments == {"a": 1}
        assert none.calls[0].arguments == {}
        assert [c.name for c in (*broken.broken, *not_object.broken)] == ["f", "f"]
        assert [c.name for c in two.calls] == ["f", "g"]
        assert two.text == "d'abord"
        await model.complete([*ASKED[:2], _said(broken), tool("Erreur", "call_0")])
        assert server.bodies[-1]["messages"][2]["tool_calls"][0]["function"]["arguments"] == "{broken"


def _said(completion: Completion) -> Message:
    return assistant(completion.text, completion.calls, completion.broken)


PASSING = [
    *(
        fail(500),
        fail(502),
        fail(503),
        fail(408),
        fail(409),
        CUT,
        EMPTY,
        HTML,
        NO_CHOICES,
        NOT_JSON,
        NOT_OBJECT,
    ),
    *(NULL, refuse(), Step(raw=b"[" * 100_000), Step(raw=b'{"choices":[{"message":"x"}]}')),
    *(Step(raw=b'{"choices":[{"message":{"content":{"a":1}}}]}'), Step(text="x" * 3_000_000)),
]


@pytest.mark.parametrize("step", PASSING, ids=range(len(PASSING)))
async def test_passing_faults(step: Step, http: aiohttp.ClientSession) -> None:
    async with FakeOpenAI([step]) as server:
        with pytest.raises(ModelFailed) as caught:
            await lean(http, server).completions.complete(ASKED)
        assert not isinstance(caught.value, ModelRefused)
        assert len(server.bodies) == 1  # no hidden retry


@pytest.mark.parametrize(
    ("status", "ours"), [(400, True), (413, True), (422, True), (401, False), (404, False)]
)
async def test_lasting_faults(status: int, ours: bool, http: aiohttp.ClientSession) -> None:
    async with FakeOpenAI([fail(status)]) as server:
        with pytest.raises(ModelRefused) as caught:
            await lean(http, server).completions.complete(ASKED)
        assert caught.value.ours is ours


@pytest.mark.parametrize(
    ("step", "seconds"),
    [
        (fail(429), 1.0),
        (fail(429, retry_after="7"), 7.0),
        (fail(429, retry_after="0.5"), 0.5),
        (fail(429, retry_after="-3"), 0.0),
        (fail(429, retry_after="bientôt".encode().hex()), 1.0),
        (fail(429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), 0.0),
        (fail(503, retry_after="3"), 3.0),
    ],
)
async def test_a_server_that_says_when(step: Step, seconds: float, http: aiohttp.ClientSession) -> None:
    async with FakeOpenAI([step]) as server:
        with pytest.raises(RateLimited) as caught:
            await lean(http, server).completions.complete(ASKED)
        assert caught.value.seconds == seconds


async def test_a_silent_server_and_none_at_all(http: aiohttp.ClientSession) -> None:
    async with FakeOpenAI([HANG]) as server:
        with pytest.raises(ModelFailed, match="in time"):
            await lean(http, server, timeout=0.1).completions.complete(ASKED)
        model = lean(http, server)
    with pytest.raises(ModelFailed, match="no connection"):
        await model.completions.complete(ASKED)


async def test_a_redirect_is_not_followed(http: aiohttp.ClientSession) -> None:
    step = Step(status=307, headers={"Location": "http://127.0.0.1:9/steal"}, raw=b"")
    async with FakeOpenAI([step]) as server:
        with pytest.raises(ModelFailed):
            await lean(http, server).completions.complete(ASKED)
