"""The tables behind LangGraph's saver: checkpoints and their pending writes, as bytes.

What the bytes mean is the serializer's matter. `write_in` keeps the latest checkpoint of a thread only and
runs inside a turn's transaction; the rest serves the complete saver interface.
"""

# ruff: noqa: S608 - every statement is made of constants here; what callers give is bound

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memory.database import Database
from memory.quarantine import quarantine
from memory.records import CheckpointWrite

_COLUMNS = "thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, run_id, type, checkpoint, metadata"
_WRITE_COLUMNS = "thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, value, task_path"

_TABLES = (("checkpoints", _COLUMNS, "checkpoint"), ("checkpoint_writes", _WRITE_COLUMNS, "value"))


@dataclass(frozen=True, slots=True)
class PendingWrite:
    """One write of a task that belongs to a checkpoint. `idx` below 0 marks LangGraph's special channels."""

    thread_id: str
    namespace: str
    checkpoint_id: str
    task_id: str
    idx: int
    channel: str
    kind: str  # type tag of the serializer
    blob: bytes
    task_path: str = ""


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint with its writes, sorted by (task_path, task_id, idx)."""

    checkpoint: CheckpointWrite
    writes: tuple[PendingWrite, ...]


class Checkpoints:
    """Checkpoints and writes on the Store's connection. Single calls here commit by themselves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(
        self, thread_id: str, namespace: str = "", checkpoint_id: str | None = None
    ) -> StoredCheckpoint | None:
        """The named checkpoint of a thread, or its latest."""

        def query(connection: sqlite3.Connection) -> StoredCheckpoint | None:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ?"
                " AND (?3 IS NULL OR checkpoint_id = ?3) ORDER BY checkpoint_id DESC LIMIT 1",
                (thread_id, namespace, checkpoint_id),
            ).fetchone()
            return None if row is None else _with_writes(connection, row)

        return await self._database.read(query)

    async def list(
        self,
        thread_id: str | None = None,
        namespace: str | None = None,
        *,
        checkpoint_id: str | None = None,
        before: str | None = None,
        limit: int = -1,
    ) -> Sequence[StoredCheckpoint]:
        """Checkpoints by descending id; every argument narrows. `before` is an exclusive checkpoint id."""

        def query(connection: sqlite3.Connection) -> list[StoredCheckpoint]:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM checkpoints WHERE (?1 IS NULL OR thread_id = ?1)"
                " AND (?2 IS NULL OR checkpoint_ns = ?2) AND (?3 IS NULL OR checkpoint_id = ?3)"
                " AND (?4 IS NULL OR checkpoint_id < ?4) ORDER BY checkpoint_id DESC LIMIT ?5",
                (thread_id, namespace, checkpoint_id, before, limit),
            ).fetchall()
            return [_with_writes(connection, row) for row in rows]

        return await self._database.read(query)

    async def put(self, checkpoint: CheckpointWrite) -> None:
        """Store one checkpoint beside the others of its thread."""
        await self._database.write(lambda connection: _upsert(connection, checkpoint))

    async def put_writes(self, writes: Sequence[PendingWrite]) -> None:
        """Store writes; those of special channels replace, the others keep what stands already."""

        def work(connection: sqlite3.Connection) -> None:
            for write in writes:
                verb = "REPLACE" if write.idx < 0 else "IGNORE"
                connection.execute(
                    f"INSERT OR {verb} INTO checkpoint_writes ({_WRITE_COLUMNS})"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        write.thread_id,
                        write.namespace,
                        write.checkpoint_id,
                        write.task_id,
                        write.idx,
                        write.channel,
                        write.kind,
                        write.blob,
                        write.task_path,
                    ),
                )

        await self._database.write(work)

    async def delete_thread(self, thread_id: str) -> None:
        """Drop every checkpoint and write of a thread."""
        await self._database.write(lambda connection: self.delete_in(connection, thread_id))

    async def delete_runs(self, run_ids: Sequence[str]) -> None:
        """Drop the checkpoints of these runs, with their writes."""

        def work(connection: sqlite3.Connection) -> None:
            for run_id in run_ids:
                found = connection.execute(
                    "SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints WHERE run_id = ?",
                    (run_id,),
                ).fetchall()
                for row in found:
                    _delete_one(connection, row)

        await self._database.write(work)

    async def copy_thread(self, source: str, target: str, *, rebind: Callable[[str, bytes], bytes]) -> None:
        """Copy every checkpoint and write of a thread under another name.

        `rebind` turns a blob of the source, given its type tag, into one that the target can read.
        """

        def work(connection: sqlite3.Connection) -> None:
            for table, columns, blob_column in _TABLES:
                names = columns.split(", ")
                kind_at, blob_at = names.index("type"), names.index(blob_column)
                marks = ", ".join("?" * len(names))
                for row in connection.execute(
                    f"SELECT {columns} FROM {table} WHERE thread_id = ?", (source,)
                ).fetchall():
                    copied = [target, *row[1:]]
                    copied[blob_at] = rebind(row[kind_at], row[blob_at])
                    connection.execute(f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})", copied)

        await self._database.write(work)

    async def prune(self, thread_ids: Sequence[str], *, keep_latest: bool) -> None:
        """Drop all checkpoints of these threads, or all but the latest of each namespace."""

        def work(connection: sqlite3.Connection) -> None:
            for thread_id in thread_ids:
                if keep_latest:
                    _keep_latest(connection, thread_id)
                else:
                    self.delete_in(connection, thread_id)

        await self._database.write(work)

    async def quarantine(self, thread_id: str, *, error: str, at: float) -> None:
        """Set a thread aside that cannot be read back; its chat starts afresh."""

        def work(connection: sqlite3.Connection) -> None:
            rows = connection.execute(
                "SELECT checkpoint FROM checkpoints WHERE thread_id = ?", (thread_id,)
            ).fetchall()
            for (body,) in rows:
                quarantine(connection, "checkpoints", thread_id, body, error=error, at=at)
            self.delete_in(connection, thread_id)

        await self._database.write(work)

    @staticmethod
    def write_in(connection: sqlite3.Connection, checkpoint: CheckpointWrite) -> None:
        """Make this the only checkpoint of its thread and namespace, inside the caller's transaction."""
        named = (checkpoint.thread_id, checkpoint.namespace, checkpoint.checkpoint_id)
        # Written over in place: deleting and inserting would touch twice as many pages of the file.
        replaced = connection.execute(
            "UPDATE OR REPLACE checkpoints SET checkpoint_id = ?, parent_checkpoint_id = ?, run_id = ?,"
            " type = ?, checkpoint = ?, metadata = ? WHERE thread_id = ? AND checkpoint_ns = ?",
            (
                checkpoint.checkpoint_id,
                checkpoint.parent_id,
                checkpoint.run_id,
                checkpoint.kind,
                checkpoint.blob,
                checkpoint.metadata,
                checkpoint.thread_id,
                checkpoint.namespace,
            ),
        )
        if not replaced.rowcount:
            _upsert(connection, checkpoint)
        connection.execute(
            "DELETE FROM checkpoint_writes WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id <> ?",
            named,
        )

    @staticmethod
    def delete_in(connection: sqlite3.Connection, thread_id: str) -> None:
        """Drop a thread inside the caller's transaction."""
        connection.execute("DELETE FROM checkpoints WHERE thread_id = ?", (thread_id,))
        connection.execute("DELETE FROM checkpoint_writes WHERE thread_id = ?", (thread_id,))


