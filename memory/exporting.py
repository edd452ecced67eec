"""Everything stored about one chat, as a file its subscriber can read."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

# By the names of the export.
_TABLES: Mapping[str, str] = {
    "profil": "SELECT language, phone, first_seen, last_inbound_at, reachable, blocked, sealed,"
    " handoff_until, extra FROM profiles WHERE chat = ?",
    "session": "SELECT created_at, last_activity, messages, documents, tool_calls, language, rest"
    " FROM sessions WHERE chat = ?",
    "echanges": "SELECT at, session_started_at, question, answer, language, origin, passage_ids, answered,"
    " rating FROM exchanges WHERE chat = ? ORDER BY id",
    "messages_en_attente": "SELECT received_at, parked_at, body FROM inbox WHERE chat = ? ORDER BY seq",
    "reponses": "SELECT created_at, state, body FROM outbox WHERE chat = ? ORDER BY id",
}
_SAID = ("echanges", "messages_en_attente", "reponses")
_TIMES = frozenset(
    {
        "first_seen",
        "last_inbound_at",
        "handoff_until",
        "created_at",
        "last_activity",
        "at",
        "session_started_at",
    }
    | {"received_at", "parked_at"}
)
_NESTED = frozenset({"extra", "passage_ids", "body"})


def export_chat(connection: sqlite3.Connection, chat: str) -> dict[str, Any]:
    """Read all of a chat; what was said is left out while an identity change seals it."""
    tables = {name: _rows(connection, query, chat) for name, query in _TABLES.items()}
    if any(profile["sealed"] for profile in tables["profil"]):
        tables.update({name: [] for name in _SAID})
    return {"chat": chat, **tables}


def _rows(connection: sqlite3.Connection, query: str, chat: str) -> list[dict[str, Any]]:
    cursor = connection.execute(query, (chat,))
    names = [column[0] for column in cursor.description]
    return [_row(names, row) for row in cursor.fetchall()]


def _row(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in zip(names, values, strict=True)}


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _TIMES:
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds") if value else None
    if name not in _NESTED:
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return None  # a damaged value must not keep the others from their owner
