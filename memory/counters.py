"""Totals that survive restarts, as named numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping


def add_to(connection: sqlite3.Connection, **amounts: float) -> None:
    """Add to counters inside the caller's transaction; nothing is written for a zero."""
    connection.executemany(
        "UPDATE counters SET value = value + ? WHERE name = ?",
        [(amount, name) for name, amount in amounts.items() if amount],
    )


def set_to(connection: sqlite3.Connection, name: str, value: float) -> None:
    """Give a counter another value."""
    connection.execute(
        "INSERT OR REPLACE INTO counters (name, value) VALUES (?, ?)",
        (name, value),
    )


def counters(connection: sqlite3.Connection) -> Mapping[str, float]:
    """All counters by name."""
    return dict(connection.execute("SELECT name, value FROM counters").fetchall())
