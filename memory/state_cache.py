"""Decoded states of the sessions active last, bounded by what they take in memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from langgraph.checkpoint.base import CheckpointTuple, copy_checkpoint

# Measured by `python -m benchmarks.memory_ram`: a decoded state takes 24 to 39 times its compressed blob.
FIXED_BYTES = 1024
BYTES_PER_BLOB_BYTE = 40


@dataclass(frozen=True, slots=True)
class _Entry:
    state: CheckpointTuple
    size: int


class StateCache:
    """Least recently used out first. Callers get their own containers around shared messages.

    Messages are never mutated in place, neither by LangGraph's reducers nor by our nodes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._loads: dict[str, object] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, thread_id: str) -> CheckpointTuple | None:
        """The thread's latest state, when it is here."""
        entry = self._entries.get(thread_id)
        if entry is None:
            return None
        self._entries.move_to_end(thread_id)
        return own(entry.state)

    def put(self, thread_id: str, state: CheckpointTuple, blob_bytes: int) -> None:
        """Keep a state; `blob_bytes` is its size when serialised."""
        self.drop(thread_id)
        size = FIXED_BYTES + blob_bytes * BYTES_PER_BLOB_BYTE
        if size <= self._limit:
            self._entries[thread_id] = _Entry(state, size)
            self.bytes += size
            self.shrink(self._limit)

    def drop(self, thread_id: str) -> None:
        """Forget a thread, and whatever of it is being loaded now."""
        self._loads.pop(thread_id, None)
        entry = self._entries.pop(thread_id, None)
        if entry is not None:
            self.bytes -= entry.size

    def clear(self) -> None:
        """Forget everything."""
        self._loads.clear()
        self.shrink(0)

    def shrink(self, to_bytes: int) -> None:
        """Forget the least recently used until at most `to_bytes` are taken."""
        while self.bytes > to_bytes:
            _, entry = self._entries.popitem(last=False)
            self.bytes -= entry.size

    def loading(self, thread_id: str) -> object:
        """Announce a load from disk; `loaded` keeps its result unless the thread was dropped meanwhile."""
        ticket = self._loads[thread_id] = object()
        return ticket

    def loaded(self, thread_id: str, ticket: object, state: CheckpointTuple | None, blob_bytes: int) -> None:
        """End a load; a state of None keeps nothing."""
        if self._loads.get(thread_id) is not ticket:
            return
        del self._loads[thread_id]
        if state is not None:
            self.put(thread_id, state, blob_bytes)


def own(state: CheckpointTuple) -> CheckpointTuple:
    """The same state in containers the caller may change, as LangGraph's loop does."""
    return state._replace(checkpoint=copy_checkpoint(state.checkpoint), metadata=state.metadata.copy())
