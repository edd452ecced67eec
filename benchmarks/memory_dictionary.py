"""Does a zstd dictionary pay for session states? Measured on talk that did not train it.

python -m benchmarks.memory_dictionary [--write]
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import zstandard
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from benchmarks.conversations import turn
from benchmarks.memory_graph import OurVersions, build, run_turn
from memory import compact
from memory.serializer import CURRENT_DICTIONARY, DICTIONARIES

KNOWLEDGE = Path(__file__).parent.parent / "data" / "knowledge"
TRAINING, HELD_OUT = slice(0, None, 2), slice(1, None, 2)
SIZES = (0, 8192, 16_384, 32_768, 65_536)
SHIPPED_SIZE = 16_384
SAMPLES = 1500
WHOLE_SESSIONS = 40


async def states(share: slice, seeds: Sequence[int], turns: Callable[[random.Random], int]) -> list[bytes]:
    """Checkpoints of talks as they go into the compressor, made by LangGraph itself."""
    saver = OurVersions()
    graph = build(saver)
    raw = []
    for seed in seeds:
        rng, thread_id = random.Random(seed), f"telegram:42:{seed}"
        for number in range(turns(rng)):
            await run_turn(graph, thread_id, _turn(rng, number, share), durability="exit")
        found = await saver.aget_tuple({"configurable": {"thread_id": thread_id}})
        assert found is not None
        raw.append(compact.pack(found.checkpoint))
    return raw


def _turn(rng: random.Random, number: int, share: slice) -> list[AnyMessage]:
    """Half of the answers come from the model's talk, half are passages of the knowledge files."""
    talk = turn(rng, number, share=share)
    paragraphs = _paragraphs()[share]
    if rng.random() < 0.5 and paragraphs:
        answer: AnyMessage = AIMessage(rng.choice(paragraphs)[:900], id=f"a-{number}")
        return [HumanMessage(talk[0].content, id=talk[0].id), answer]
    return talk


def _paragraphs() -> list[str]:
    texts = [path.read_text(encoding="utf-8") for path in sorted(KNOWLEDGE.glob("*.md"))]
    return [block.strip() for text in texts for block in text.split("\n\n") if len(block) > 40]


async def samples() -> list[bytes]:
    """States of the training share: sessions of one to four turns, as most are."""
    return await states(TRAINING, range(SAMPLES), lambda rng: rng.choice((1, 1, 2, 4)))


def train(size: int, raw: list[Any]) -> bytes:
    """A dictionary of at most `size` bytes."""
    return zstandard.train_dictionary(size, raw, level=3).as_bytes()


def codec(dictionary: bytes) -> tuple[Any, Any]:
    """Compressor and decompressor as the serializer makes them."""
    settings: dict[str, Any] = {"level": 3, "write_checksum": True, "write_dict_id": False}
    if not dictionary:
        return zstandard.ZstdCompressor(**settings), zstandard.ZstdDecompressor()
    data = zstandard.ZstdCompressionDict(dictionary)
    data.precompute_compress(level=3)
    return zstandard.ZstdCompressor(dict_data=data, **settings), zstandard.ZstdDecompressor(dict_data=data)


def row(size: int, dictionary: bytes, groups: Sequence[list[bytes]]) -> str:
    """Mean bytes of each group of states, and µs for the last."""
    compressor, decompressor = codec(dictionary)
    means = [sum(len(compressor.compress(raw)) for raw in group) / len(group) for group in groups]
    packed = [compressor.compress(raw) for raw in groups[-1]]
    pack = min(_seconds(compressor.compress, groups[-1]) for _ in range(7))
    unpack = min(_seconds(decompressor.decompress, packed) for _ in range(7))
    cells = [f"{mean:,.0f}" for mean in means] + [f"{pack * 1e6:.0f}", f"{unpack * 1e6:.0f}"]
    return f"| {size // 1024 or 'none'} | " + " | ".join(cells) + " |"


def _seconds(work: Callable[[bytes], bytes], group: Sequence[bytes]) -> float:
    start = time.perf_counter()
    for raw in group:
        work(raw)
    return (time.perf_counter() - start) / len(group)


async def main(arguments: Sequence[str]) -> None:
    """Train, measure, print."""
    training = await samples()
    if "--write" in arguments:
        DICTIONARIES.mkdir(exist_ok=True)
        path = DICTIONARIES / f"{CURRENT_DICTIONARY:04d}.zdict"
        path.write_bytes(train(SHIPPED_SIZE, training))
    seeds = range(10_000, 10_000 + WHOLE_SESSIONS)
    groups = [await states(HELD_OUT, seeds, lambda _, n=count: n) for count in (1, 4, 40)]  # type: ignore[misc]
    raw = [sum(map(len, group)) / len(group) for group in groups]
    print("| dictionary, KiB | 1 turn, bytes | 4 turns | full session | compress full, µs | decompress |")
    print("|---|---|---|---|---|---|")
    print(f"| not compressed | {raw[0]:,.0f} | {raw[1]:,.0f} | {raw[2]:,.0f} | | |")
    for size in SIZES:
        print(row(size, train(size, training) if size else b"", groups))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
