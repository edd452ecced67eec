"""Takes raw updates of either receiver into the inbox; one poison update never stops the others."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from channels.telegram_parse import CHANNEL, parse_update
from channels.whatsapp_clean import text_of
from domain.errors import BadInput, Overloaded, StoreUnavailable
from domain.messages import AcceptMessages, InboundMessage

# (source, raw bytes, error): keeps what cannot be used for a person to look at.
SetAside = Callable[[str, bytes, str], Awaitable[None]]

MAX_RAW = 16 * 1024
_MAX_TRIES = 3
_TRIES_KEPT = 256
_MAX_DEPTH = 8
_MAX_ITEMS = 40
# The strings of a poison update that cannot hold what a person wrote.
_TELLING = frozenset({"type", "status", "mime_type", "language_code"})
_DIGIT = re.compile(rb"\d")

logger = logging.getLogger(__name__)


class Updates:
    """Where both receivers hand in what they got. `take` returns after the commit is synced."""

    def __init__(
        self,
        account: str,
        accept: AcceptMessages,
        set_aside: SetAside,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._accept = accept
        self._set_aside = set_aside
        self._clock = clock
        self._tries: dict[str, int] = {}

    async def take(self, updates: Sequence[object]) -> None:
        """Store the batch; what is poison is set aside, and the rest goes on without it.

        Raises StoreUnavailable or Overloaded: then Telegram must deliver the whole batch again. A message
        that the inbox refuses for another reason counts as poison after its third delivery.
        """
        parsed = [(raw, await self._parsed(raw)) for raw in updates]
        messages = [(raw, message) for raw, message in parsed if message is not None]
        if not messages:
            return
        try:
            await self._accept([message for _, message in messages])
        except (StoreUnavailable, Overloaded):
            raise
        except Exception:  # one of them cannot be stored: find it, keep the others
            logger.exception("a batch was refused", extra={"action": "telegram.batch_refused"})
            held = [message for raw, message in messages if not await self._take_alone(raw, message)]
            if held:
                raise StoreUnavailable(f"{len(held)} updates were refused") from None

    async def put_aside(self, raw: bytes, error: str) -> None:
        """Keep bytes that are no JSON, without the digits that may be somebody's PIN."""
        logger.warning("update set aside: %s", error, extra={"action": "telegram.set_aside"})
        await self._set_aside(CHANNEL, _DIGIT.sub(b"0", raw[:MAX_RAW]), error)

    async def _parsed(self, raw: object) -> InboundMessage | None:
        try:
            return parse_update(raw, self._account, now=self._clock())
        except BadInput as error:
            await self._put_aside_update(raw, str(error))
        except Exception as error:  # a bug in the parser must not stop every update behind this one
            logger.exception("an update could not be read", extra={"action": "telegram.unreadable"})
            await self._put_aside_update(raw, type(error).__name__)
        return None

    async def _take_alone(self, raw: object, message: InboundMessage) -> bool:
        """Whether Telegram may forget this one: it is stored, or set aside at its last try."""
        try:
            await self._accept([message])
        except (StoreUnavailable, Overloaded):
            raise
        except Exception as error:
            logger.exception("an update was refused", extra={"action": "telegram.refused"})
            tries = self._tries.pop(message.external_id, 0) + 1
            if tries < _MAX_TRIES:
                self._tries[message.external_id] = tries
                while len(self._tries) > _TRIES_KEPT:
                    del self._tries[next(iter(self._tries))]
                return False
            await self._put_aside_update(raw, type(error).__name__)
        return True

    async def _put_aside_update(self, raw: object, error: str) -> None:
        logger.warning("update set aside: %s", error, extra={"action": "telegram.set_aside"})
        await self._set_aside(CHANNEL, orjson.dumps(_outline(raw))[:MAX_RAW], error)


def _outline(value: object, name: str = "", depth: int = 0) -> Any:
    """The shape of an update: numbers and key names stay, what people wrote becomes its length."""
    if depth > _MAX_DEPTH:
        return "..."
    if isinstance(value, dict):
        pairs = list(value.items())[:_MAX_ITEMS]
        return {text_of(key, 64): _outline(item, key, depth + 1) for key, item in pairs}
    if isinstance(value, list):
        return [_outline(item, name, depth + 1) for item in value[:_MAX_ITEMS]]
    if isinstance(value, str):
        return text_of(value, 64) if name in _TELLING else f"<{len(value)} characters>"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return "<huge number>"
    return value
