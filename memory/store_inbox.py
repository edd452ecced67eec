"""The inbox: what was acknowledged and is not answered yet."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from itertools import count, islice

from domain.errors import StoreCorrupt, StoreUnavailable
from domain.messages import ChatKey, InboundMessage, Reply
from memory.database import Database
from memory.errands import Errands
from memory.lanes import Item, Lanes, wait_for_change
from memory.openings import read_openings
from memory.outbox_rows import insert_parts
from memory.quarantine import quarantine
from memory.records import Acceptance, OutboxPart, StoredMessage, Turn
from memory.rows import dump_message, load_message, readable_key, seen_hash
from memory.store_outbox import SqliteOutbox

MAX_MERGED = 50
MAX_AHEAD = 60.0  # a message is never due later than this, whatever a clock said
AFTER_TROUBLE = 0.5
MAX_ERROR = 500


class LeaseLostError(Exception):
    """The turn is no longer ours; the unit of work rolls back."""


@dataclass(frozen=True, slots=True)
class _Picked:
    chat: str
    seqs: tuple[int, ...]
    lease: int


class SqliteInbox:
    """The inbox on SQLite. `boot` makes leases unique across restarts."""

    def __init__(
        self,
        database: Database,
        outbox: SqliteOutbox,
        *,
        boot: int,
        clock: Callable[[], float],
        errands: Errands,
        on_trouble: Callable[[str], None],
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._errands = errands
        self._on_trouble = on_trouble
        self._leases = count((boot << 32) + 1)
        self._changed = asyncio.Event()
        self.lanes = Lanes(clock, self._changed)

    def mirror(self, rows: Sequence[tuple[int, str, float, float, int]]) -> None:
        """Take over what waits on disk: (seq, chat, received_at, ready_at, merges), by seq."""
        for seq, chat, received_at, ready_at, merges in rows:
            if readable_key(chat) is not None:
                self.lanes.add(chat, self._item(seq, received_at, ready_at, merges=bool(merges)))

    async def accept(self, messages: Sequence[InboundMessage], *, backlog_limit: int) -> Sequence[Acceptance]:
        """See `memory.base.Inbox.accept`."""
        if not messages:
            return ()
        offered = [(message, seen_hash(message), dump_message(message)) for message in messages]
        now = self._clock()

        def work(connection: sqlite3.Connection) -> list[tuple[Acceptance, int]]:
            return [_accept_one(connection, *each, backlog_limit, now) for each in offered]

        def committed(outcomes: list[tuple[Acceptance, int]]) -> None:
            for message, (outcome, seq) in zip(messages, outcomes, strict=True):
                if outcome is Acceptance.NEW:
                    item = self._item(seq, message.received_at, message.ready_at, merges=message.merges)
                    self.lanes.add(str(message.key), item)

        outcomes = await self._database.write(work, committed=committed)
        return [outcome for outcome, _ in outcomes]

    async def claim(self, limit: int, *, wait: float) -> Sequence[Turn]:
        """See `memory.base.Inbox.claim`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        while True:
            chats = self.lanes.take(limit)
            if chats:
                turns = await self._errands.finish(self._lease(chats), undo=self._refund)
                if turns:
                    return turns
                continue
            left = deadline - loop.time()
            if left <= 0:
                return ()
            due = self.lanes.next_due()
            until_due = left if due is None else max(0.0, due - self._clock())
            await wait_for_change(self._changed, min(left, until_due))

    async def retry(self, turn: Turn, *, delay: float, error: str, refund: bool = False) -> None:
        """See `memory.base.Inbox.retry`."""
        due = self._clock() + delay

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE inbox SET lease = NULL, ready_at = ?, error = ?, attempts = attempts - ?"
                " WHERE seq = ? AND lease = ?",
                [(due, error[:MAX_ERROR], int(refund), each.seq, turn.lease) for each in turn.messages],
            )

        def give_back() -> None:
            if not self.lanes.owned_by(str(turn.key), turn.lease):
                return
            self.lanes.delay(str(turn.key), turn.id, due)
            self.lanes.release(str(turn.key), turn.lease)

        try:
            await self._database.write(work, committed=lambda _: give_back(), vital=True)
        except StoreUnavailable:
            # The next claim writes a new lease over the old one, so the chat need not wait for this write.
            give_back()
            raise

    async def park(self, turn: Turn, *, error: str, replies: Sequence[Reply]) -> None:
        """See `memory.base.Inbox.park`."""
        now = self._clock()
        seqs = [each.seq for each in turn.messages]
        prepared = self._outbox.prepare(replies)
        # The parts name no turn: the turn may be replayed, and its own parts must find their numbers free.
        reply_to = turn.messages[-1].message.external_id

        def work(connection: sqlite3.Connection) -> list[OutboxPart]:
            parked = connection.executemany(
                "UPDATE inbox SET lease = NULL, parked_turn = ?, parked_at = ?, error = ?"
                " WHERE seq = ? AND lease = ?",
                [(turn.id, now, error[:MAX_ERROR], seq, turn.lease) for seq in seqs],
            )
            if parked.rowcount != len(seqs):
                raise LeaseLostError
            return insert_parts(connection, turn.key, prepared, now, turn_id=None, reply_to=reply_to)

        def committed(parts: list[OutboxPart]) -> None:
            self.done(turn)
            self._outbox.queued(parts)

        try:
            await self._database.write(work, committed=committed, vital=True)
        except LeaseLostError:
            self.lanes.release(str(turn.key), turn.lease)

    def hold(self, key: ChatKey) -> AbstractAsyncContextManager[None]:
        """See `memory.base.Inbox.hold`."""
        return self.lanes.hold(str(key))

    def done(self, turn: Turn, *, erased: bool = False) -> None:
        """The turn's messages are off the queue: its chat goes on."""
        chat = str(turn.key)
        if erased:
            self.lanes.clear(chat)
        else:
            self.lanes.remove(chat, [each.seq for each in turn.messages])
        self.lanes.release(chat, turn.lease)

    async def replay(self, turn_id: int) -> bool:
        """Queue a parked turn again, with all its attempts."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> list[tuple[int, str, float, int]]:
            rows: list[tuple[int, str, float, int]] = connection.execute(
                "SELECT seq, chat, received_at, merges FROM inbox WHERE parked_turn = ? ORDER BY seq",
                (turn_id,),
            ).fetchall()
            connection.execute(
                "UPDATE inbox SET parked_turn = NULL, parked_at = NULL, attempts = 0, ready_at = ?,"
                " error = '' WHERE parked_turn = ?",
                (now, turn_id),
            )
            return rows

        def committed(rows: list[tuple[int, str, float, int]]) -> None:
            for seq, chat, received_at, merges in rows:
                self.lanes.put_back(chat, [Item(seq, now, received_at, bool(merges))])

        rows = await self._database.write(work, committed=committed)
        return bool(rows)

    def _item(self, seq: int, received_at: float, ready_at: float, *, merges: bool) -> Item:
        return Item(seq, min(ready_at or received_at, self._clock() + MAX_AHEAD), received_at, merges)

    async def _lease(self, chats: Sequence[str]) -> list[Turn]:
        picked = [self._pick(chat) for chat in chats]
        now = self._clock()

        def work(connection: sqlite3.Connection) -> list[Turn | None]:
            return [_lease_one(connection, each, now) for each in picked]

        def committed(turns: list[Turn | None]) -> None:
            for each, turn in zip(picked, turns, strict=True):
                self._leased(each, turn)

        def undone() -> None:
            later = self._clock() + AFTER_TROUBLE
            for each in picked:
                self.lanes.delay(each.chat, each.seqs[0], later)
                self.lanes.release(each.chat)

        leased = await self._database.write(
            work, completed=_with_openings, committed=committed, undone=undone, vital=True
        )
        return [turn for turn in leased if turn is not None]

    def _pick(self, chat: str) -> _Picked:
        items = tuple(islice(self.lanes.items(chat), MAX_MERGED))
        seqs = [items[0].id]
        for item in items[1:] if items[0].merges else ():
            if not item.merges:
                break
            seqs.append(item.id)
        return _Picked(chat, tuple(seqs), next(self._leases))

    def _leased(self, picked: _Picked, turn: Turn | None) -> None:
        held = {each.seq for each in turn.messages} if turn else set()
        lost = set(picked.seqs) - held
        self.lanes.own(picked.chat, picked.lease)
        self.lanes.remove(picked.chat, lost)
        if turn is None:
            self.lanes.release(picked.chat, picked.lease)
        if lost:
            self._on_trouble(f"{len(lost)} message(s) en attente illisible(s) : mis de côté (quarantine)")

    async def _refund(self, turns: Sequence[Turn]) -> None:
        for turn in turns:
            await self.retry(turn, delay=0.0, error="", refund=True)


def _accept_one(
    connection: sqlite3.Connection,
    message: InboundMessage,
    digest: bytes,
    body: bytes,
    backlog_limit: int,
    now: float,
) -> tuple[Acceptance, int]:
    if not connection.execute("INSERT OR IGNORE INTO seen (hash, at) VALUES (?, ?)", (digest, now)).rowcount:
        return Acceptance.DUPLICATE, 0
    chat = str(message.key)
    added = connection.execute(
        "INSERT INTO inbox (chat, received_at, ready_at, merges, body) SELECT ?1, ?2, ?3, ?4, ?5"
        " WHERE (SELECT count(*) FROM inbox WHERE chat = ?1 AND parked_turn IS NULL) < ?6",
        (chat, message.received_at, message.ready_at, int(message.merges), body, backlog_limit),
    )
    return (Acceptance.NEW, added.lastrowid or 0) if added.rowcount else (Acceptance.REFUSED, 0)


def _lease_one(connection: sqlite3.Connection, picked: _Picked, now: float) -> Turn | None:
    messages: list[StoredMessage] = []
    attempt = 1
    for seq in picked.seqs:
        row = connection.execute(
            "UPDATE inbox SET attempts = attempts + 1, lease = ? WHERE seq = ? AND parked_turn IS NULL"
            " RETURNING attempts, received_at, body",
            (picked.lease, seq),
        ).fetchone()
        if row is None:
            continue
        attempts, received_at, body = row
        try:
            messages.append(StoredMessage(seq, load_message(picked.chat, received_at, body)))
        except StoreCorrupt as error:
            quarantine(connection, "inbox", picked.chat, body, error=str(error), at=now)
            connection.execute("DELETE FROM inbox WHERE seq = ?", (seq,))
            continue
        attempt = max(attempt, attempts)
    if not messages:
        return None
    return Turn(messages[0].message.key, tuple(messages), attempt, picked.lease)


def _with_openings(connection: sqlite3.Connection, turns: list[Turn | None]) -> list[Turn | None]:
    """Not read within the claim: where a page is damaged, the claim could not be committed either.

    When this fails, each turn asks for itself, and its fault is its own.
    """
    openings = read_openings(connection, [str(turn.key) for turn in turns if turn])
    return [turn and replace(turn, opening=openings.get(str(turn.key))) for turn in turns]
