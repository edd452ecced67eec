"""Starting the real entry point as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from config.settings import ROOT, Settings


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """The machine's environment without any of the bot's settings, plus these."""
    ours = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "MEMORY_DB_PATH": str(folder / "memory.db"), "PYTHONPATH": str(ROOT), **settings}


def bot_command(*arguments: str) -> list[str]:
    """`python -m bot ...` with the interpreter of the tests."""
    return [sys.executable, "-m", "bot", *arguments]


def run_bot(
    folder: Path, *arguments: str, text: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the terminal to its end."""
    return subprocess.run(
        bot_command(*arguments),
        cwd=folder,
        env=environment(folder, **settings),
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
