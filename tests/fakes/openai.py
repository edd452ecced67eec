"""A model server that speaks the OpenAI wire format, scripted per request.

In a test: `async with FakeOpenAI([answer("..."), fail(503)]) as server:`; the last step repeats.
For benchmarks, as a process of its own: `python -m tests.fakes.openai --port N --delay S --script rag`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import orjson
from aiohttp import web

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """What the server does with one request."""

    text: str | None = None
    calls: tuple[tuple[str, object], ...] = ()
    refusal: str | None = None
    delay: float = 0.0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    content_type: str = "application/json"
    arguments_as_object: bool = False
    cut: bool = False
    hang: bool = False


Script = Callable[[Body], Step]


def answer(text: str, *, delay: float = 0.0) -> Step:
    return Step(text=text, delay=delay)


def call(name: str, arguments: object = None, *, as_object: bool = False) -> Step:
    """One tool call; a string travels as the arguments it is, so that broken JSON can be sent."""
    return Step(calls=((name, {} if arguments is None else arguments),), arguments_as_object=as_object)


def fail(status: int, *, retry_after: str | None = None) -> Step:
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return Step(status=status, headers=headers, raw=b'{"error":{"message":"scripted","type":"server_error"}}')


def refuse(reason: str = "I can't help with that.") -> Step:
    return Step(refusal=reason)


EMPTY = Step(text="")
NULL = Step()
NOT_JSON = Step(raw=b'{"choices": [{"message": {"content": "cou')
NOT_OBJECT = Step(raw=b"[]")
NO_CHOICES = Step(raw=b'{"choices": null}')
HTML = Step(raw=b"<html><body>Bad gateway</body></html>", content_type="text/html")
CUT = Step(text="Une longue phrase que personne ne lira jusqu'au bout.", cut=True)
HANG = Step(hang=True)


class FakeOpenAI:
    """The server. `bodies` holds what was asked of /chat/completions, in order."""

    def __init__(
        self, script: Iterable[Step] | Script = (), *, transcript: str = "bonjour", record: bool = True
    ) -> None:
        self._script = script if callable(script) else _in_order(tuple(script) or (answer("Bonjour."),))
        self._transcript = transcript
        self._record = record
        self._runner: web.AppRunner | None = None
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def app(self) -> web.Application:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/embeddings", _embeddings)
        app.router.add_post("/v1/audio/transcriptions", self._transcriptions)
        return app

    async def start(self, port: int = 0) -> None:
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = orjson.loads(await request.read())
        if self._record:
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
        step = self._script(body)
        if step.hang:
            await asyncio.sleep(3600)
        if step.delay:
            await asyncio.sleep(step.delay)
        payload = step.raw if step.raw is not None else completion(step, body)
        if step.cut:
            return await _cut(request, payload)
        if body.get("stream") and step.raw is None:
            return await _stream(request, step)
        return web.Response(
            body=payload, status=step.status, content_type=step.content_type, headers=step.headers
        )

    async def _transcriptions(self, request: web.Request) -> web.Response:
        await request.post()
        return web.json_response({"text": self._transcript})


def _in_order(steps: tuple[Step, ...]) -> Script:
    rest = list(steps)

    def script(_: Body) -> Step:
        return rest.pop(0) if len(rest) > 1 else rest[0]

    return script


def completion(step: Step, body: Body) -> bytes:
    """The response document of a step; token counts follow the sizes, as a real server's would."""
    prompt = len(orjson.dumps(body.get("messages", []))) // 4
    written = len(step.text or "") // 4 + 10 * len(step.calls)
    document = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1,
        "model": body.get("model", "fake"),
        "choices": [
            {"index": 0, "message": _message(step), "finish_reason": "tool_calls" if step.calls else "stop"}
        ],
        "usage": {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written},
    }
    return orjson.dumps(document)


def _message(step: Step) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": step.text, "refusal": step.refusal}
    if step.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{i}",
                "type": "function",
                "function": {"name": name, "arguments": _arguments(value, step.arguments_as_object)},
            }
            for i, (name, value) in enumerate(step.calls)
        ]
    return message


