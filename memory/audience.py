"""Whom a broadcast reaches: every reachable subscriber, page by page, each page in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.messages import Reply
from memory.database import Database
from memory.outbox_rows import insert_parts
from memory.records import OutboxPart
from memory.rows import dump_json, readable_key
from memory.store_outbox import SqliteOutbox

# The web page has no address of its own, and an unreachable or blocked subscriber is not written to.
_REACHABLE = "reachable = 1 AND blocked = 0 AND chat NOT LIKE 'web:%' AND chat NOT LIKE 'ask:%'"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of recipients. `last` is None when there is nobody left."""

    last: str | None
    queued: int
    skipped: int


class Audience:
    """Reads profiles and queues parts on the Store's connection."""

    def __init__(self, database: Database, outbox: SqliteOutbox, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock

    async def size(self) -> int:
        """How many subscribers can be written to."""
        return int(
            await self._database.read(
                lambda connection: connection.execute(
                    f"SELECT count(*) FROM profiles WHERE {_REACHABLE}"  # noqa: S608  # a constant
                ).fetchone()[0]
            )
        )

    async def queue_page(
        self,
        reply: Reply,
        *,
        after: str,
        limit: int,
        window_start: float,
        note: Callable[[Page], tuple[str, str, Mapping[str, Any]]],
    ) -> Page:
        """Queue the reply for the next `limit` chats and write the note of the page, in one transaction.

        A crash therefore repeats nobody and leaves nobody out. WhatsApp chats silent since `window_start` are
        skipped. `note` gives namespace, name and value for the page.
        """
        prepared, now = self._outbox.prepare([reply]), self._clock()

        def work(connection: sqlite3.Connection) -> tuple[Page, list[OutboxPart]]:
            rows = connection.execute(
                f"SELECT chat, last_inbound_at FROM profiles WHERE {_REACHABLE} AND chat > ?"  # noqa: S608
                " ORDER BY chat LIMIT ?",
                (after, limit),
            ).fetchall()
            chosen = [
                key
                for chat, last in rows
                if (key := readable_key(chat)) and (key.channel != "whatsapp" or last >= window_start)
            ]
            queued = [
                part for key in chosen for part in insert_parts(connection, key, prepared, now, turn_id=None)
            ]
            page = Page(rows[-1][0] if rows else None, len(chosen), len(rows) - len(chosen))
            namespace, name, value = note(page)
            connection.execute(
                "INSERT OR REPLACE INTO notes (namespace, name, value, expires_at) VALUES (?, ?, ?, NULL)",
                (namespace, name, dump_json(value)),
            )
            return page, queued

        page, _ = await self._database.write(work, committed=lambda result: self._outbox.queued(result[1]))
        return page
