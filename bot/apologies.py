"""What a subscriber is told when an answer came too late, may never have arrived, or could not be given."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from bot.pacing import Episodes
from config.texts import Texts
from domain.errors import BotError
from domain.messages import ChatKey, Language, Purpose, Reply
from memory.base import Store

logger = logging.getLogger(__name__)

QUIET_SECONDS = 600.0


class Apologies:
    """Speaks in the subscriber's language, and once per chat and trouble."""

    def __init__(self, store: Store, texts: Texts, ticks: Callable[[], float]) -> None:
        self._store = store
        self._texts = texts
        self._ticks = ticks
        self._late = Episodes(QUIET_SECONDS)
        self._doubtful = Episodes(QUIET_SECONDS)

    def begins(self, key: ChatKey) -> bool:
        """Whether a late answer is the first of its chat, and so the one to apologise for."""
        return self._late.begins(key, self._ticks())

    async def late(self, key: ChatKey) -> Reply:
        """What goes out in place of an answer that is too old."""
        return await apology(self._store, self._texts, key, "pipeline.stale_apology")

    async def doubtful(self, key: ChatKey) -> None:
        """Queue a word about an answer that was parked in doubt; a courtesy, so trouble ends it."""
        if not self._doubtful.begins(key, self._ticks()):
            return
        try:
            reply = await apology(self._store, self._texts, key, "pipeline.perhaps_lost")
            await self._store.outbox.enqueue(key, [reply])
        except BotError as error:
            logger.warning("apology not queued: %s", error, extra={"action": "apology_lost"})


async def apology(store: Store, texts: Texts, key: ChatKey, text: str) -> Reply:
    """A notice in the subscriber's language; in French when nobody can say which that is."""
    profile = None
    with contextlib.suppress(BotError):
        profile = await store.long_term.profile(key)
    language = (profile.language if profile else None) or Language.FRENCH
    return Reply(texts.get(text, language), purpose=Purpose.NOTICE)
