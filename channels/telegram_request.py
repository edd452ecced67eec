"""HTTP for the Bot API on aiohttp, so that one HTTP stack serves the whole process.

The bot token lives in `BotEndpoint` only: python-telegram-bot is given a stand-in, because it logs its URLs
at DEBUG and shows its token in `repr(bot)`. What can go wrong on the wire is told apart by whether Telegram
may have seen the request: `RequestNotSent` or `OutcomeUnknown`; `ToldToWait` is a 429.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson
from pydantic import SecretStr
from telegram import Bot
from telegram.error import NetworkError, TelegramError
from telegram.request import BaseRequest, RequestData

from domain.errors import BadSettings
from transport.line import Line, harmless

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
_FLOOD_SECONDS = 5.0  # a 429 that names no time, as a proxy sends it
_JSON = {"Content-Type": "application/json"}
_RECEIPT = ("message_id", "date", "chat")
_NOT_SENT = (
    aiohttp.ClientConnectorError,  # DNS, refused, unreachable, TLS
    aiohttp.ConnectionTimeoutError,  # connecting, or waiting for a free connection
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


class RequestNotSent(NetworkError):
    """The request surely never reached Telegram."""


class OutcomeUnknown(NetworkError):
    """Telegram may or may not have done what was asked."""


class ToldToWait(TelegramError):
    """Telegram or a proxy said when to come back. The library's own RetryAfter warns at each use."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"told to wait {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class BotEndpoint:
    """Where one bot's API is. Raises BadSettings when the token has not the shape `123456:ABC...`."""

    base_url: str
    token: SecretStr

    def __post_init__(self) -> None:
        number, _, secret = self.token.get_secret_value().partition(":")
        if not (
            number.isascii() and number.isdigit() and secret.isascii() and secret.isprintable() and secret
        ):
            raise BadSettings("TELEGRAM_BOT_TOKEN n'a pas la forme 123456:ABC… donnée par @BotFather")

    @property
    def account(self) -> str:
        """The bot's own user id: known without asking Telegram."""
        return self.token.get_secret_value().partition(":")[0]

    def method_url(self, method: str) -> str:
        """Address of a Bot API method. Holds the token: never log it."""
        return f"{self.base_url.rstrip('/')}/bot{self.token.get_secret_value()}/{method}"

    def file_url(self, path: str) -> str:
        """Address of a file named by getFile. Holds the token: never log it."""
        return f"{self.base_url.rstrip('/')}/file/bot{self.token.get_secret_value()}/{path}"


@lru_cache  # asked at each call for one of a few
def timeouts(total: float) -> aiohttp.ClientTimeout:
    """At most `total` seconds in all, of which connecting may take five: what fails by then was not sent."""
    connect = min(CONNECT_SECONDS, total / 2)
    return aiohttp.ClientTimeout(total=total, connect=connect, sock_connect=connect)


async def call(
    way: aiohttp.ClientSession | Line,
    url: str,
    body: Any,
    *,
    seconds: float,
    headers: Mapping[str, str] = _JSON,
) -> tuple[int, bytes, Mapping[str, str]]:
    """POST and return status, body and headers. Raises RequestNotSent or OutcomeUnknown.

    What is asked all the time goes by a `Line`, which takes JSON only.
    """
    try:
        if isinstance(way, Line):
            return await way.post(url, body, timeouts(seconds))
        async with way.post(
            url, data=body, headers=headers, timeout=timeouts(seconds), allow_redirects=False
        ) as response:
            return response.status, await response.read(), response.headers
    except _NOT_SENT as error:
        raise RequestNotSent(harmless(error)) from None  # the original may quote the URL, thus the token
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise OutcomeUnknown(harmless(error)) from None


class AiohttpRequest(BaseRequest):
    """python-telegram-bot's HTTP seam on an injected session, which stays the caller's to close."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: BotEndpoint) -> None:
        self._session = session
        self._line = Line(session, endpoint.base_url)
        self._endpoint = endpoint

    @property
    def read_timeout(self) -> float:
        """Seconds for a whole call unless it says otherwise."""
        return READ_SECONDS

    async def initialize(self) -> None:
        """Nothing to open: the session is injected."""

    async def shutdown(self) -> None:
        """Nothing to close: the session is injected."""

    async def ask(self, method: str, fields: Mapping[str, Any], *, seconds: float) -> Any:
        """The result of one call, with the library's reading of errors but none of its objects.

        For a text the Bot itself costs more than the whole of the HTTP: it turns each argument into a
        parameter, and the answer into a Message, of which we need the number.
        """
        return await self.post(method, fields, read_timeout=seconds)  # type: ignore[arg-type]  # see do_request

    async def do_request(  # noqa: PLR0917  # the library's signature
        self,
        url: str,
        method: str,
        request_data: RequestData | Mapping[str, Any] | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Send one call. Raises RequestNotSent, OutcomeUnknown or ToldToWait."""
        seconds = read_timeout if isinstance(read_timeout, int | float) else READ_SECONDS
        address = self._endpoint.method_url(url.rpartition("/")[2])
        if isinstance(request_data, RequestData) and request_data.contains_files:
            status, payload, answered = await call(
                self._session, address, _form(request_data), seconds=seconds, headers={}
            )
        else:
            status, payload, answered = await call(self._line, address, _json(request_data), seconds=seconds)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise ToldToWait(retry_after(payload, answered))
        if (
            status >= HTTPStatus.INTERNAL_SERVER_ERROR
            or status == HTTPStatus.REQUEST_TIMEOUT
            or 300 <= status < 400
        ):
            raise OutcomeUnknown(f"HTTP {status}")
        return status, payload

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Decode an answer without ever logging it, as the base class would."""
        answer = decoded(payload)
        if "result" in answer or answer.get("ok") is False:
            result = answer.get("result")
            if isinstance(result, dict) and "message_id" in result:
                # A sent message comes back whole; the library would parse all of it for the number alone.
                answer["result"] = {name: result[name] for name in _RECEIPT if name in result}
            return answer
        raise TelegramError("Invalid server response")


def _json(data: RequestData | Mapping[str, Any] | None) -> bytes:
    return orjson.dumps(data.parameters if isinstance(data, RequestData) else data or {})


def _form(data: RequestData) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, media_type) in data.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=media_type)
    return form


def decoded(payload: bytes) -> dict[str, Any]:
    """The answer as an object; {} when it is none, however broken."""
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:
        try:
            answer = json.loads(payload)  # more patient with lone surrogates and huge integers
        except (ValueError, RecursionError):
            return {}
    return answer if isinstance(answer, dict) else {}


def retry_after(payload: bytes, headers: Mapping[str, str]) -> int:
    """Seconds a 429 asks us to wait: from the body, else from the header, else five."""
    parameters = decoded(payload).get("parameters")
    asked = parameters.get("retry_after") if isinstance(parameters, dict) else headers.get("Retry-After")
    try:
        return max(1, int(asked))  # type: ignore[arg-type]  # None and words end in the except below
    except (TypeError, ValueError, OverflowError):
        return int(_FLOOD_SECONDS)


def make_bot(request: AiohttpRequest, endpoint: BotEndpoint) -> Bot:
    """A Bot that needs no `initialize()`; the token it shows is a stand-in."""
    return Bot(f"{endpoint.account}:hidden", request=request, get_updates_request=request)
