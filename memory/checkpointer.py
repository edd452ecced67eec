"""LangGraph's saver on the Store's connection.

In production a turn runs inside `staging`: nothing is written, the latest checkpoint joins the turn's own
transaction, and only that one is kept on disk. Outside of it this is a complete saver that commits by itself.
`compile()` clones savers, so what a clone must share is changed in place, never bound anew.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.types import INTERRUPT

from domain.errors import BadInput, BotError, StoreCorrupt
from memory.checkpoint_tuples import ROOT, config_of, decoded, matches, names, packed
from memory.checkpoints import Checkpoints, PendingWrite, StoredCheckpoint
from memory.records import CheckpointWrite
from memory.serializer import StateSerializer
from memory.staging import Staged
from memory.state_cache import StateCache, own

logger = logging.getLogger(__name__)


class Checkpointer(BaseCheckpointSaver[str]):
    """Saver with a byte-bounded cache of decoded states. Loop-bound: no synchronous twin."""

    serde: StateSerializer

    def __init__(
        self,
        checkpoints: Checkpoints,
        serializer: StateSerializer,
        *,
        cache_bytes: int,
        clock: Callable[[], float] = time.time,
        on_trouble: Callable[[str], None] = logger.warning,
    ) -> None:
        super().__init__(serde=serializer)
        self._checkpoints = checkpoints
        self._cache = StateCache(cache_bytes)
        self._staged: dict[str, Staged] = {}
        self._clock = clock
        self._on_trouble = on_trouble
        self._allowed: Collection[tuple[str, ...]] | None = None

    @property
    def cached_bytes(self) -> int:
        """What the cached states take in memory, estimated."""
        return self._cache.bytes

    @property
    def cached_sessions(self) -> int:
        """How many sessions are cached."""
        return len(self._cache)

    def shrink(self, to_bytes: int = 0) -> None:
        """Forget cached states, least recently used first; they are all on disk."""
        self._cache.shrink(to_bytes)

    def forget(self, thread_id: str) -> None:
        """Forget one thread's cached state: it ended, or another process may have changed it."""
        self._cache.drop(thread_id)

    @contextmanager
    def staging(self, thread_id: str, *, new: bool = False) -> Iterator[Staged]:
        """Hold back what is written to the thread while the block is open.

        A `new` thread has nothing on disk, so nothing is looked for.
        Unless `keep()` was called the thread's cached state is forgotten on leaving, whatever happened.
        Pending writes are not held: a turn that ends in its middle is run again from the inbox.
        """
        if thread_id in self._staged:
            raise RuntimeError("one turn per chat: this thread is staged already")
        staged = self._staged[thread_id] = Staged(self._cache, thread_id, new=new)
        try:
            yield staged
        finally:
            del self._staged[thread_id]
            if not staged.kept:
                self.forget(thread_id)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The named checkpoint, or the latest. An unreadable state is set aside and counts as none."""
        thread_id, namespace, checkpoint_id = names(config)
        if namespace == ROOT:
            known = self._known(thread_id)
            if known is not None and checkpoint_id in {None, known.checkpoint["id"]}:
                return known
            if known is None and self._is_new(thread_id):
                return None
        if namespace != ROOT or checkpoint_id is not None:
            state, _ = await self._load(thread_id, namespace, checkpoint_id)
            return state
        return await self._load_latest(thread_id)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Stored checkpoints, newest first; every argument narrows."""
        named = config["configurable"] if config else {}
        found = await self._checkpoints.list(
            None if config is None else str(named["thread_id"]),
            named.get("checkpoint_ns"),
            checkpoint_id=named.get("checkpoint_id"),
            before=None if before is None else before["configurable"].get("checkpoint_id"),
            limit=-1 if filter or limit is None else limit,
        )
        given = 0
        for stored in found:
            if given == limit:
                return
            state = await self._readable(stored)
            if state is not None and matches(state.metadata, filter):
                given += 1
                yield state

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, or stage it."""
        thread_id, namespace, parent_id = names(config)
        facts = get_serializable_checkpoint_metadata(config, metadata)
        staged = self._staged.get(thread_id)
        kind, blob = self.serde.dumps_for(thread_id, checkpoint)
        write = CheckpointWrite(
            thread_id=thread_id,
            namespace=namespace,
            checkpoint_id=checkpoint["id"],
            parent_id=parent_id if staged is None else None,  # its parent will not be kept
            kind=kind,
            blob=blob,
            metadata=packed(facts),
            run_id=facts.get("run_id"),
        )
        named = config_of(thread_id, namespace, checkpoint["id"])
        if staged is None:
            try:
                await self._checkpoints.put(write)
            finally:
                self.forget(thread_id)
        elif namespace == ROOT:
            # LangGraph gives its savers a copy of their own; whoever reads the state gets another.
            staged.take(write, CheckpointTuple(named, checkpoint, facts, None, []))
        return named

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> BaseCheckpointSaver[str]:
        """A clone that revives these classes too; LangGraph asks before every run, each time for the same."""
        if extra_allowlist is self._allowed:
            return self
        clone = super().with_allowlist(extra_allowlist)
        if isinstance(clone, Checkpointer):
            clone._allowed = extra_allowlist
        return clone

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store writes of a task that belong to a checkpoint. While staging there are none to keep."""
        thread_id, namespace, checkpoint_id = names(config)
        if thread_id in self._staged:
            if any(channel == INTERRUPT for channel, _ in writes):
                raise BadInput("a graph cannot be interrupted inside a turn: its writes would be lost")
            return
        pending = []
        for number, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, number)
            kind, blob = self.serde.dumps_for(thread_id, value)
            pending.append(
                PendingWrite(
                    thread_id, namespace, checkpoint_id or "", task_id, index, channel, kind, blob, task_path
                )
            )
        try:
            await self._checkpoints.put_writes(pending)
        finally:
            self.forget(thread_id)

    async def adelete_thread(self, thread_id: str) -> None:
        """Drop everything of a thread."""
        try:
            await self._checkpoints.delete_thread(thread_id)
        finally:
            self.forget(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Drop the checkpoints of these runs, with their writes."""
        try:
            await self._checkpoints.delete_runs(run_ids)
        finally:
            self._cache.clear()

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy everything of a thread under another name."""

        def rebind(kind: str, blob: bytes) -> bytes:
            return self.serde.rebind(source_thread_id, target_thread_id, (kind, blob))

        try:
            await self._checkpoints.copy_thread(source_thread_id, target_thread_id, rebind=rebind)
        finally:
            self.forget(target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Drop all checkpoints of these threads ("delete"), or all but the latest ("keep_latest")."""
        if strategy not in {"keep_latest", "delete"}:
            raise BadInput(f"unknown strategy {strategy!r}")
        try:
            await self._checkpoints.prune(thread_ids, keep_latest=strategy == "keep_latest")
        finally:
            for thread_id in thread_ids:
                self.forget(thread_id)

    def get_next_version(self, current: str | None, channel: None) -> str:
        """The channel's next version."""
        return next_version(current)

    def _known(self, thread_id: str) -> CheckpointTuple | None:
        staged = self._staged.get(thread_id)
        if staged is not None and staged.state is not None:
            return own(staged.state)
        return self._cache.get(thread_id)

    def _is_new(self, thread_id: str) -> bool:
        staged = self._staged.get(thread_id)
        return staged is not None and staged.new

    async def _load_latest(self, thread_id: str) -> CheckpointTuple | None:
        ticket, state, size = self._cache.loading(thread_id), None, 0
        try:
            state, size = await self._load(thread_id, ROOT, None)
        finally:
            self._cache.loaded(thread_id, ticket, state, size)
        return None if state is None else own(state)

    async def _load(
        self, thread_id: str, namespace: str, checkpoint_id: str | None
    ) -> tuple[CheckpointTuple | None, int]:
        """A checkpoint from disk, and the size of its blob."""
        try:
            stored = await self._checkpoints.load(thread_id, namespace, checkpoint_id)
        except StoreCorrupt as error:  # a damaged page of the file
            await self._set_aside(thread_id, error)
            return None, 0
        if stored is None:
            return None, 0
        return await self._readable(stored), len(stored.checkpoint.blob)

    async def _readable(self, stored: StoredCheckpoint) -> CheckpointTuple | None:
        try:
            return decoded(stored, self.serde)
        except StoreCorrupt as error:
            await self._set_aside(stored.checkpoint.thread_id, error)
            return None

    async def _set_aside(self, thread_id: str, error: StoreCorrupt) -> None:
        logger.warning("state set aside: %s", error, extra={"action": "state_set_aside"})
        self._on_trouble("l'état d'une session est illisible : mis de côté, la conversation repart à neuf")
        self.forget(thread_id)
        with suppress(BotError):  # on a damaged page even this may fail; the session starts afresh anyway
            await self._checkpoints.quarantine(thread_id, error=str(error), at=self._clock())


def next_version(current: str | None) -> str:
    """Versions sort as text; a whole checkpoint is one blob, so they need no random part."""
    number, _, _ = (current or "0").partition(".")
    return f"{int(number) + 1:08d}"


# LangGraph inspects it in every run; a signature that is there already need not be made again.
Checkpointer.aput_writes.__signature__ = inspect.signature(Checkpointer.aput_writes)  # type: ignore[attr-defined]
