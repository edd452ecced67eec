"""The sessions that the memory benchmarks copy are sessions that the bot takes up."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import growth
from benchmarks.growth import idle_ours, used_bytes

COUNTS = {
    "sessions with three turns": ("SELECT count(*) FROM sessions WHERE messages = 3", 30),
    "states": ("SELECT count(DISTINCT thread_id) FROM checkpoints", 30),
    "profiles": ("SELECT count(*) FROM profiles", 30),
    "exchanges": ("SELECT count(*) FROM exchanges", 90),
    "exchanges of the least talkative": (
        "SELECT min(n) FROM (SELECT count(*) AS n FROM exchanges GROUP BY chat)",
        3,
    ),
}


async def test_copied_sessions_go_on_where_their_originals_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "SEEDS", 10)
    monkeypatch.setenv("CHAT_RATE_PER_MINUTE", "1000")
    database = tmp_path / "memory.db"
    row = await idle_ours(database, 30, 3)
    assert row["sessions"] == 15  # weighed when half of them had talked
    assert row["rss_mib"] > 0
    assert used_bytes(database) > 0
    with closing(sqlite3.connect(database)) as connection:
        found = {name: connection.execute(query).fetchone()[0] for name, (query, _) in COUNTS.items()}
        indexed = connection.execute("SELECT value FROM counters WHERE name = 'indexed'").fetchone()
    assert found == {name: count for name, (_, count) in COUNTS.items()}
    assert indexed == (60,)  # the two turns before, of all thirty
