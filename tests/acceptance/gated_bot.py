"""The bot whose heavy imports wait for a file: `python -m tests.acceptance.gated_bot GATE python -m bot run`.

The main thread serves, so that it may import none of them at all: there the import is an error.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

HEAVY = ("langgraph", "langchain_core", "langchain_openai", "langsmith", "openai", "telegram.ext")


class Gate(MetaPathFinder):
    """Stands before all other finders and finds nothing itself."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not self._file.exists() and fullname in HEAVY:
            if threading.current_thread() is threading.main_thread():
                raise ImportError(f"{fullname} is imported before the bot serves")
            while not self._file.exists():
                time.sleep(0.005)
        return None


if __name__ == "__main__":
    sys.meta_path.insert(0, Gate(Path(sys.argv[1])))
    from bot.__main__ import main

    sys.exit(main(sys.argv[5:]))
