"""The outbox: what turns said and no platform has taken yet, in strict order per chat."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from domain.errors import BotError
from domain.messages import ChatKey, Reply
from memory.database import Database
from memory.errands import Errands
from memory.handover import Handover
from memory.lanes import Item, Lanes, wait_for_change
from memory.outbox_rows import (
    FINAL,
    SELECT,
    UNREADABLE,
    Prepared,
    Settled,
    close_chat,
    confirm_one,
    insert_parts,
    mark_sending,
    prepare,
    readable,
    settle_one,
)
from memory.records import OutboxPart, SendState, Settlement
from memory.rows import readable_key

AFTER_TROUBLE = 0.5
MAX_AHEAD = 86_400.0  # no wait asked for by a platform is longer


@dataclass(frozen=True, slots=True)
class _Picked:
    lanes: Lanes
    chat: str
    id: int


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
        self._handover = Handover()

    def mirror(self, rows: Sequence[tuple[int, str, float, float]]) -> None:
        """Take over what waits on disk: (id, chat, created_at, due_at), by id."""
        latest = self._clock() + MAX_AHEAD
        for part_id, chat, created_at, due_at in rows:
            if (key := readable_key(chat)) is not None:
                self.lanes(key).add(chat, Item(part_id, min(due_at, latest), created_at))

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
        try:
            while True:
                if parts := self._handover.take():
                    return parts
                open_queues = [queue for account, queue in self._queues.items() if account not in paused]
                picked = self._pick(open_queues, limit - self._handover.places)
                self._handover.open(limit - len(picked), paused)
                if picked:
                    if parts := await self._errands.finish(self._mark_sending(picked), undo=self._unclaim):
                        return parts
                    continue
                left = deadline - loop.time()
                if left <= 0:
                    return ()
                dues = [due for queue in open_queues if (due := queue.next_due()) is not None]
                until_due = max(0.0, min(dues) - self._clock()) if dues else left
                await wait_for_change(self._changed, min(left, until_due))
        finally:
            self._handover.close()

    async def settle(self, part: OutboxPart, settlement: Settlement) -> None:
        """See `memory.base.Outbox.settle`."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> Settled | None:
            settled = settle_one(connection, part.id, settlement, now)
            if not settlement.close_chat:
                return settled
            closed = close_chat(connection, part, settlement.error, now)
            return Settled(settled.state, settled.due, closed) if settled else None

        def committed(settled: Settled | None) -> None:
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
            return confirm_one(connection, part_id, state, platform_id=platform_id, error=error, now=now)

        def committed(chat: str | None) -> None:
            if chat is not None:
                self._reflect(ChatKey.parse(chat), part_id, state, now)

        return await self._database.write(work, committed=committed, vital=True) is not None

    async def after(self, key: ChatKey, part_id: int, limit: int) -> Sequence[OutboxPart]:
        """See `memory.base.Outbox.after`."""

        def query(connection: sqlite3.Connection) -> list[OutboxPart]:
            rows = connection.execute(
                f"{SELECT} WHERE chat = ? AND id > ? ORDER BY id LIMIT ?", (str(key), part_id, limit)
            ).fetchall()
            return [part for row in rows if (part := readable(row))]

        return await self._database.read(query)

    async def enqueue(self, key: ChatKey, replies: Sequence[Reply]) -> None:
        """See `memory.base.Outbox.enqueue`."""
        if not replies:
            return
        parts, now = self.prepare(replies), self._clock()
        await self._database.write(
            lambda connection: insert_parts(connection, key, parts, now, turn_id=None),
            committed=self.queued,
        )

    @staticmethod
    def prepare(replies: Sequence[Reply]) -> list[Prepared]:
        """Encode before the transaction: an unusable reply fails its caller only."""
        return [prepare(reply) for reply in replies]

    def queued(self, parts: Sequence[OutboxPart], *, due: float | None = None) -> None:
        """New parts are on disk."""
        for part in parts:
            item = Item(part.id, part.due_at if due is None else due, part.created_at)
            self.lanes(part.key).add(str(part.key), item)

    def reserve(self, key: ChatKey) -> int | None:
        """Take a place in the sender for the next part of a chat in which nothing waits.

        Returns what `insert_parts` claims the part with. Then `hand_over` or `give_up` must follow.
        """
        if not self._handover.reserve((key.channel, key.account)):
            return None
        if not self.lanes(key).take_empty(str(key)):
            self._handover.give_up()
            return None
        return self._boot

    def hand_over(self, key: ChatKey, parts: Sequence[OutboxPart]) -> None:
        """The parts are on disk, the first of them claimed in its reserved place."""
        self.queued(parts)
        self.lanes(key).own(str(key), parts[0].id)
        self._handover.give(parts[0])
        self._changed.set()

    def give_up(self, key: ChatKey) -> None:
        """Nothing was written for the reserved place."""
        self._handover.give_up()
        self.lanes(key).release(str(key))

    async def close(self) -> None:
        """Give back what no sender came for; what cannot be written now is in doubt at the next start."""
        with suppress(BotError):
            await self._unclaim(self._handover.take())

    async def replay(self, part_id: int) -> bool:
        """Queue a dead part again, as if it had never been tried."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> tuple[str, float] | None:
            found: tuple[str, float] | None = connection.execute(
                "UPDATE outbox SET state = 'pending', due_at = ?, attempts = 0, doubts = 0,"
                " settled_at = NULL, platform_id = '', error = ''"
                " WHERE id = ? AND state = 'dead' RETURNING chat, created_at",
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
    def _pick(queues: Iterable[Lanes], limit: int) -> list[_Picked]:
        """Chats of all accounts in turn, so that a busy account leaves room for the others."""
        picked: list[_Picked] = []
        waiting = list(queues)
        while waiting and len(picked) < limit:
            share = max(1, (limit - len(picked)) // len(waiting))
            queue = waiting.pop(0)
            chats = queue.take(share)
            picked += [_Picked(queue, chat, next(iter(queue.items(chat))).id) for chat in chats]
            if len(chats) == share:
                waiting.append(queue)
        return picked

    async def _mark_sending(self, picked: Sequence[_Picked]) -> list[OutboxPart]:
        now = self._clock()

        def work(connection: sqlite3.Connection) -> list[OutboxPart | str]:
            return [mark_sending(connection, each.id, self._boot, now) for each in picked]

        def committed(parts: list[OutboxPart | str]) -> None:
            for each, part in zip(picked, parts, strict=True):
                each.lanes.own(each.chat, each.id)
                if isinstance(part, str):
                    each.lanes.remove(each.chat, [each.id])
                    each.lanes.release(each.chat, each.id)
                if part == UNREADABLE:
                    self._on_trouble("une réponse en attente est illisible : mise de côté (quarantine)")

        def undone() -> None:
            later = self._clock() + AFTER_TROUBLE
            for each in picked:
                each.lanes.delay(each.chat, each.id, later)
                each.lanes.release(each.chat)

        parts = await self._database.write(work, committed=committed, undone=undone, vital=True)
        return [part for part in parts if isinstance(part, OutboxPart)]

    async def _unclaim(self, parts: Sequence[OutboxPart]) -> None:
        now = self._clock()
        for part in parts:
            state = SendState.IN_DOUBT if part.doubts else SendState.PENDING
            await self.settle(part, Settlement(state, due_at=now, counts=False))
