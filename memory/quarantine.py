"""Rows that cannot be read back are set aside, so that the others go on."""

from __future__ import annotations

import logging
import sqlite3

logger = logging.getLogger(__name__)

MAX_BODY = 16 * 1024
MAX_ERROR = 500
MAX_ROWS = 1000  # the oldest go first: a flood of poison must not fill the disk


def quarantine(
    connection: sqlite3.Connection, source: str, chat: str, body: bytes, *, error: str, at: float
) -> None:
    """Keep the bytes of an unreadable row and count it; the caller deletes it in the same transaction."""
    connection.execute(
        "INSERT INTO quarantine (source, chat, at, error, body) VALUES (?, ?, ?, ?, ?)",
        (source, chat, at, error[:MAX_ERROR], body),
    )
    connection.execute("DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?", (MAX_ROWS,))
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'quarantined'")
    logger.error("a row of %s cannot be read and was set aside", source, extra={"action": "store.quarantine"})
