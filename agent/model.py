"""The chat model: `ChatOpenAI` over the process's own HTTP pool.

The stock class spends 5-8 ms CPU per call in the SDK's request transform; the same JSON posted over aiohttp
costs 0.2 ms. One call is one attempt: no retry here. Whatever a server does wrong ends in ModelFailed (try
another way now), RateLimited (the server said when) or ModelRefused (the same request will fail again).
"""

from __future__ import annotations

import asyncio
import email.utils
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr, SecretStr

from agent.wire import BrokenCall, Call, Completion, Message
from config.settings import OPENAI_URL
from domain.errors import ModelFailed, ModelRefused, RateLimited
from transport.line import Line

MAX_RESPONSE_BYTES = 2 * 1024 * 1024
_MOST_BROKEN = 500  # characters of arguments that are no JSON, when they are shown to the model again


class ChatModel(ChatOpenAI):
    """One HTTP session, one attempt per call, no streaming, the same wire body as the stock class."""

    _completions: Completions = PrivateAttr()

    @classmethod
    def build(
        cls,
        http: aiohttp.ClientSession,
        *,
        model: str,
        base_url: str | None,
        key: SecretStr | None,
        timeout: float,
        max_tokens: int,
        temperature: float | None = 0.0,
    ) -> ChatModel:
        """A model on `http`. `timeout` bounds one attempt; ten silent seconds end it too."""
        chat = cls(
            model=model,
            base_url=base_url or OPENAI_URL,
            api_key=key or SecretStr("none"),
            timeout=timeout,
            max_retries=0,
            max_completion_tokens=max_tokens,
            temperature=temperature,
            use_responses_api=False,
            streaming=False,
            cache=False,
        )
        parameters = dict(chat._default_params)
        if "max_tokens" in parameters:
            parameters["max_completion_tokens"] = parameters.pop("max_tokens")
        server = (base_url or OPENAI_URL).rstrip("/")
        headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        chat._completions = Completions(
            Line(http, server, headers=headers, most=MAX_RESPONSE_BYTES),
            f"{server}/chat/completions",
            # A slow server that was given more than 15 s may also be silent for longer than ten.
            aiohttp.ClientTimeout(total=timeout, sock_connect=5, sock_read=max(10.0, timeout * 2 / 3)),
            parameters,
        )
        return chat

    @property
    def completions(self) -> Completions:
        """The same calls without LangChain around them."""
        return self._completions

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        body = self._get_request_payload(messages, stop=stop, **kwargs)
        message = _langchain_message(await self._completions.ask(body))
        return ChatResult(generations=[ChatGeneration(message=message)])


@dataclass(frozen=True, slots=True)
class Completions:
    """One server and its parameters. Apart from ChatModel, whose attributes pydantic looks up slowly."""

    line: Line
    url: str
    limits: aiohttp.ClientTimeout
    parameters: Mapping[str, Any]

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        until: float = math.inf,
    ) -> Completion:
        """One model call, ended at loop time `until`. Raises ModelFailed, RateLimited or ModelRefused."""
        body = {**self.parameters, "messages": messages}
        if tools:
            body["tools"] = tools
        return await self.ask(body, until=until)

    async def ask(self, body: Mapping[str, Any], *, until: float = math.inf) -> Completion:
        """What the server answers to a whole body. Raises like `complete`."""
        limits = self._within(until)
        try:
            status, answer, headers = await self.line.post(self.url, orjson.dumps(body), limits)
        except TimeoutError as error:
            raise ModelFailed("the model did not answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ModelFailed(f"no connection to the model: {type(error).__name__}") from error
        if status != 200:
            raise _fault(status, headers.get("Retry-After"))
        return read_completion(answer)

    def _within(self, until: float) -> aiohttp.ClientTimeout:
        """The limits of a call, or the tighter one of a turn that has less time left."""
        own = self.limits
        left = until - asyncio.get_running_loop().time()
        if own.total is not None and own.total <= left:
            return own
        return aiohttp.ClientTimeout(total=left, sock_connect=own.sock_connect, sock_read=own.sock_read)


def _fault(status: int, retry_after: str | None) -> Exception:
    if status == 429 or (status == 503 and retry_after):
        return RateLimited(f"the model answered {status}", seconds=_seconds(retry_after))
    if status in {400, 413, 422}:
        return ModelRefused(f"the model answered {status}", ours=True)
    if status < 500 and status not in {408, 409, 425}:
        return ModelRefused(f"the model answered {status}", ours=False)
    return ModelFailed(f"the model answered {status}")


def _seconds(header: str | None) -> float:
    """Retry-After as seconds: a number or an HTTP date; one second when it says neither."""
    if not header:
        return 1.0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return 1.0


def read_completion(payload: bytes) -> Completion:
    """The message of a response document, tolerant of servers that bend the format. Raises ModelFailed."""
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise ModelFailed("the model's answer is not JSON") from error
    choices = document.get("choices") if isinstance(document, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(message, dict):
        raise ModelFailed("the model's answer holds no message")
    calls, broken = _read_calls(message.get("tool_calls"))
    text = _read_text(message.get("content"))
    if not (text.strip() or calls or broken):
        raise ModelFailed(
            "the model's answer is empty" if not message.get("refusal") else "the model refused"
        )
    return Completion(text, calls, broken, *_read_usage(document.get("usage")))


def _read_text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):  # content blocks, as some servers answer
        texts = (b.get("text") for b in content if isinstance(b, dict))
        return "".join(t for t in texts if isinstance(t, str))
    return ""


def _read_calls(raw: object) -> tuple[tuple[Call, ...], tuple[BrokenCall, ...]]:
    calls: list[Call] = []
    broken: list[BrokenCall] = []
    for i, item in enumerate(raw if isinstance(raw, list) else ()):
        function = item.get("function") if isinstance(item, dict) else None
        if not isinstance(function, dict):
            continue
        name, call_id = str(function.get("name") or ""), str(item.get("id") or f"call_{i}")
        arguments = _read_arguments(function.get("arguments"))
        if arguments is None:
            broken.append(BrokenCall(call_id, name, str(function.get("arguments"))[:_MOST_BROKEN]))
        else:
            calls.append(Call(call_id, name, arguments))
    return tuple(calls), tuple(broken)


def _read_arguments(raw: object) -> dict[str, Any] | None:
    if raw is None or raw == "":
        return {}
    if isinstance(raw, dict):
        return raw
    try:
        value = orjson.loads(raw) if isinstance(raw, str) else None
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _read_usage(raw: object) -> tuple[int, int]:
    """The tokens of the prompt and of the answer."""
    usage = raw if isinstance(raw, dict) else {}
    prompt, written = (
        value if isinstance(value := usage.get(name), int) and value >= 0 else 0
        for name in ("prompt_tokens", "completion_tokens")
    )
    return prompt, written


def _langchain_message(said: Completion) -> AIMessage:
    prompt, written = said.prompt_tokens, said.completion_tokens
    usage = UsageMetadata(input_tokens=prompt, output_tokens=written, total_tokens=prompt + written)
    return AIMessage(
        content=said.text,
        tool_calls=[tool_call(name=c.name, args=dict(c.arguments), id=c.id) for c in said.calls],
        invalid_tool_calls=[
            invalid_tool_call(name=c.name, args=c.written, id=c.id, error="arguments are not JSON")
            for c in said.broken
        ],
        usage_metadata=usage if usage["total_tokens"] else None,
    )
