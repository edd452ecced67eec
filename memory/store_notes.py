"""Small durable JSON values of other rooms."""

# ruff: noqa: S608 - every statement is made of constants here; what callers give is bound

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from memory.database import Database
from memory.rows import dump_json, load_json

_FRESH = "(expires_at IS NULL OR expires_at > ?)"


class SqliteNotes:
    """Notes on SQLite."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def get(self, namespace: str, name: str) -> Any | None:
        """See `memory.base.Notes.get`."""
        row = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT value FROM notes WHERE namespace = ? AND name = ? AND {_FRESH}",
                (namespace, name, self._clock()),
            ).fetchone()
        )
        return None if row is None else load_json(row[0])

    async def put(
        self, namespace: str, values: Mapping[str, Any], *, expires_at: float | None = None
    ) -> None:
        """See `memory.base.Notes.put`."""
        rows = [(namespace, name, dump_json(value), expires_at) for name, value in values.items()]
        await self._database.write(
            lambda connection: (
                connection.executemany(
                    "INSERT OR REPLACE INTO notes (namespace, name, value, expires_at) VALUES (?, ?, ?, ?)",
                    rows,
                ).rowcount
            )
        )

    async def delete(self, namespace: str, names: Sequence[str] | None = None) -> int:
        """See `memory.base.Notes.delete`."""

        def work(connection: sqlite3.Connection) -> int:
            if names is None:
                return connection.execute("DELETE FROM notes WHERE namespace = ?", (namespace,)).rowcount
            return connection.executemany(
                "DELETE FROM notes WHERE namespace = ? AND name = ?", [(namespace, name) for name in names]
            ).rowcount

        return await self._database.write(work)

    async def items(self, namespace: str) -> Mapping[str, Any]:
        """See `memory.base.Notes.items`."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT name, value FROM notes WHERE namespace = ? AND {_FRESH}", (namespace, self._clock())
            ).fetchall()
        )
        return {name: load_json(value) for name, value in rows}
