"""Sessions: they begin with a message, and end after a silence longer than the timeout."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from domain.errors import StoreCorrupt
from domain.messages import ChatKey
from memory.base import LongTerm, Sessions
from memory.records import Opening, SessionRecord

logger = logging.getLogger(__name__)

# A clean-up is in no hurry: it holds the connection for some 3 ms at a time, a tenth of the time in all.
BATCH = 20
GAP = 0.02


class States(Protocol):
    """What a session manager needs of the checkpoints."""

    async def load(self, thread_id: str) -> object | None:
        """The thread's latest state, undecoded."""
        ...

    async def delete_thread(self, thread_id: str) -> None:
        """Drop a thread, durably."""
        ...


class SessionStore(Protocol):
    """The part of the Store behind sessions."""

    @property
    def sessions(self) -> Sessions:
        """Session rows."""
        ...

    @property
    def long_term(self) -> LongTerm:
        """What outlives sessions."""
        ...

    @property
    def checkpoints(self) -> States:
        """Session states."""
        ...


@dataclass(frozen=True, slots=True)
class OpenSession:
    """The session a turn belongs to.

    `new`: this turn begins it. `timed_out`: the chat talked with us before and was then silent for longer
    than the timeout, which the subscriber is told.
    """

    session: SessionRecord
    new: bool
    timed_out: bool


class SessionManager:
    """Opens the session of a turn, and ends those that fell silent.

    `forget` drops a thread from the checkpointer's cache. `clock` and the `now` of turns must be one clock.
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        timeout: float,
        forget: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._timeout = timeout
        self._forget = forget
        self._clock = clock

    async def opening(self, key: ChatKey) -> Opening:
        """What a claim could not read at once, part by part: each sets aside what it finds damaged."""
        return Opening(
            session=await self._store.sessions.get(key),
            profile=await self._store.long_term.profile(key),
            last_exchange_at=await self._last_exchange_at(key),
            has_state=await self._store.checkpoints.load(str(key)) is not None,
        )

    async def open(self, key: ChatKey, now: float, known: Opening) -> OpenSession:
        """The chat's session, or a new one; call inside the chat's turn.

        Before a new session is returned, nothing of an older one can be read any more. The new row itself is
        written by the turn's commit.
        """
        session = known.session
        if session is not None and now - session.last_activity <= self._timeout:
            return OpenSession(session, new=False, timed_out=False)
        last_spoke = known.last_exchange_at  # its session may have been cleaned up since
        timed_out = session is not None or (last_spoke is not None and now - last_spoke > self._timeout)
        self._forget(str(key))
        if known.has_state:  # even without a session: when its row could not be read
            await self._store.checkpoints.delete_thread(str(key))
        return OpenSession(SessionRecord(key, created_at=now, last_activity=now), True, timed_out)

    async def clean_up(self) -> int:
        """End every session that is silent for too long; returns how many ended.

        The Store ends a session only while its chat is in no turn, and in the same transaction makes sure of
        it: what is skipped now is found again by the next run.
        """
        before = self._clock() - self._timeout
        total = 0
        while True:
            keys = await self._store.sessions.idle(before, BATCH)
            ended = await self._store.sessions.end(keys, before=before) if keys else 0
            for key in keys:
                self._forget(str(key))
            total += ended
            if not ended or len(keys) < BATCH:
                break
            await asyncio.sleep(GAP)
        if total:
            logger.info("sessions ended", extra={"action": "sessions_ended", "count": total})
        return total

    async def _last_exchange_at(self, key: ChatKey) -> float | None:
        try:
            newest = await self._store.long_term.history(key, 1)
        except StoreCorrupt:  # worth no more than a greeting
            return None
        return newest[0].at if newest else None
