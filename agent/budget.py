"""Tokens spent per day, in all and per chat; past a limit the embedded answerer takes over.

Counts live in memory and reach the Store in batches, so that no turn pays a commit for them. A crash loses
at most the last `flush_seconds` of counting. Chats are stored as a short hash, so erasing a subscriber leaves
no id behind.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable

from domain.errors import StoreUnavailable
from domain.messages import ChatKey
from domain.niger import DAY, day_of, start_of
from memory.base import Notes

logger = logging.getLogger(__name__)

NAMESPACE = "llm_budget"
_TOTAL = "total"
OnAlert = Callable[[str, str], None]


class Budget:
    """Daily limits in tokens, 0 for none. `on_alert(rule, text)` is called once per day and rule."""

    def __init__(
        self,
        notes: Notes,
        *,
        daily: int,
        per_chat: int,
        on_alert: OnAlert,
        clock: Callable[[], float] = time.time,
        flush_seconds: float = 30.0,
    ) -> None:
        self._notes = notes
        self._daily = daily
        self._per_chat = per_chat
        self._on_alert = on_alert
        self._clock = clock
        self._flush_seconds = flush_seconds
        self._day, self._day_began = "", -math.inf
        self._spent: dict[str, int] = {}
        self._unsaved: set[str] = set()
        self._alerted: set[str] = set()
        self._saved_at = clock()

    async def load(self) -> None:
        """Take up today's counts after a restart."""
        self._turn_page()
        prefix = f"{self._day}:"
        for name, value in (await self._notes.items(NAMESPACE)).items():
            if name.startswith(prefix) and isinstance(value, int):
                self._spent[name.removeprefix(prefix)] = value

    def allows(self, key: ChatKey) -> bool:
        """Whether this chat may still use the model today; tells the admins when not."""
        self._turn_page()
        if self._daily and self._spent.get(_TOTAL, 0) >= self._daily:
            self._alert(
                "llm_daily_budget", f"Budget du modèle épuisé pour aujourd'hui ({self._daily} jetons)."
            )
            return False
        if self._per_chat and self._spent.get(_name(key), 0) >= self._per_chat:
            self._alert(
                "llm_chat_budget", f"Un abonné a épuisé son budget du jour ({self._per_chat} jetons)."
            )
            return False
        return True

    def spend(self, key: ChatKey, tokens: int) -> None:
        """Count what a call used."""
        if tokens <= 0:
            return
        self._turn_page()
        for name in (_TOTAL, _name(key)):
            self._spent[name] = self._spent.get(name, 0) + tokens
            self._unsaved.add(name)

    async def save_when_due(self) -> None:
        """Write the counts when the last write is long enough ago. Never raises for a busy Store."""
        if self._unsaved and self._clock() - self._saved_at >= self._flush_seconds:
            await self.save()

    async def save(self) -> None:
        """Write the counts now; what cannot be written waits for the next time."""
        if not self._unsaved:
            return
        names, self._unsaved = self._unsaved, set()
        self._saved_at = self._clock()
        values = {f"{self._day}:{name}": self._spent.get(name, 0) for name in names}
        try:
            await self._notes.put(NAMESPACE, values, expires_at=self._clock() + 2 * DAY)
        except StoreUnavailable:
            self._unsaved |= names
            logger.warning("token counts not saved", extra={"action": "budget_save"})

    def _turn_page(self) -> None:
        now = self._clock()
        if 0 <= now - self._day_began < DAY:
            return
        self._day, self._day_began = day_of(now).isoformat(), start_of(DAY, now)
        self._spent.clear()
        self._unsaved.clear()
        self._alerted.clear()

    def _alert(self, rule: str, text: str) -> None:
        if rule not in self._alerted:
            self._alerted.add(rule)
            self._on_alert(rule, text)


def _name(key: ChatKey) -> str:
    return hashlib.blake2b(str(key).encode(), digest_size=9).hexdigest()
