"""The rows of the outbox: how a part changes from state to state, inside the caller's transaction."""

# ruff: noqa: S608 - every statement is made of constants here; what callers give is bound

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from domain.errors import StoreCorrupt
from domain.messages import ChatKey, Reply
from memory.quarantine import quarantine
from memory.records import MAX_COPIES, OutboxPart, SendState, Settlement
from memory.rows import dump_reply, load_reply

MAX_ERROR = 500
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
UNREADABLE = "unreadable"
SELECT = f"SELECT {_COLUMNS} FROM outbox"
_TOO_DOUBTFUL = ":doubted AND doubts + :doubt >= :copies"
_SETTLE = (
    f"UPDATE outbox SET state = CASE WHEN {_TOO_DOUBTFUL} THEN 'dead' ELSE :state END,"
    f" settled_at = CASE WHEN :doubted AND NOT ({_TOO_DOUBTFUL}) THEN NULL ELSE :settled END,"
    " doubts = doubts + :doubt, due_at = :due, attempts = attempts - :refund, plain = max(plain, :plain),"
    " platform_id = CASE :platform_id WHEN '' THEN platform_id ELSE :platform_id END, error = :error"
    " WHERE id = :id AND state = 'sending'"
)

Row = tuple[int, str, str, float, float, int, int, int, int | None, int, str, str, str, bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A reply with the body and the attachment of its row."""

    reply: Reply
    body: bytes
    attachment: bytes | None


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settlement made of a part; `closed` are the others it failed."""

    state: SendState
    due: float
    closed: tuple[int, ...] = ()


def prepare(reply: Reply) -> Prepared:
    """Encode a reply. Raises what an unusable one makes the encoder raise."""
    return Prepared(reply, *dump_reply(reply))


def mark_sending(connection: sqlite3.Connection, part_id: int, boot: int, now: float) -> OutboxPart | str:
    """Claim a part for one send; GONE or UNREADABLE when there is none to send."""
    row: Row | None = connection.execute(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1, boot = ?"
        f" WHERE id = ? AND state IN ('pending', 'in_doubt') RETURNING {_COLUMNS}",
        (boot, part_id),
    ).fetchone()
    if row is None:
        return _GONE
    part = readable(row)
    if part is None:
        quarantine(connection, "outbox", row[1], row[13], error="unreadable", at=now)
        connection.execute("DELETE FROM outbox WHERE id = ?", (part_id,))
        return UNREADABLE
    return part


def insert_parts(
    connection: sqlite3.Connection,
    key: ChatKey,
    replies: Sequence[Prepared],
    now: float,
    *,
    turn_id: int | None,
    reply_to: str = "",
    claimed_by: int | None = None,
) -> list[OutboxPart]:
    """Queue prepared replies inside the caller's transaction, the first one claimed by that boot, if any."""
    chat = str(key)
    parts: list[OutboxPart] = []
    for number, each in enumerate(replies):
        boot = claimed_by if not number else None
        state = SendState.PENDING if boot is None else SendState.SENDING
        attempts = int(boot is not None)
        part_id = connection.execute(
            "INSERT INTO outbox (chat, state, created_at, due_at, attempts, boot, turn_id, part_no, reply_to,"
            " body, attachment) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (chat, state, now, now, attempts, boot, turn_id, number, reply_to, each.body, each.attachment),
        ).lastrowid
        parts.append(
            OutboxPart(
                id=part_id or 0,
                key=key,
                reply=each.reply,
                state=state,
                created_at=now,
                due_at=now,
                attempts=attempts,
                turn_id=turn_id,
                part_no=number,
                reply_to=reply_to,
            )
        )
    return parts


def readable(row: Row) -> OutboxPart | None:
    """The part of a row, None when it cannot be read."""
    (part_id, chat, state, created_at, due_at, attempts, doubts, plain), (turn_id, part_no) = (
        row[:8],
        row[8:10],
    )
    reply_to, platform_id, error, body, attachment = row[10:]
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


def settle_one(
    connection: sqlite3.Connection, part_id: int, settlement: Settlement, now: float
) -> Settled | None:
    """Write what became of a send; None when the part was erased meanwhile."""
    doubted = settlement.state is SendState.IN_DOUBT
    settled = connection.execute(
        _SETTLE,
        {
            "id": part_id,
            "state": settlement.state,
            "doubted": int(doubted),
            "doubt": int(doubted and settlement.counts),
            "copies": MAX_COPIES,
            "due": settlement.due_at,
            "refund": 0 if settlement.counts else 1,
            "plain": int(settlement.plain),
            "platform_id": settlement.platform_id,
            "error": settlement.error[:MAX_ERROR],
            "settled": now if doubted or settlement.state in FINAL else None,
        },
    )
    if not settled.rowcount:
        return _overtaken(connection, part_id, settlement)
    state = _state(connection, part_id) if doubted else settlement.state
    return Settled(state, settlement.due_at)


def _state(connection: sqlite3.Connection, part_id: int) -> SendState:
    (state,) = connection.execute("SELECT state FROM outbox WHERE id = ?", (part_id,)).fetchone()
    return SendState(state)


def _overtaken(connection: sqlite3.Connection, part_id: int, settlement: Settlement) -> Settled | None:
    """Evidence was faster than the answer of the platform: its word stands."""
    row = connection.execute(
        "UPDATE outbox SET platform_id = CASE platform_id WHEN '' THEN ? ELSE platform_id END WHERE id = ?"
        " RETURNING state, due_at",
        (settlement.platform_id, part_id),
    ).fetchone()
    return None if row is None else Settled(SendState(row[0]), row[1])


def close_chat(connection: sqlite3.Connection, part: OutboxPart, error: str, now: float) -> tuple[int, ...]:
    """Fail what else waits for the chat; its ids."""
    connection.execute("UPDATE profiles SET reachable = 0 WHERE chat = ?", (str(part.key),))
    rows = connection.execute(
        "UPDATE outbox SET state = 'failed', settled_at = ?, error = ?"
        " WHERE chat = ? AND id <> ? AND state IN ('pending', 'in_doubt') RETURNING id",
        (now, error[:MAX_ERROR], str(part.key), part.id),
    ).fetchall()
    return tuple(chain.from_iterable(rows))


def confirm_one(
    connection: sqlite3.Connection,
    part_id: int,
    state: SendState,
    *,
    platform_id: str,
    error: str,
    now: float,
) -> str | None:
    """Apply platform evidence; the chat whose part moved, or None."""
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


def _moves_forward(present: SendState, wanted: SendState, *, proven: bool) -> bool:
    """A part parked for doubt alone, without a word of the platform, may still turn out to have arrived."""
    if present is SendState.DEAD and wanted is SendState.SENT:
        return not proven
    return _RANK[wanted] > _RANK[present]
