"""LangGraph's own conformance kit, all eight capabilities, on plain and on encrypted state."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability

from memory.checkpointer import Checkpointer
from memory.encryption import StateCipher
from memory.opening import open_store
from memory.serializer import StateSerializer


@pytest.mark.parametrize("key", [None, "a key"])
@pytest.mark.parametrize("cache_bytes", [0, 1_000_000])
async def test_conforms(tmp_path: Path, key: str | None, cache_bytes: int) -> None:
    serializer = StateSerializer(cipher=StateCipher(key) if key else None)
    opened = 0

    async def saver() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        nonlocal opened
        opened += 1
        async with open_store(tmp_path / f"{opened}.db") as store:
            yield Checkpointer(store.checkpoints, serializer, cache_bytes=cache_bytes)

    report = await validate(checkpointer_test(name=f"{key}-{cache_bytes}")(saver))
    results = report.results
    assert set(results) == {capability.value for capability in Capability}
    assert {name: result.failures for name, result in results.items() if not result.passed} == {}
    assert sum(result.tests_passed for result in results.values()) >= 80
