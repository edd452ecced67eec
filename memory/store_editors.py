"""What people do with open questions and dead letters."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import orjson

from memory.database import Database
from memory.records import DeadLetter, OpenQuestion
from memory.rows import readable_key
from memory.store_inbox import SqliteInbox
from memory.store_outbox import SqliteOutbox

EXCERPT = 200


class SqliteEditors:
    """Questions and dead letters on SQLite."""

    def __init__(self, database: Database, inbox: SqliteInbox, outbox: SqliteOutbox) -> None:
        self._database = database
        self._inbox = inbox
        self._outbox = outbox

    async def questions(self, limit: int) -> Sequence[OpenQuestion]:
        """See `memory.base.Editors.questions`. The same words, whatever their case, are one question."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT max(id), question, language, open_reason, count(*), max(at) FROM exchanges"
                " WHERE open_reason IS NOT NULL GROUP BY lower(trim(question)), open_reason"
                " ORDER BY count(*) DESC, max(at) DESC LIMIT ?",
                (limit,),
            ).fetchall()
        )
        return [OpenQuestion(*row) for row in rows]

    async def close_question(self, question_id: int) -> None:
        """See `memory.base.Editors.close_question`."""
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE exchanges SET open_reason = NULL WHERE open_reason IS NOT NULL AND"
                    " (lower(trim(question)), open_reason) ="
                    " (SELECT lower(trim(question)), open_reason FROM exchanges WHERE id = ?)",
                    (question_id,),
                ).rowcount
            )
        )

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """See `memory.base.Editors.dead_letters`."""

        def query(connection: sqlite3.Connection) -> list[DeadLetter]:
            turns = connection.execute(
                "SELECT parked_turn, chat, parked_at, error, body FROM inbox WHERE parked_turn IS NOT NULL"
                " AND seq = parked_turn ORDER BY parked_at DESC LIMIT ?",
                (limit,),
            ).fetchall()
            parts = connection.execute(
                "SELECT id, chat, coalesce(settled_at, created_at), error, body FROM outbox"
                " WHERE state = 'dead' AND state <> 'sent' ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
            letters = [_letter("inbox", row) for row in turns] + [_letter("outbox", row) for row in parts]
            return [letter for letter in letters if letter is not None]

        letters = await self._database.read(query)
        return sorted(letters, key=lambda letter: letter.at, reverse=True)[:limit]

    async def replay(self, source: str, letter_id: int) -> bool:
        """See `memory.base.Editors.replay`."""
        if source == "inbox":
            return await self._inbox.replay(letter_id)
        return source == "outbox" and await self._outbox.replay(letter_id)


def _letter(source: str, row: tuple[int, str, float, str, bytes]) -> DeadLetter | None:
    number, chat, at, error, body = row
    key = readable_key(chat)
    if key is None:
        return None
    try:
        text = str(orjson.loads(body)["text"])
    except (ValueError, TypeError, KeyError):
        text = ""
    return DeadLetter(source, number, key, at, error, text[:EXCERPT])
