"""What a decoded session takes in memory against its blob: the two constants of `memory/state_cache.py`.

python -m benchmarks.memory_ram
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from typing import Any

from benchmarks.memory_graph import OurVersions, Scripts, build, run_turn
from memory.serializer import StateSerializer
from memory.state_cache import BYTES_PER_BLOB_BYTE, FIXED_BYTES

COPIES = 200


async def blobs(turns: int) -> list[tuple[str, bytes]]:
    """Serialised states of ten chats after so many turns."""
    saver, scripts, serializer = OurVersions(), Scripts(), StateSerializer()
    graph, found = build(saver), []
    for number in range(10):
        thread_id = f"telegram:42:{number}"
        for _ in range(turns):
            await run_turn(graph, thread_id, scripts.next(thread_id), durability="exit")
        state = await saver.aget_tuple({"configurable": {"thread_id": thread_id}})
        assert state is not None
        found.append(serializer.dumps_for(thread_id, state.checkpoint))
    return found


def decoded_bytes(found: list[tuple[str, bytes]]) -> float:
    """Memory of one decoded state, mean of many."""
    serializer = StateSerializer()
    kept: list[Any] = [serializer.loads_for("warm", each) for each in found]
    gc.collect()
    tracemalloc.start()
    kept = [serializer.loads_for("t", found[number % len(found)]) for number in range(COPIES)]
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return taken / len(kept)


async def table() -> list[str]:
    """The measurement as a Markdown table."""
    lines = ["| turns | blob, bytes | decoded, bytes | counted by the cache |", "|---|---|---|---|"]
    for turns in (1, 4, 10, 40):
        found = await blobs(turns)
        blob = sum(len(data) for _, data in found) / len(found)
        counted = FIXED_BYTES + blob * BYTES_PER_BLOB_BYTE
        lines.append(f"| {turns} | {blob:,.0f} | {decoded_bytes(found):,.0f} | {counted:,.0f} |")
    return lines


if __name__ == "__main__":
    print("\n".join(asyncio.run(table())))