def _upsert(connection: sqlite3.Connection, checkpoint: CheckpointWrite) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO checkpoints ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            checkpoint.thread_id,
            checkpoint.namespace,
            checkpoint.checkpoint_id,
            checkpoint.parent_id,
            checkpoint.run_id,
            checkpoint.kind,
            checkpoint.blob,
            checkpoint.metadata,
        ),
    )


def _delete_one(connection: sqlite3.Connection, named: tuple[str, str, str]) -> None:
    where = "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?"
    connection.execute(f"DELETE FROM checkpoints {where}", named)
    connection.execute(f"DELETE FROM checkpoint_writes {where}", named)


def _keep_latest(connection: sqlite3.Connection, thread_id: str) -> None:
    latest = connection.execute(
        "SELECT checkpoint_ns, max(checkpoint_id) FROM checkpoints WHERE thread_id = ?"
        " GROUP BY checkpoint_ns",
        (thread_id,),
    ).fetchall()
    for namespace, checkpoint_id in latest:
        for table in ("checkpoints", "checkpoint_writes"):
            connection.execute(
                f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id <> ?",
                (thread_id, namespace, checkpoint_id),
            )


def _with_writes(
    connection: sqlite3.Connection, row: tuple[str, str, str, str | None, str | None, str, bytes, bytes]
) -> StoredCheckpoint:
    thread_id, namespace, checkpoint_id, parent_id, run_id, kind, blob, metadata = row
    writes = connection.execute(
        f"SELECT {_WRITE_COLUMNS} FROM checkpoint_writes WHERE thread_id = ? AND checkpoint_ns = ?"
        " AND checkpoint_id = ? ORDER BY task_path, task_id, idx",
        (thread_id, namespace, checkpoint_id),
    ).fetchall()
    return StoredCheckpoint(
        CheckpointWrite(thread_id, namespace, checkpoint_id, parent_id, kind, blob, metadata, run_id),
        tuple(PendingWrite(*write) for write in writes),
    )
