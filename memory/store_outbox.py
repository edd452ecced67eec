"""The outbox: what turns said and no platform has taken yet, in strict order per chat."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from domain.errors import StoreCorrupt
from domain.messages import ChatKey, Reply
from memory.database import Database
from memory.errands import Errands
from memory.lanes import Item, Lanes, wait_for_change
from memory.quarantine import quarantine
from memory.records import OutboxPart, SendState, Settlement
from memory.rows import dump_reply, load_reply

AFTER_TROUBLE = 0.5
MAX_AHEAD = 86_400.0  # no wait asked for by a platform is longer
MAX_ERROR = 500
COPIES = 2  # a part in doubt this often is parked: it may have arrived that often
FINAL = frozenset({SendState.SENT, SendState.FAILED, SendState.DEAD})
# Platform evidence only moves a part to a higher rank.
_RANK = {
    SendState.PENDING: 0,
    SendState.SENDING: 1,
    SendState.IN_DOUBT: 2,
    SendState.SENT: 3,
    SendState.FAILED: 4,
    SendState.DEAD: 4,
}
_COLUMNS = (
    "id, chat, state, created_at, due_at, attempts, doubts, plain, turn_id, part_no, reply_to, platform_id,"
    " error, body, attachment"
)
_GONE = "gone"
_UNREADABLE = "unreadable"
_SELECT = f"SELECT {_COLUMNS} FROM outbox"  # noqa: S608 - a constant list of columns

Prepared = tuple[bytes, bytes | None]
Row = tuple[
    int, str, str, float, float, int, int, int, int | None, int, str, str, str, bytes, bytes | None
]


@dataclass(frozen=True, slots=True)
class _Settled:
    state: SendState
    due: float
    closed: tuple[int, ...] = ()


class SqliteOutbox:
    """The outbox on SQLite: one queue per platform account, so that one that is down delays no other."""

    def __init__(
        self,
        database: Database,
        *,
        boot: int,
        clock: Callable[[], float],
        errands: Errands,
        on_trouble: Callable[[str], None],
    ) -> None:
        self._database = database
        self._boot = boot
        self._clock = clock
        self._errands = errands
        self._on_trouble = on_trouble
        self._changed = asyncio.Event()
        self._queues: dict[tuple[str, str], Lanes] = {}

    def mirror(self, rows: Sequence[tuple[int, str, float, float]]) -> None:
        """Take over what waits on disk: (id, chat, created_at, due_at), by id."""
        latest = self._clock() + MAX_AHEAD
        for part_id, chat, created_at, due_at in rows:
            self.lanes(ChatKey.parse(chat)).add(chat, Item(part_id, min(due_at, latest), created_at))

    def lanes(self, key: ChatKey) -> Lanes:
        """The queue of the chat's account."""
        account = (key.channel, key.account)
        queue = self._queues.get(account)
        if queue is None:
            queue = self._queues[account] = Lanes(self._clock, self._changed)
        return queue

    def all_lanes(self) -> Collection[Lanes]:
        """The queues of all accounts."""
        return self._queues.values()

    async def claim(
        self, limit: int, *, wait: float, paused: Collection[tuple[str, str]] = ()
    ) -> Sequence[OutboxPart]:
        """See `memory.base.Outbox.claim`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        while True:
            open_queues = [queue for account, queue in self._queues.items() if account not in paused]
            picked = self._pick(open_queues, limit)
            if picked:
                parts = await self._errands.finish(self._mark_sending(picked), undo=self._unclaim)
                if parts:
                    return parts
                continue
            left = deadline - loop.time()
            if left <= 0:
                return ()
            dues = [due for queue in open_queues if (due := queue.next_due()) is not None]
            until_due = max(0.0, min(dues) - self._clock()) if dues else left
            await wait_for_change(self._changed, min(left, until_due))

    async def settle(self, part: OutboxPart, settlement: Settlement) -> None:
        """See `memory.base.Outbox.settle`."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> _Settled | None:
            settled = _settle_one(connection, part.id, settlement, now)
            if not settlement.close_chat:
                return settled
            closed = _close_chat(connection, part, settlement.error, now)
            return _Settled(settled.state, settled.due, closed) if settled else None

        def committed(settled: _Settled | None) -> None:
            chat, lanes = str(part.key), self.lanes(part.key)
            if settled is None:
                lanes.remove(chat, [part.id])
            else:
                lanes.remove(chat, settled.closed)
                self._reflect(part.key, part.id, settled.state, settled.due)
            lanes.release(chat, part.id)

        await self._database.write(work, committed=committed, vital=True)

    async def confirm(self, part_id: int, state: SendState, *, platform_id: str, error: str = "") -> bool:
        """See `memory.base.Outbox.confirm`."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> str | None:
            row = connection.execute(
                "SELECT chat, state, platform_id FROM outbox WHERE id = ?", (part_id,)
            ).fetchone()
            if row is None or not _moves_forward(SendState(row[1]), state, proven=bool(row[2])):
                return None
            connection.execute(
                "UPDATE outbox SET state = ?, platform_id = ?, error = ?, settled_at = ? WHERE id = ?",
                (state, platform_id, error[:MAX_ERROR], now if state in FINAL else None, part_id),
            )
            return str(row[0])

        def committed(chat: str | None) -> None:
            if chat is not None:
                self._reflect(ChatKey.parse(chat), part_id, state, now)

        return await self._database.write(work, committed=committed, vital=True) is not None

    async def after(self, key: ChatKey, part_id: int, limit: int) -> Sequence[OutboxPart]:
        """See `memory.base.Outbox.after`."""

        def query(connection: sqlite3.Connection) -> list[OutboxPart]:
            rows = connection.execute(
                f"{_SELECT} WHERE chat = ? AND id > ? ORDER BY id LIMIT ?", (str(key), part_id, limit)
            ).fetchall()
            return [part for row in rows if (part := _readable(row))]

        return await self._database.read(query)

    async def enqueue(self, key: ChatKey, replies: Sequence[Reply]) -> None:
        """See `memory.base.Outbox.enqueue`."""
        if not replies:
            return
        parts, now = self.prepare(replies), self._clock()
        await self._database.write(
            lambda connection: insert_parts(connection, str(key), parts, now, turn_id=None),
            committed=lambda ids: self.queued(key, ids, now),
        )

    @staticmethod
    def prepare(replies: Sequence[Reply]) -> list[Prepared]:
        """Encode before the transaction: an unusable reply fails its caller only."""
        return [dump_reply(reply) for reply in replies]

    def queued(self, key: ChatKey, ids: Sequence[int], now: float, *, due: float | None = None) -> None:
        """New parts are on disk."""
        lanes = self.lanes(key)
        for part_id in ids:
            lanes.add(str(key), Item(part_id, now if due is None else due, now))

    async def replay(self, part_id: int) -> bool:
        """Queue a dead part again, as if it had never been tried."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> tuple[str, float] | None:
            found: tuple[str, float] | None = connection.execute(
                "UPDATE outbox SET state = 'pending', due_at = ?, attempts = 0, doubts = 0, settled_at = NULL,"
                " platform_id = '', error = '' WHERE id = ? AND state = 'dead' RETURNING chat, created_at",
                (now, part_id),
            ).fetchone()
            return found

        def committed(found: tuple[str, float] | None) -> None:
            if found is not None:
                chat, created_at = found
                self.lanes(ChatKey.parse(chat)).put_back(chat, [Item(part_id, now, created_at)])

        return await self._database.write(work, committed=committed) is not None

    def _reflect(self, key: ChatKey, part_id: int, state: SendState, due: float) -> None:
        if state in FINAL:
            self.lanes(key).remove(str(key), [part_id])
        else:
            self.lanes(key).delay(str(key), part_id, due)

    @staticmethod
    def _pick(queues: Iterable[Lanes], limit: int) -> list[tuple[Lanes, str, int]]:
        """Chats of all accounts in turn, so that a busy account leaves room for the others."""
        picked: list[tuple[Lanes, str, int]] = []
        waiting = list(queues)
        while waiting and len(picked) < limit:
            share = max(1, (limit - len(picked)) // len(waiting))
            queue = waiting.pop(0)
            chats = queue.take(share)
            picked += [(queue, chat, next(iter(queue.items(chat))).id) for chat in chats]
            if len(chats) == share:
                waiting.append(queue)
        return picked

    async def _mark_sending(self, picked: Sequence[tuple[Lanes, str, int]]) -> list[OutboxPart]:
        now = self._clock()

        def work(connection: sqlite3.Connection) -> list[OutboxPart | str]:
            return [_send_one(connection, part_id, self._boot, now) for _, _, part_id in picked]

        def committed(parts: list[OutboxPart | str]) -> None:
            for (lanes, chat, part_id), part in zip(picked, parts, strict=True):
                lanes.own(chat, part_id)
                if isinstance(part, str):
                    lanes.remove(chat, [part_id])
                    lanes.release(chat, part_id)
                if part == _UNREADABLE:
                    self._on_trouble("une réponse en attente est illisible : mise de côté (quarantine)")

        try:
            parts = await self._database.write(work, committed=committed, vital=True)
        except BaseException:
            later = self._clock() + AFTER_TROUBLE
            for lanes, chat, part_id in picked:
                lanes.delay(chat, part_id, later)
                lanes.release(chat)
            raise
        return [part for part in parts if isinstance(part, OutboxPart)]

    async def _unclaim(self, parts: Sequence[OutboxPart]) -> None:
        now = self._clock()
        for part in parts:
            state = SendState.IN_DOUBT if part.doubts else SendState.PENDING
            await self.settle(part, Settlement(state, due_at=now, counts=False))


def _send_one(connection: sqlite3.Connection, part_id: int, boot: int, now: float) -> OutboxPart | str:
    row: Row | None = connection.execute(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1, boot = ?"
        f" WHERE id = ? AND state IN ('pending', 'in_doubt') RETURNING {_COLUMNS}",
        (boot, part_id),
    ).fetchone()
    if row is None:
        return _GONE
    part = _readable(row)
    if part is None:
        quarantine(connection, "outbox", row[1], row[13], error="unreadable", at=now)
        connection.execute("DELETE FROM outbox WHERE id = ?", (part_id,))
        return _UNREADABLE
    return part


def insert_parts(
    connection: sqlite3.Connection,
    chat: str,
    parts: Sequence[Prepared],
    now: float,
    *,
    turn_id: int | None,
    reply_to: str = "",
) -> list[int]:
    """Queue prepared replies inside the caller's transaction; returns their ids."""
    return [
        connection.execute(
            "INSERT INTO outbox (chat, state, created_at, due_at, turn_id, part_no, reply_to, body, attachment)"
            " VALUES (?, 'pending', ?, ?, ?, ?, ?, ?, ?)",
            (chat, now, now, turn_id, number, reply_to, body, attachment),
        ).lastrowid
        or 0
        for number, (body, attachment) in enumerate(parts)
    ]


def _readable(row: Row) -> OutboxPart | None:
    part_id, chat, state, created_at, due_at, attempts, doubts, plain, turn_id, part_no, *rest = row
    reply_to, platform_id, error, body, attachment = rest
    try:
        reply = load_reply(body, attachment)
        key, known = ChatKey.parse(chat), SendState(state)
    except (StoreCorrupt, ValueError):
        return None
    return OutboxPart(
        id=part_id,
        key=key,
        reply=reply,
        state=known,
        created_at=created_at,
        due_at=due_at,
        attempts=attempts,
        doubts=doubts,
        plain=bool(plain),
        turn_id=turn_id,
        part_no=part_no,
        reply_to=reply_to,
        platform_id=platform_id,
        error=error,
    )


def _settle_one(
    connection: sqlite3.Connection, part_id: int, settlement: Settlement, now: float
) -> _Settled | None:
    row = connection.execute(
        "SELECT state, doubts, due_at, platform_id FROM outbox WHERE id = ?", (part_id,)
    ).fetchone()
    if row is None:
        return None
    state, doubts, due_at, platform_id = row
    if state != SendState.SENDING:  # evidence was faster than the answer of the platform
        if settlement.platform_id and not platform_id:
            connection.execute(
                "UPDATE outbox SET platform_id = ? WHERE id = ?", (settlement.platform_id, part_id)
            )
        return _Settled(SendState(state), due_at)
    doubts += settlement.state is SendState.IN_DOUBT and settlement.counts
    final = SendState.DEAD if doubts >= COPIES and settlement.state is SendState.IN_DOUBT else settlement.state
    connection.execute(
        "UPDATE outbox SET state = ?, doubts = ?, due_at = ?, attempts = attempts - ?, plain = max(plain, ?),"
        " platform_id = ?, error = ?, settled_at = ? WHERE id = ?",
        (
            final,
            doubts,
            settlement.due_at,
            0 if settlement.counts else 1,
            int(settlement.plain),
            settlement.platform_id or platform_id,
            settlement.error[:MAX_ERROR],
            now if final in FINAL else None,
            part_id,
        ),
    )
    return _Settled(final, settlement.due_at)


def _close_chat(connection: sqlite3.Connection, part: OutboxPart, error: str, now: float) -> tuple[int, ...]:
    connection.execute("UPDATE profiles SET reachable = 0 WHERE chat = ?", (str(part.key),))
    rows = connection.execute(
        "UPDATE outbox SET state = 'failed', settled_at = ?, error = ?"
        " WHERE chat = ? AND id <> ? AND state IN ('pending', 'in_doubt') RETURNING id",
        (now, error[:MAX_ERROR], str(part.key), part.id),
    ).fetchall()
    return tuple(chain.from_iterable(rows))


def _moves_forward(present: SendState, wanted: SendState, *, proven: bool) -> bool:
    """A part parked for doubt alone, without a word of the platform, may still turn out to have arrived."""
    if present is SendState.DEAD and wanted is SendState.SENT:
        return not proven
    return _RANK[wanted] > _RANK[present]
