"""Our own getUpdates loop: an offset moves only after the updates below it are on disk."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from channels.telegram_parse import ALLOWED_UPDATES, update_id_of
from channels.telegram_request import BotEndpoint, OutcomeUnknown, RequestNotSent, call, decoded, retry_after
from channels.telegram_updates import SetAside, Updates
from channels.telegram_waits import Waits
from config.texts import Texts
from domain.errors import Overloaded, StoreUnavailable
from domain.messages import AcceptMessages
from transport.line import Line

BATCH = 100
_GRACE_SECONDS = 15.0  # beyond the long poll, for the answer to arrive over a slow line
_CALL_SECONDS = 10.0
_CONFLICTS_TOLERATED = 3
_CONFLICT_MEMORY = 60.0
_FAILURES_TOLERATED = 5
_UPDATE_ID = re.compile(rb'"update_id"\s*:\s*(\d{1,18})\b')

logger = logging.getLogger(__name__)


class TelegramPoller:
    """Receives the updates of one bot by long polling. Implements `Receiver`.

    It starts at offset 0 and lets the inbox remove duplicates. While `busy()` holds it does not ask:
    Telegram keeps updates for 24 hours. `trouble` says in French why nothing arrives, "" while all is well;
    `on_trouble` is told ("TROUBLE", the same) once per episode.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: BotEndpoint,
        accept: AcceptMessages,
        *,
        busy: Callable[[], bool],
        set_aside: SetAside,
        texts: Texts,
        on_trouble: Callable[[str, str], None],
        waits: Waits = Waits(),  # noqa: B008  # frozen
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.trouble = ""
        self._line = Line(session, endpoint.base_url)
        self._endpoint = endpoint
        self._updates = Updates(endpoint.account, accept, set_aside, clock=clock)
        self._busy = busy
        self._texts = texts
        self._on_trouble = on_trouble
        self._waits = waits
        self._offset = 0
        self._limit = BATCH
        self._failures = 0
        self._conflicts = 0
        self._last_conflict = 0.0

    async def run(self) -> None:
        """Receive until cancelled; survives every error."""
        while True:
            try:
                pause = await self._round()
            except Exception:  # the loop must survive whatever a store or a parser does
                logger.exception("polling failed", extra={"action": "telegram.poll"})
                pause = self._failed("")
            if pause:
                await asyncio.sleep(pause)

    async def _round(self) -> float:
        """Ask once and take what comes; returns the seconds to wait before the next round."""
        if self._busy():
            return self._waits.busy
        asked = asyncio.get_running_loop().time()
        try:
            status, body, headers = await self._get_updates()
        except (RequestNotSent, OutcomeUnknown) as error:
            return self._failed(error.message)
        if status != HTTPStatus.OK:
            return await self._refused(status, body, headers)
        try:
            pause = await self._take(body)
        except Overloaded as error:
            return max(error.seconds, self._waits.busy)
        except StoreUnavailable as error:
            logger.warning("inbox: %s; nothing is confirmed", error, extra={"action": "telegram.held"})
            return self._failed("")
        waited = asyncio.get_running_loop().time() - asked >= self._waits.busy
        return pause if pause or self._offset or waited else self._waits.first

    async def _get_updates(self) -> tuple[int, bytes, Mapping[str, str]]:
        asking: dict[str, Any] = {
            "offset": self._offset,
            "limit": self._limit,
            "timeout": self._waits.poll,
            "allowed_updates": ALLOWED_UPDATES,
        }
        seconds = self._waits.poll + _GRACE_SECONDS
        url = self._endpoint.method_url("getUpdates")
        return await call(self._line, url, orjson.dumps(asking), seconds=seconds)

    async def _take(self, body: bytes) -> float:
        updates = decoded(body).get("result")
        if not isinstance(updates, list):
            return await self._unreadable(body)
        await self._updates.take(updates)
        numbers = [number for number in map(update_id_of, updates) if number is not None]
        if updates and not numbers:
            return self._failed("updates without a number")
        # After an empty answer everything below the offset is forgotten, so nothing comes twice from 0; and
        # Telegram may begin its numbers anew, lower, after a quiet week.
        self._offset = max(numbers, default=-1) + 1
        self._works()
        return 0.0

    async def _unreadable(self, body: bytes) -> float:
        """An answer that is no JSON: narrow it down to the one update, and pass it by its number."""
        if self._limit > 1:
            self._limit = 1
            return 0.0
        found = _UPDATE_ID.search(body)
        if found is None:
            return self._failed("an answer that is no JSON")
        await self._updates.put_aside(body, "no JSON")
        self._offset = int(found[1]) + 1
        self._limit = BATCH
        return 0.0

    async def _refused(self, status: int, body: bytes, headers: Mapping[str, str]) -> float:
        if status == HTTPStatus.CONFLICT:
            return await self._conflict(str(decoded(body).get("description") or ""))
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return float(retry_after(body, headers))
        if status == HTTPStatus.UNAUTHORIZED:
            self._tell("telegram.trouble_token")
            return self._waits.refused
        if status == HTTPStatus.NOT_FOUND:
            self._tell("telegram.trouble_address")
            return self._failed("")
        return self._failed(f"HTTP {status}")

    async def _conflict(self, description: str) -> float:
        if "webhook is active" in description:
            return await self._delete_webhook()
        now = asyncio.get_running_loop().time()
        self._conflicts = 1 if now - self._last_conflict > _CONFLICT_MEMORY else self._conflicts + 1
        self._last_conflict = now
        logger.warning("another program polls with this token", extra={"action": "telegram.conflict"})
        if self._conflicts >= _CONFLICTS_TOLERATED:
            self._tell("telegram.trouble_conflict")
        return self._waits.conflict

    async def _delete_webhook(self) -> float:
        """Polling was chosen and a webhook is left over; its backlog stays."""
        url = self._endpoint.method_url("deleteWebhook")
        try:
            status, _, _ = await call(
                self._line, url, b'{"drop_pending_updates":false}', seconds=_CALL_SECONDS
            )
        except (RequestNotSent, OutcomeUnknown) as error:
            return self._failed(error.message)
        if status != HTTPStatus.OK:
            return self._failed(f"deleteWebhook: HTTP {status}")
        logger.warning("an old webhook was deleted", extra={"action": "telegram.webhook_deleted"})
        return self._waits.first  # somebody may set it again at once

    def _failed(self, reason: str) -> float:
        self._failures += 1
        if reason:
            level = logging.WARNING if self._failures in {1, _FAILURES_TOLERATED} else logging.DEBUG
            logger.log(level, "getUpdates: %s", reason, extra={"action": "telegram.poll"})
            if self._failures >= _FAILURES_TOLERATED:
                self._tell("telegram.trouble_unreachable")
        return self._waits.after(self._failures)

    def _works(self) -> None:
        if self.trouble:
            logger.warning("updates arrive again", extra={"action": "telegram.poll"})
        self.trouble = ""
        self._failures = 0
        self._limit = BATCH

    def _tell(self, key: str) -> None:
        text = self._texts.get(key)
        if self.trouble != text:
            self.trouble = text
            logger.error("%s", text, extra={"action": "telegram.trouble"})
            self._on_trouble("TROUBLE", text)
