"""Fetches the voice note of a message from Telegram, and from nowhere else."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson
from yarl import URL

from channels.telegram_request import (
    BotEndpoint,
    OutcomeUnknown,
    RequestNotSent,
    call,
    decoded,
    retry_after,
    timeouts,
)
from domain.errors import BadInput, NotSent, RateLimited
from domain.messages import InboundMessage

MAX_BYTES = 2 * 1024 * 1024
_CALL_SECONDS = 10.0
_FILE_SECONDS = 15.0
# A path below the bot's own files. A Bot API server in local mode gives a place on its own disk instead.
_PATH = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./-]{0,255}")


class TelegramMedia:
    """Downloads by file id; the size is checked before and while it loads."""

    def __init__(
        self, session: aiohttp.ClientSession, endpoint: BotEndpoint, *, max_bytes: int = MAX_BYTES
    ) -> None:
        self._session = session
        self._endpoint = endpoint
        self._max_bytes = max_bytes

    async def fetch_voice(self, message: InboundMessage) -> bytes:
        """The bytes of a voice note. Raises NotSent, RateLimited or BadInput."""
        file_id = str(message.payload.get("media_id") or "")
        if not file_id:
            raise BadInput("a voice note without file id")
        try:
            return await self._download(await self._path(file_id))
        except (RequestNotSent, OutcomeUnknown) as error:
            raise NotSent(f"voice note not loaded: {error.message}") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # The original may quote the address, thus the token.
            raise NotSent(f"voice note not loaded: {type(error).__name__}") from None

    async def _path(self, file_id: str) -> str:
        url = self._endpoint.method_url("getFile")
        body = orjson.dumps({"file_id": file_id})
        status, answer, headers = await call(self._session, url, body, seconds=_CALL_SECONDS)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimited("told to wait", seconds=float(retry_after(answer, headers)))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NotSent(f"getFile: HTTP {status}")
        found: Any = decoded(answer).get("result")
        path = found.get("file_path") if isinstance(found, dict) else None
        if status != HTTPStatus.OK or not isinstance(path, str) or not _PATH.fullmatch(path):
            raise BadInput(f"getFile gives no usable path (HTTP {status})")
        size = found.get("file_size")
        if isinstance(size, int) and size > self._max_bytes:
            raise BadInput("voice note too large")
        return path

    async def _download(self, path: str) -> bytes:
        url = URL(self._endpoint.file_url(path), encoded=True)
        async with self._session.get(url, timeout=timeouts(_FILE_SECONDS), allow_redirects=False) as response:
            if response.status != HTTPStatus.OK:
                raise BadInput(f"file: HTTP {response.status}")
            loaded = bytearray()
            async for chunk in response.content.iter_chunked(64 * 1024):
                loaded += chunk
                if len(loaded) > self._max_bytes:
                    raise BadInput("voice note too large")
            return bytes(loaded)
