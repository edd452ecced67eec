"""What turns begin with, read in one statement."""

# ruff: noqa: S608 - the statement is made of constants

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from domain.errors import StoreCorrupt
from memory.records import Opening
from memory.rows import dump_json
from memory.store_long_term import PROFILE_COLUMNS, read_profile
from memory.store_sessions import SESSION_COLUMNS, read_session


def _of(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{column}" for column in columns.split(", "))


_SESSION_WIDTH, _PROFILE_WIDTH = len(SESSION_COLUMNS.split(", ")), len(PROFILE_COLUMNS.split(", "))
_SELECT = (
    f"SELECT asked.chat, {_of('sessions', SESSION_COLUMNS)}, {_of('profiles', PROFILE_COLUMNS)},"
    " CASE profiles.sealed WHEN 1 THEN NULL ELSE"
    " (SELECT at FROM exchanges WHERE exchanges.chat = asked.chat ORDER BY id DESC LIMIT 1) END,"
    " EXISTS (SELECT 1 FROM checkpoints WHERE thread_id = asked.chat)"
    " FROM (SELECT value AS chat FROM json_each(?)) AS asked"
    " LEFT JOIN sessions ON sessions.chat = asked.chat LEFT JOIN profiles ON profiles.chat = asked.chat"
)


def read_openings(connection: sqlite3.Connection, chats: Sequence[str]) -> Mapping[str, Opening | None]:
    """The openings of these chats; None where a row cannot be read back."""
    rows = connection.execute(_SELECT, (dump_json(chats),)).fetchall()
    return {row[0]: _opening(row[1:]) for row in rows}


def _opening(row: tuple[Any, ...]) -> Opening | None:
    session, profile = row[:_SESSION_WIDTH], row[_SESSION_WIDTH : _SESSION_WIDTH + _PROFILE_WIDTH]
    last_exchange_at, has_state = row[-2:]
    try:
        return Opening(
            session=None if session[0] is None else read_session(session),
            profile=None if profile[0] is None else read_profile(profile),
            last_exchange_at=last_exchange_at,
            has_state=bool(has_state),
        )
    except StoreCorrupt:
        return None
