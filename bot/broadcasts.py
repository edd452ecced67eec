"""The broadcast engine: one at a time, a page of recipients per step, resumed after a crash."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from config.texts import Texts
from domain.errors import BadInput
from domain.messages import Purpose, Reply
from handlers.broadcast import Progress
from memory.audience import Audience, Page
from memory.base import Store

logger = logging.getLogger(__name__)

NAMESPACE = "broadcast"
NAME = "current"
PAGE = 50
# Answers go before broadcasts: while more parts than this wait, nothing is added behind them.
MAX_WAITING = 200
WINDOW_SECONDS = 24 * 3600.0 - 600  # WhatsApp's window, with ten minutes for the queue


class Broadcasts:
    """Implements `handlers.broadcast.Campaigns`; `step` is a job."""

    def __init__(self, store: Store, audience: Audience, texts: Texts, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._audience = audience
        self._texts = texts
        self._clock = clock
        self._lock = asyncio.Lock()  # a step must not write back what a stop has just changed

    async def audience(self) -> int:
        """How many subscribers can be written to."""
        return await self._audience.size()

    async def start(self, text: str, admin: str) -> None:
        """Begin. Raises BadInput while another one runs."""
        async with self._lock:
            running = await self._read()
            if running and running["state"] == "running":
                raise BadInput(self._texts.get("admin.broadcast_busy"))
            size = await self._audience.size()
            entry = {
                "state": "running",
                "text": text,
                "admin": admin,
                "after": "",
                "queued": 0,
                "skipped": 0,
                "audience": size,
            }
            await self._store.notes.put(NAMESPACE, {NAME: entry})
            logger.info("broadcast started", extra={"action": "broadcast", "audience": size})

    async def stop(self) -> bool:
        """Queue nothing more. False when none runs."""
        async with self._lock:
            entry = await self._read()
            if not entry or entry["state"] != "running":
                return False
            await self._store.notes.put(NAMESPACE, {NAME: {**entry, "state": "stopped"}})
            return True

    async def progress(self) -> Progress | None:
        """The last broadcast."""
        entry = await self._read()
        if not entry:
            return None
        return Progress(entry["state"], entry["queued"], entry["skipped"], entry["audience"])

    async def step(self) -> None:
        """Queue the next page, when there is one and the outbox has room."""
        async with self._lock:
            entry = await self._read()
            if not entry or entry["state"] != "running":
                return
            if (await self._store.health()).outbox_depth > MAX_WAITING:
                return
            await self._audience.queue_page(
                Reply(entry["text"], purpose=Purpose.BROADCAST),
                after=entry["after"],
                limit=PAGE,
                window_start=self._clock() - WINDOW_SECONDS,
                note=lambda page: (NAMESPACE, NAME, _advanced(entry, page)),
            )

    async def _read(self) -> dict[str, Any] | None:
        value = await self._store.notes.get(NAMESPACE, NAME)
        return value if isinstance(value, dict) else None


def _advanced(entry: Mapping[str, Any], page: Page) -> dict[str, Any]:
    if page.last is None:
        return {**entry, "state": "done", "text": ""}
    return {
        **entry,
        "after": page.last,
        "queued": entry["queued"] + page.queued,
        "skipped": entry["skipped"] + page.skipped,
    }
