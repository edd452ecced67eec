"""Stored checkpoints as LangGraph names and shows them."""

from __future__ import annotations

import json
from typing import Any

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, CheckpointTuple

from domain.errors import StoreCorrupt
from memory.checkpoints import StoredCheckpoint
from memory.serializer import StateSerializer

ROOT = ""  # namespace of a graph that is not inside another


def names(config: RunnableConfig) -> tuple[str, str, str | None]:
    """Thread, namespace and checkpoint id that a config names."""
    named = config["configurable"]
    return str(named["thread_id"]), named.get("checkpoint_ns") or ROOT, named.get("checkpoint_id")


def config_of(thread_id: str, namespace: str, checkpoint_id: str) -> RunnableConfig:
    """The config that names a checkpoint."""
    return {
        "configurable": {
            "thread_id": thread_id,
            "checkpoint_ns": namespace,
            "checkpoint_id": checkpoint_id,
        }
    }


def matches(metadata: CheckpointMetadata, wanted: dict[str, Any] | None) -> bool:
    """Whether the metadata holds all of that."""
    return all(metadata.get(name) == value for name, value in (wanted or {}).items())


def packed(metadata: CheckpointMetadata) -> bytes:
    """Metadata as JSON; the patient writer of the standard library for lone surrogates and huge integers."""
    try:
        return orjson.dumps(metadata)
    except TypeError:
        return json.dumps(metadata, ensure_ascii=False).encode("utf-8", "replace")


def decoded(stored: StoredCheckpoint, serde: StateSerializer) -> CheckpointTuple:
    """What the bytes say. Raises StoreCorrupt."""
    row = stored.checkpoint
    checkpoint = serde.loads_for(row.thread_id, (row.kind, row.blob))
    if not isinstance(checkpoint, dict) or not checkpoint.keys() >= {"id", "channel_values", "v"}:
        raise StoreCorrupt("state is no checkpoint")
    try:
        metadata = json.loads(row.metadata)
    except ValueError as error:
        raise StoreCorrupt("metadata of a state cannot be read") from error
    writes = [(w.task_id, w.channel, serde.loads_for(w.thread_id, (w.kind, w.blob))) for w in stored.writes]
    parent = config_of(row.thread_id, row.namespace, row.parent_id) if row.parent_id else None
    config = config_of(row.thread_id, row.namespace, row.checkpoint_id)
    return CheckpointTuple(config, checkpoint, metadata, parent, writes)  # type: ignore[arg-type]