def _arguments(value: object, as_object: bool) -> object:
    return value if as_object or isinstance(value, str) else orjson.dumps(value).decode()


async def _cut(request: web.Request, payload: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(payload)
    await response.prepare(request)
    await response.write(payload[: len(payload) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response


async def _stream(request: web.Request, step: Step) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in re.findall(r"\S+\s*", step.text or "")]
    deltas += [
        {"tool_calls": [{"index": i, **item}]} for i, item in enumerate(_message(step).get("tool_calls", ()))
    ]
    for delta in deltas:
        await response.write(_event({"delta": delta, "index": 0, "finish_reason": None}))
    last = "tool_calls" if step.calls else "stop"
    await response.write(_event({"delta": {}, "index": 0, "finish_reason": last}) + b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _event(choice: Mapping[str, Any]) -> bytes:
    chunk = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": "fake"}
    return b"data: " + orjson.dumps({**chunk, "choices": [choice]}) + b"\n\n"


async def _embeddings(request: web.Request) -> web.Response:
    body = orjson.loads(await request.read())
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [{"object": "embedding", "index": i, "embedding": vector(str(t))} for i, t in enumerate(texts)]
    usage = {"prompt_tokens": sum(len(str(t)) for t in texts) // 4, "total_tokens": 0}
    document = {"object": "list", "model": body.get("model"), "data": data, "usage": usage}
    return web.Response(body=orjson.dumps(document), content_type="application/json")


def vector(text: str, size: int = 256) -> list[float]:
    """A hashed bag of words, unit length: the same words are near each other, on every machine."""
    values = [0.0] * size
    for word in re.findall(r"\w+", text.lower()):
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        values[int.from_bytes(digest[:4], "big") % size] += 1.0 if digest[4] & 1 else -1.0
    length = sum(v * v for v in values) ** 0.5 or 1.0
    return [v / length for v in values]


PLAIN_ANSWER = "Bonjour, posez-moi votre question sur les forfaits Airtel."
_OFFER_ANSWER = "400 Mo pour 500 F, valable 7 jours.\n*141*3#"


def rag(body: Body) -> Step:
    """First a search with the offered tool, then an answer that quotes what the tool found."""
    found = [m["content"] for m in body["messages"][-3:] if m.get("role") == "tool"]
    if found:
        return answer(quoted(str(found[-1])))
    return Step(calls=(_search(body),))


def _search(body: Body) -> tuple[str, object]:
    for tool in body.get("tools", ()):
        function = tool["function"]
        if "query" in function["parameters"].get("properties", {}) and function["name"] != "search_knowledge":
            return function["name"], {"query": str(body["messages"][-1].get("content", ""))[:200]}
    return "search_offers", {"budget": 500, "days": 7}


def quoted(found: str) -> str:
    """The first passage of a tool result, marked by "[1]"; a fixed true answer when there is none."""
    match = re.search(r"^\[1\] ?(.+(?:\n(?!\[|</).+)*)", found, re.MULTILINE)
    return match[1][:400] if match else _OFFER_ANSWER


SCRIPTS: dict[str, Script] = {"rag": rag, "plain": lambda _: answer(PLAIN_ANSWER)}


def delayed(script: Script, delay: float) -> Script:
    return (lambda body: replace(script(body), delay=delay)) if delay else script


async def _serve(port: int, delay: float, script: str) -> None:
    server = FakeOpenAI(delayed(SCRIPTS[script], delay), record=False)
    await server.start(port)
    print(server.url, flush=True)  # noqa: T201 - how the starter learns the port
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="An OpenAI-compatible model server for benchmarks")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--script", choices=sorted(SCRIPTS), default="rag")
    options = parser.parse_args()
    run: Callable[[Any], None] = asyncio.run
    with contextlib.suppress(ImportError):
        import uvloop

        run = uvloop.run
    try:
        run(_serve(options.port, options.delay, options.script))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
