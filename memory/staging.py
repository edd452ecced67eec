"""What a turn's graph wrote, held back until the turn commits."""

from __future__ import annotations

from langgraph.checkpoint.base import CheckpointTuple

from memory.records import CheckpointWrite
from memory.state_cache import StateCache


class Staged:
    """The latest checkpoint of one turn: `write` joins its commit, `keep()` follows the commit.

    `new` says that the thread has none on disk.
    """

    def __init__(self, cache: StateCache, thread_id: str, *, new: bool) -> None:
        self._cache = cache
        self._thread_id = thread_id
        self.new = new
        self.write: CheckpointWrite | None = None
        self.state: CheckpointTuple | None = None
        self.kept = False

    def take(self, write: CheckpointWrite, state: CheckpointTuple) -> None:
        """Replace what was staged before."""
        self.write, self.state = write, state

    def keep(self) -> None:
        """The commit stands: what was staged is the thread's latest state."""
        self.kept = True
        if self.write is not None and self.state is not None:
            self._cache.put(self._thread_id, self.state, len(self.write.blob))
