"""The one transaction that ends a turn."""

# ruff: noqa: S608 - every statement is made of constants here; what callers give is bound

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from memory.checkpoints import Checkpoints
from memory.counters import add_to
from memory.database import Database
from memory.indexing import TextIndex
from memory.outbox_rows import Prepared, insert_parts
from memory.records import OutboxPart, Turn, TurnCommit
from memory.scrubbing import Scrubber
from memory.store_inbox import LeaseLostError, SqliteInbox
from memory.store_long_term import add_exchange, rate_newest, save_profile
from memory.store_outbox import SqliteOutbox
from memory.store_sessions import drop_session, save_session
from memory.store_statistics import add_facts


class Turns:
    """Commits turns, fenced by their lease."""

    def __init__(
        self,
        database: Database,
        inbox: SqliteInbox,
        outbox: SqliteOutbox,
        scrubber: Scrubber,
        index: TextIndex,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._outbox = outbox
        self._scrubber = scrubber
        self._index = index
        self._clock = clock

    async def commit(self, turn: Turn, commit: TurnCommit) -> bool:
        """See `memory.base.Store.commit`."""
        prepared, now = self._outbox.prepare(commit.replies), self._clock()
        # The receipt of an erasure waits until the bytes are gone; any other reply may go at once.
        boot = self._outbox.reserve(turn.key) if prepared and not commit.erase else None

        def work(connection: sqlite3.Connection) -> list[OutboxPart]:
            return _commit(connection, turn, commit, prepared, now, claimed_by=boot)

        def committed(parts: list[OutboxPart]) -> None:
            self._inbox.done(turn, erased=commit.erase)
            if commit.exchange is not None:
                self._index.grew()
            if commit.erase:
                self._say_after_scrub(turn, parts, now)
            elif boot is not None:
                self._outbox.hand_over(turn.key, parts)
            else:
                self._outbox.queued(parts)

        def undone() -> None:
            if boot is not None:
                self._outbox.give_up(turn.key)

        try:
            await self._database.write(work, committed=committed, undone=undone, vital=True)
        except LeaseLostError:
            self._inbox.lanes.release(str(turn.key), turn.lease)
            return False
        return True

    def _say_after_scrub(self, turn: Turn, parts: Sequence[OutboxPart], now: float) -> None:
        """The receipt goes out once the erased bytes are gone, so that it is true when it is read."""
        chat, lanes = str(turn.key), self._outbox.lanes(turn.key)
        lanes.clear(chat)
        self._outbox.queued(parts, due=float("inf"))

        def say() -> None:
            for part in parts:
                lanes.delay(chat, part.id, now)

        self._scrubber.request(then=say)


def _commit(
    connection: sqlite3.Connection,
    turn: Turn,
    commit: TurnCommit,
    replies: Sequence[Prepared],
    now: float,
    *,
    claimed_by: int | None,
) -> list[OutboxPart]:
    chat = str(turn.key)
    done = connection.executemany(
        "DELETE FROM inbox WHERE seq = ? AND lease = ?", [(each.seq, turn.lease) for each in turn.messages]
    )
    if done.rowcount != len(turn.messages):
        raise LeaseLostError
    if commit.erase:
        erase_chat(connection, chat)
    else:
        _remember(connection, chat, commit)
    if commit.facts is not None:
        add_facts(connection, commit.facts)
    add_to(connection, turns=1)
    reply_to = turn.messages[-1].message.external_id
    return insert_parts(
        connection, turn.key, replies, now, turn_id=turn.id, reply_to=reply_to, claimed_by=claimed_by
    )


def _remember(connection: sqlite3.Connection, chat: str, commit: TurnCommit) -> None:
    if commit.rating is not None:  # feedback is on what was said before this turn
        rate_newest(connection, chat, useful=commit.rating)
    if commit.exchange is not None:
        add_exchange(connection, commit.exchange)
    if commit.profile is not None:
        save_profile(connection, commit.profile)
    if commit.end_session:
        drop_session(connection, chat)
        Checkpoints.delete_in(connection, chat)
        return
    if commit.session is not None:
        save_session(connection, commit.session)
    if commit.checkpoint is not None:
        Checkpoints.write_in(connection, commit.checkpoint)


def erase_chat(connection: sqlite3.Connection, chat: str) -> None:
    """Forget all of a chat but the hashes of its messages, inside the caller's transaction."""
    drop_session(connection, chat)
    Checkpoints.delete_in(connection, chat)
    for table in ("inbox", "outbox", "profiles", "exchanges", "quarantine"):
        connection.execute(f"DELETE FROM {table} WHERE chat = ?", (chat,))
    connection.execute("DELETE FROM notes WHERE name = ?", (chat,))
    add_to(connection, scrub=1)
