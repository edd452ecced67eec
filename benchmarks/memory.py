"""Every figure of the memory system as one Markdown table.

python -m benchmarks.memory
"""

from __future__ import annotations

import asyncio
import os
import platform
import sqlite3
from importlib.metadata import version

from benchmarks import memory_cpu, memory_many, memory_size


async def main() -> None:
    """Run everything; some minutes on two cores."""
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} from other work at the start"
    print(f"{versions}, langgraph {version('langgraph')}, {machine}.\n")
    print("| figure | measured | target | |\n|---|---|---|---|")
    for part in (memory_size, memory_cpu, memory_many):
        print("\n".join(await part.rows()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
