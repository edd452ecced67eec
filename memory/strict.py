"""Strict msgpack: LangGraph reads its switch once, while it is imported, so the entry point sets it first."""

from __future__ import annotations

import os
import sys

from domain.errors import BadSettings

SWITCH = "LANGGRAPH_STRICT_MSGPACK"


def require_strict_msgpack() -> None:
    """Make LangGraph revive allow-listed classes only. Call before anything imports langgraph.

    `StateSerializer` is strict by itself; this makes every other serializer of the process strict too.
    Raises BadSettings when LangGraph was imported before, in its permissive mode.
    """
    os.environ[SWITCH] = "true"  # noqa: TID251 - written for a library, not read as a setting
    loaded = sys.modules.get("langgraph.checkpoint.serde._msgpack")
    if loaded is not None and not getattr(loaded, "STRICT_MSGPACK_ENABLED", False):
        raise BadSettings(f"{SWITCH} must be set before langgraph is imported")
