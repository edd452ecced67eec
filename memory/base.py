"""The Store seam: small protocols for what must survive a restart, joined on one transaction per turn.

Every implementation passes `tests/contract/`. "Durable" means: still there after kill -9 and power loss, once
the call has returned. A claim is by chat, never by message: one turn per chat at a time, anywhere. Methods
raise StoreUnavailable when the database cannot write now; then nothing was written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from domain.messages import ChatKey, InboundMessage, Reply
from memory.records import (
    Acceptance,
    DeadLetter,
    Exchange,
    OpenQuestion,
    OutboxPart,
    Profile,
    SendState,
    SessionCounts,
    SessionRecord,
    Settlement,
    StoreHealth,
    Turn,
    TurnCommit,
    TurnFacts,
)


class Inbox(Protocol):
    """Messages between acknowledgement and turn."""

    async def accept(self, messages: Sequence[InboundMessage], *, backlog_limit: int) -> Sequence[Acceptance]:
        """Store what is new, durably, in one transaction shared with concurrent calls (group commit).

        A (channel, account, external_id) seen in the last 8 days is a duplicate; a chat with `backlog_limit`
        unfinished messages refuses more. The result matches `messages` one to one.
        """
        ...

    async def claim(self, limit: int, *, wait: float) -> Sequence[Turn]:
        """Lease the due work of at most `limit` free chats, oldest first; wait at most `wait` s for some.

        A turn holds the chat's oldest message alone unless it merges; then every message behind it up to the
        first that does not merge (at most 50). Attempts are counted on disk before this returns.
        """
        ...

    async def retry(self, turn: Turn, *, delay: float, error: str, refund: bool = False) -> None:
        """Give the turn back; its chat waits `delay` seconds for it, so order holds.

        `refund` takes the attempt back: a planned restart is not the turn's fault. A turn whose lease was
        lost is left alone.
        """
        ...

    async def park(self, turn: Turn, *, error: str, replies: Sequence[Reply]) -> None:
        """Dead-letter the turn and send `replies` (an apology), in one transaction; the chat goes on."""
        ...

    def hold(self, key: ChatKey) -> AbstractAsyncContextManager[None]:
        """Take the chat's turn order: waits for a running turn, keeps new ones out until left."""
        ...


class Outbox(Protocol):
    """Replies between the turn's commit and the platform."""

    async def claim(
        self, limit: int, *, wait: float, paused: Collection[tuple[str, str]] = ()
    ) -> Sequence[OutboxPart]:
        """Mark the due head part of at most `limit` chats `sending`, durably, and return them.

        Strict order in a chat: a part is claimed only when every earlier one is sent, failed or dead.
        `attempts` already counts this claim. Nothing of the (channel, account) pairs in `paused` is claimed:
        their platform is down or told us to wait. While this waits, a turn's commit may claim for it.
        """
        ...

    async def settle(self, part: OutboxPart, settlement: Settlement) -> None:
        """Write what became of a claimed part; frees the chat's next part."""
        ...

    async def confirm(self, part_id: int, state: SendState, *, platform_id: str, error: str = "") -> bool:
        """Settle by platform evidence (a status webhook); states only move forward. False: no change."""
        ...

    async def after(self, key: ChatKey, part_id: int, limit: int) -> Sequence[OutboxPart]:
        """The chat's parts with a larger id, oldest first: how the web page catches up."""
        ...

    async def enqueue(self, key: ChatKey, replies: Sequence[Reply]) -> None:
        """Queue replies outside a turn: notices, broadcasts."""
        ...


class Sessions(Protocol):
    """Sessions, one per chat."""

    async def get(self, key: ChatKey) -> SessionRecord | None:
        """The chat's session, or None. A row that cannot be read is quarantined and counts as None."""
        ...

    async def idle(self, before: float, limit: int) -> Sequence[ChatKey]:
        """Chats without activity since `before`, through an index: cost grows with the idle ones only."""
        ...

    async def end(self, keys: Sequence[ChatKey], *, before: float) -> int:
        """End those still idle since `before` and in no turn; drops checkpoints, keeps long-term memory."""
        ...

    async def counts(self) -> SessionCounts:
        """Counts that survive restarts."""
        ...

    async def recent(self, limit: int) -> Sequence[SessionRecord]:
        """The sessions active last, for operators."""
        ...


