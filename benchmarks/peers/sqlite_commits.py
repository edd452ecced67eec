"""Bare commits: the least that a turn kept on disk can cost.

One transaction per turn with the rows a turn needs (the message taken away, the state replaced, the reply
put down) under WAL and `synchronous=FULL`, one after the other, then 50 turns in each transaction.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from pathlib import Path

STATE = bytes(range(256)) * 6  # about what a session's state takes
REPLY = b"400 Mo pour 500 F, valable 7 jours. *141*3#" * 4
GROUP = 50


def run(path: Path, commits: int, group: int) -> dict[str, float]:
    """Commit so many transactions of `group` turns each; rate and CPU per turn."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        """PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        CREATE TABLE IF NOT EXISTS inbox (seq INTEGER PRIMARY KEY, chat TEXT, body BLOB);
        CREATE TABLE IF NOT EXISTS states (chat TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, chat TEXT, body BLOB);"""
    )
    started, cpu = time.perf_counter(), time.process_time()
    for number in range(commits):
        connection.execute("BEGIN IMMEDIATE")
        for turn in range(number * group, (number + 1) * group):
            chat = f"telegram:1:{turn % 500}"
            connection.execute("DELETE FROM inbox WHERE seq = ?", (turn,))
            connection.execute("INSERT OR REPLACE INTO states VALUES (?, ?)", (chat, STATE))
            connection.execute("INSERT INTO outbox (chat, body) VALUES (?, ?)", (chat, REPLY))
        connection.execute("COMMIT")
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    connection.close()
    turns = commits * group
    return {"turns_per_second": turns / seconds, "cpu_ms": cpu * 1000 / turns}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", required=True, type=Path)
    parser.add_argument("--commits", type=int, default=1000)
    options = parser.parse_args()
    alone = run(options.db, options.commits, 1)
    grouped = run(options.db, options.commits // 10, GROUP)
    print(json.dumps({"alone": alone, "grouped": grouped}))


if __name__ == "__main__":
    main()
