"""Rows that cannot be read back are set aside, so that the others go on."""

from __future__ import annotations

import logging
import sqlite3

logger = logging.getLogger(__name__)


def quarantine(
    connection: sqlite3.Connection, source: str, chat: str, body: bytes, *, error: str, at: float
) -> None:
    """Keep the bytes of an unreadable row and count it; the caller deletes the row in the same transaction."""
    connection.execute(
        "INSERT INTO quarantine (source, chat, at, error, body) VALUES (?, ?, ?, ?, ?)",
        (source, chat, at, error, body),
    )
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'quarantined'")
    logger.error("a row of %s cannot be read and was set aside", source, extra={"action": "store.quarantine"})
