"""Imports the bot once, then forks a child per line on standard input: the line is the child's log file.

Prints "pid N" for each child and "exit N CODE" when it ends. Each child runs the real entry point.
"""

from __future__ import annotations

import gc
import os
import select
import sys
from importlib import import_module
from pathlib import Path

from bot.__main__ import main
from config.settings import harden_libraries


def serve(folder: Path) -> None:
    """Fork until standard input closes."""
    harden_libraries()
    _import_everything()
    gc.freeze()
    children: set[int] = set()
    buffered = b""
    while True:
        readable, _, _ = select.select([0], [], [], 0.01 if children else None)
        if readable:
            data = os.read(0, 4096)
            if not data:
                return
            *lines, buffered = (buffered + data).split(b"\n")
            for line in lines:
                children.add(_fork(folder, line.decode()))
        for pid in tuple(children):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                children.discard(pid)
                print("exit", pid, os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  # the protocol


def _import_everything() -> None:
    for name in ("uvloop", "agent.shield", "bot.app", "bot.cli.run"):
        import_module(name)


def _fork(folder: Path, log: str) -> int:
    pid = os.fork()
    if pid:
        print("pid", pid, flush=True)  # noqa: T201  # the protocol
        return pid
    code = 70
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder)
        code = main(["run"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