class LongTerm(Protocol):
    """What outlives sessions, per subscriber."""

    async def history(self, key: ChatKey, limit: int) -> Sequence[Exchange]:
        """The newest exchanges of a chat, newest first. Empty while the profile is sealed."""
        ...

    async def search(self, text: str, *, key: ChatKey | None, limit: int) -> Sequence[Exchange]:
        """Full-text search, in one chat or in all."""
        ...

    async def profile(self, key: ChatKey) -> Profile | None:
        """What is known about the subscriber."""
        ...

    async def save_profile(self, profile: Profile) -> None:
        """Replace the profile."""
        ...

    async def export(self, key: ChatKey) -> Mapping[str, Any]:
        """Everything stored about a chat, JSON-able."""
        ...


class Editors(Protocol):
    """What people do with questions and dead letters."""

    async def questions(self, limit: int) -> Sequence[OpenQuestion]:
        """Unanswered and badly rated questions, most asked first."""
        ...

    async def close_question(self, question_id: int) -> None:
        """Take a question off the list."""
        ...

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """Parked turns and parts, newest first."""
        ...

    async def replay(self, source: str, letter_id: int) -> bool:
        """Put a dead letter back into its queue. False: it is gone."""
        ...


class Statistics(Protocol):
    """Anonymous facts about turns."""

    async def facts(self, since: float) -> Sequence[TurnFacts]:
        """The facts since then, oldest first (at most 100 000)."""
        ...

    async def total_turns(self) -> int:
        """Turns since the database was made."""
        ...

    async def top_questions(self, since: float, limit: int) -> Sequence[tuple[str, int]]:
        """The commonest question texts since then, with their counts."""
        ...


class Notes(Protocol):
    """Small durable JSON values of other rooms (mutes, incidents, budgets, caches), by namespace and name."""

    async def get(self, namespace: str, name: str) -> Any | None:
        """The value, or None when absent or expired."""
        ...

    async def put(
        self, namespace: str, values: Mapping[str, Any], *, expires_at: float | None = None
    ) -> None:
        """Write several values in one transaction."""
        ...

    async def delete(self, namespace: str, names: Sequence[str] | None = None) -> int:
        """Remove these names, or the whole namespace; returns how many were there."""
        ...

    async def items(self, namespace: str) -> Mapping[str, Any]:
        """All unexpired values of a namespace."""
        ...


class Store(Protocol):
    """All of it, on one transaction per turn. Built by `memory.opening.open_store`."""

    @property
    def inbox(self) -> Inbox:
        """Messages between acknowledgement and turn."""
        ...

    @property
    def outbox(self) -> Outbox:
        """Replies between commit and platform."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Sessions."""
        ...

    @property
    def long_term(self) -> LongTerm:
        """What outlives sessions."""
        ...

    @property
    def editors(self) -> Editors:
        """Open questions and dead letters."""
        ...

    @property
    def statistics(self) -> Statistics:
        """Anonymous facts about turns."""
        ...

    @property
    def notes(self) -> Notes:
        """Small values of other rooms."""
        ...

    async def commit(self, turn: Turn, commit: TurnCommit) -> bool:
        """One transaction: messages done, state replaced, replies queued. False: lease lost, no write."""
        ...

    async def take(self, bucket: str, *, rate: float, burst: float) -> float:
        """Take one token; 0.0 when granted, else the seconds to wait before asking again."""
        ...

    async def purge(self, now: float, *, retention_days: int) -> int:
        """Drop dedupe keys past 8 days, settled rows and exchanges past retention; returns rows removed."""
        ...

    async def health(self) -> StoreHealth:
        """Depths, ages and sizes; cheap enough for every scrape."""
        ...

    async def backup(self, path: Path) -> None:
        """A consistent copy while running. Raises BadInput when `path` exists."""
        ...
