"""Sessions: one row per chat, and totals that survive restarts."""

# ruff: noqa: S608 - every statement is made of constants here; what callers give is bound

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from domain.errors import StoreCorrupt
from domain.messages import ChatKey, Language
from memory.checkpoints import Checkpoints
from memory.counters import add_to, counters
from memory.database import Database
from memory.quarantine import quarantine
from memory.records import SessionCounts, SessionRecord
from memory.rows import dump_choices, load_choices, readable_key

ENDED_AT_ONCE = 25  # sessions ended in one transaction: some milliseconds, so that no turn waits for long
SESSION_COLUMNS = "chat, created_at, last_activity, messages, documents, tool_calls, language, choices, rest"
_UPDATE = (
    "UPDATE sessions SET last_activity = ?, messages = ?, documents = ?, tool_calls = ?, language = ?,"
    " choices = ?, rest = ? WHERE chat = ? AND created_at = ?"
)
_INSERT = (
    "INSERT INTO sessions (last_activity, messages, documents, tool_calls, language, choices, rest, chat,"
    " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT = f"SELECT {SESSION_COLUMNS} FROM sessions"

SessionRow = tuple[str, float, float, int, int, int, str | None, str, str]


class SqliteSessions:
    """Sessions on SQLite."""

    def __init__(
        self, database: Database, *, clock: Callable[[], float], on_trouble: Callable[[str], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._on_trouble = on_trouble

    async def get(self, key: ChatKey) -> SessionRecord | None:
        """See `memory.base.Sessions.get`."""
        chat = str(key)
        row: SessionRow | None = await self._database.read(
            lambda connection: connection.execute(f"{_SELECT} WHERE chat = ?", (chat,)).fetchone()
        )
        if row is None:
            return None
        try:
            return read_session(row)
        except StoreCorrupt as error:
            await self._set_aside(row, str(error))
            return None

    async def idle(self, before: float, limit: int) -> Sequence[ChatKey]:
        """See `memory.base.Sessions.idle`."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT chat FROM sessions WHERE last_activity < ? ORDER BY last_activity LIMIT ?",
                (before, limit),
            ).fetchall()
        )
        return [key for (chat,) in rows if (key := readable_key(chat))]

    async def end(self, keys: Sequence[ChatKey], *, before: float) -> int:
        """See `memory.base.Sessions.end`."""
        ended = 0
        for start in range(0, len(keys), ENDED_AT_ONCE):
            chats = [str(key) for key in keys[start : start + ENDED_AT_ONCE]]

            def work(connection: sqlite3.Connection, chats: Sequence[str] = chats) -> int:
                return sum(_expire(connection, chat, before) for chat in chats)

            ended += await self._database.write(work)
        return ended

    async def counts(self) -> SessionCounts:
        """See `memory.base.Sessions.counts`."""

        def query(connection: sqlite3.Connection) -> SessionCounts:
            (active,) = connection.execute("SELECT count(*) FROM sessions").fetchone()
            totals = counters(connection)
            ended = totals.get("sessions_ended", 0.0)
            return SessionCounts(
                active=active,
                total=int(totals.get("sessions_total", 0.0)),
                expired=int(totals.get("sessions_expired", 0.0)),
                average_duration_seconds=totals.get("sessions_seconds", 0.0) / ended if ended else 0.0,
            )

        return await self._database.read(query)

    async def recent(self, limit: int) -> Sequence[SessionRecord]:
        """See `memory.base.Sessions.recent`."""
        rows: list[SessionRow] = await self._database.read(
            lambda connection: connection.execute(
                f"{_SELECT} ORDER BY last_activity DESC LIMIT ?", (limit,)
            ).fetchall()
        )
        return [record for row in rows if (record := _readable(row))]

    async def _set_aside(self, row: SessionRow, error: str) -> None:
        now = self._clock()

        def work(connection: sqlite3.Connection) -> None:
            body = repr(row[1:]).encode("utf-8", "replace")
            quarantine(connection, "sessions", row[0], body, error=error, at=now)
            Checkpoints.delete_in(connection, row[0])
            drop_session(connection, row[0])

        await self._database.write(work)
        self._on_trouble("une session est illisible : mise de côté, la conversation repart à neuf")


def save_session(connection: sqlite3.Connection, session: SessionRecord) -> None:
    """Write a session inside the caller's transaction; another start than the stored one is a new session."""
    chat = str(session.key)
    values = (
        session.last_activity,
        session.messages,
        session.documents,
        session.tool_calls,
        session.language,
        dump_choices(session.choices) if session.choices else "[]",
        session.rest,
        chat,
        session.created_at,
    )
    if connection.execute(_UPDATE, values).rowcount == 0:
        drop_session(connection, chat, expired=True)  # its timeout was found by the turn, not by the clean-up
        connection.execute(_INSERT, values)
        add_to(connection, sessions_total=1)


def drop_session(connection: sqlite3.Connection, chat: str, *, expired: bool = False) -> bool:
    """End a session inside the caller's transaction and count it; its checkpoint is the caller's matter."""
    row = connection.execute(
        "DELETE FROM sessions WHERE chat = ? RETURNING last_activity - created_at", (chat,)
    ).fetchone()
    if row is None:
        return False
    add_to(connection, sessions_ended=1, sessions_expired=int(expired), sessions_seconds=max(0.0, row[0]))
    return True


def _expire(connection: sqlite3.Connection, chat: str, before: float) -> bool:
    """Leases are on disk in the order of transactions: a turn claimed before this one is seen here."""
    due = connection.execute(
        "SELECT 1 FROM sessions WHERE chat = ?1 AND last_activity < ?2 AND NOT EXISTS"
        " (SELECT 1 FROM inbox WHERE chat = ?1 AND parked_turn IS NULL AND lease IS NOT NULL)",
        (chat, before),
    ).fetchone()
    if due is None:
        return False
    Checkpoints.delete_in(connection, chat)
    return drop_session(connection, chat, expired=True)


def read_session(row: SessionRow) -> SessionRecord:
    """The session of a row of SESSION_COLUMNS. Raises StoreCorrupt."""
    chat, created_at, last_activity, messages, documents, tool_calls, language, choices, rest = row
    try:
        return SessionRecord(
            key=ChatKey.parse(chat),
            created_at=created_at,
            last_activity=last_activity,
            messages=messages,
            documents=documents,
            tool_calls=tool_calls,
            language=Language(language) if language is not None else None,
            choices=load_choices(choices),
            rest=rest,
        )
    except ValueError as error:
        raise StoreCorrupt(f"a session cannot be read: {type(error).__name__}") from error


def _readable(row: SessionRow) -> SessionRecord | None:
    try:
        return read_session(row)
    except StoreCorrupt:
        return None
