"""Long-term memory: profiles and exchanges, with full-text search."""

# ruff: noqa: S608 - every statement is made of constants here; what callers give is bound

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from domain.errors import StoreCorrupt
from domain.messages import ChatKey, Language
from memory.database import Database
from memory.exporting import export_chat
from memory.indexing import TextIndex
from memory.quarantine import quarantine
from memory.records import Exchange, Profile
from memory.rows import dump_json, load_json

MAX_WORDS = 20
_WORD = re.compile(r"\w+")
PROFILE_COLUMNS = (
    "chat, language, phone, first_seen, last_inbound_at, reachable, blocked, sealed, handoff_until, extra"
)
_EXCHANGE = (
    "id, chat, at, session_started_at, question, answer, language, origin, passage_ids, answered, rating"
)
_NOT_SEALED = "NOT EXISTS (SELECT 1 FROM profiles WHERE chat = ?1 AND sealed = 1)"

ProfileRow = tuple[str, str | None, str | None, float, float, int, int, int, float, str | None]
ExchangeRow = tuple[int, str, float, float, str, str, str, str, str, int, int | None]


class SqliteLongTerm:
    """Long-term memory on SQLite."""

    def __init__(
        self,
        database: Database,
        index: TextIndex,
        *,
        clock: Callable[[], float],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._database = database
        self._index = index
        self._clock = clock
        self._on_trouble = on_trouble

    async def history(self, key: ChatKey, limit: int) -> Sequence[Exchange]:
        """See `memory.base.LongTerm.history`."""
        return await self._exchanges(
            f"SELECT {_EXCHANGE} FROM exchanges WHERE chat = ?1 AND {_NOT_SEALED} ORDER BY id DESC LIMIT ?2",
            (str(key), limit),
        )

    async def search(self, text: str, *, key: ChatKey | None, limit: int) -> Sequence[Exchange]:
        """See `memory.base.LongTerm.search`. All words must occur; best match first."""
        words = _WORD.findall(text)[:MAX_WORDS]
        if not words:
            return ()
        await self._index.catch_up()
        # Quoted, so that no word is an operator of the search language; the last one may be unfinished.
        match = " ".join(f'"{word}"' for word in words) + "*"
        chat = None if key is None else str(key)
        return await self._exchanges(
            f"SELECT {_EXCHANGE} FROM exchanges JOIN (SELECT rowid AS found, rank FROM exchanges_text"
            f" WHERE exchanges_text MATCH ?2) ON id = found WHERE ?1 IS NULL OR (chat = ?1 AND {_NOT_SEALED})"
            " ORDER BY rank, id DESC LIMIT ?3",
            (chat, match, limit),
        )

    async def profile(self, key: ChatKey) -> Profile | None:
        """See `memory.base.LongTerm.profile`."""
        row: ProfileRow | None = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {PROFILE_COLUMNS} FROM profiles WHERE chat = ?", (str(key),)
            ).fetchone()
        )
        if row is None:
            return None
        try:
            return read_profile(row)
        except StoreCorrupt as error:
            await self._set_aside(row, str(error))
            return None

    async def save_profile(self, profile: Profile) -> None:
        """See `memory.base.LongTerm.save_profile`."""
        await self._database.write(lambda connection: save_profile(connection, profile))

    async def export(self, key: ChatKey) -> Mapping[str, Any]:
        """See `memory.base.LongTerm.export`. While the profile is sealed, what was said stays hidden."""
        return await self._database.read(lambda connection: export_chat(connection, str(key)))

    async def _exchanges(self, query: str, values: tuple[object, ...]) -> Sequence[Exchange]:
        rows: list[ExchangeRow] = await self._database.read(
            lambda connection: connection.execute(query, values).fetchall()
        )
        return [exchange for row in rows if (exchange := _read_exchange(row))]

    async def _set_aside(self, row: ProfileRow, error: str) -> None:
        now = self._clock()

        def work(connection: sqlite3.Connection) -> None:
            body = repr(row[1:]).encode("utf-8", "replace")
            quarantine(connection, "profiles", row[0], body, error=error, at=now)
            connection.execute("DELETE FROM profiles WHERE chat = ?", (row[0],))

        await self._database.write(work)
        self._on_trouble("un profil est illisible : mis de côté (quarantine)")


def save_profile(connection: sqlite3.Connection, profile: Profile) -> None:
    """Replace a profile inside the caller's transaction."""
    connection.execute(
        f"INSERT OR REPLACE INTO profiles ({PROFILE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            str(profile.key),
            profile.language,
            profile.phone,
            profile.first_seen,
            profile.last_inbound_at,
            int(profile.reachable),
            int(profile.blocked),
            int(profile.sealed),
            profile.handoff_until,
            None if profile.extra is None else dump_json(profile.extra),
        ),
    )


def add_exchange(connection: sqlite3.Connection, exchange: Exchange) -> None:
    """Remember an exchange inside the caller's transaction; one without an answer is put to the editors."""
    rating = None if exchange.rating is None else int(exchange.rating)
    reason = "bad_rating" if rating == 0 else None
    connection.execute(
        "INSERT INTO exchanges (chat, at, session_started_at, question, answer, language, origin,"
        " passage_ids, answered, rating, open_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            str(exchange.key),
            exchange.at,
            exchange.session_started_at,
            exchange.question,
            exchange.answer,
            exchange.language,
            exchange.origin,
            dump_json(exchange.passage_ids),
            int(exchange.answered),
            rating,
            reason if exchange.answered else "unanswered",
        ),
    )


def rate_newest(connection: sqlite3.Connection, chat: str, *, useful: bool) -> None:
    """Write feedback on the chat's newest exchange inside the caller's transaction."""
    connection.execute(
        "UPDATE exchanges SET rating = ?1, open_reason = CASE"
        " WHEN ?1 = 0 THEN coalesce(open_reason, 'bad_rating')"
        " WHEN open_reason = 'bad_rating' THEN NULL ELSE open_reason END"
        " WHERE id = (SELECT max(id) FROM exchanges WHERE chat = ?2)",
        (int(useful), chat),
    )


def read_profile(row: ProfileRow) -> Profile:
    """The profile of a row of PROFILE_COLUMNS. Raises StoreCorrupt."""
    chat, language, phone, first_seen, last_inbound, reachable, blocked, sealed, handoff_until, extra = row
    try:
        return Profile(
            key=ChatKey.parse(chat),
            language=Language(language) if language is not None else None,
            phone=phone,
            first_seen=first_seen,
            last_inbound_at=last_inbound,
            reachable=bool(reachable),
            blocked=bool(blocked),
            sealed=bool(sealed),
            handoff_until=handoff_until,
            extra=None if extra is None else load_json(extra),
        )
    except ValueError as error:
        raise StoreCorrupt(f"a profile cannot be read: {type(error).__name__}") from error


def _read_exchange(row: ExchangeRow) -> Exchange | None:
    number, chat, at, started, question, answer, language, origin, passages, answered, rating = row
    try:
        return Exchange(
            key=ChatKey.parse(chat),
            at=at,
            session_started_at=started,
            question=question,
            answer=answer,
            language=Language(language),
            origin=origin,
            passage_ids=tuple(load_json(passages)),
            answered=bool(answered),
            rating=None if rating is None else bool(rating),
            id=number,
        )
    except (ValueError, StoreCorrupt):
        return None
