"""What a start does with what the last process left, in one transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from memory.counters import add_to, counters

# A channel whose platform reports deliveries: the report is awaited before the part is sent again.
EVIDENCE_SECONDS = {"whatsapp": 60.0}


@dataclass(frozen=True, slots=True)
class Recovered:
    """What waits on disk, for the mirrors of the queues: rows by id. `boot` counts the starts."""

    boot: int
    inbox: list[tuple[int, str, float, float, int]]
    outbox: list[tuple[int, str, float, float]]
    in_doubt: int


def recover(connection: sqlite3.Connection, now: float) -> Recovered:
    """Drop leases, put interrupted sends in doubt, count the start."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        add_to(connection, boots=1)
        connection.execute("UPDATE inbox SET lease = NULL WHERE lease IS NOT NULL")
        doubtful = _doubt_interrupted(connection, now)
        _await_evidence(connection, now)
        recovered = Recovered(
            boot=int(counters(connection)["boots"]),
            inbox=connection.execute(
                "SELECT seq, chat, received_at, ready_at, merges FROM inbox"
                " WHERE parked_turn IS NULL ORDER BY seq"
            ).fetchall(),
            outbox=connection.execute(
                "SELECT id, chat, created_at, due_at FROM outbox"
                " WHERE state <> 'sent' AND state IN ('pending', 'in_doubt') ORDER BY id"
            ).fetchall(),
            in_doubt=doubtful,
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return recovered


def _doubt_interrupted(connection: sqlite3.Connection, now: float) -> int:
    """What may not go out again stays in doubt too: the sender parks it, and tells of it."""
    rows = connection.execute(
        "SELECT id, chat FROM outbox WHERE state = 'sending' AND state <> 'sent'"
    ).fetchall()
    for part_id, chat in rows:
        connection.execute(
            "UPDATE outbox SET state = 'in_doubt', doubts = doubts + 1, due_at = ?, error = ? WHERE id = ?",
            (now + EVIDENCE_SECONDS.get(chat.partition(":")[0], 0.0), "arrêt pendant l'envoi", part_id),
        )
    return len(rows)


def _await_evidence(connection: sqlite3.Connection, now: float) -> None:
    """Receipts could not arrive while nobody listened: the wait for them counts from this start."""
    for channel, seconds in EVIDENCE_SECONDS.items():
        connection.execute(
            "UPDATE outbox SET due_at = max(due_at, ?)"
            " WHERE state = 'in_doubt' AND state <> 'sent' AND chat >= ? AND chat < ?",
            (now + seconds, f"{channel}:", f"{channel};"),  # ";" follows ":" in every encoding
        )
