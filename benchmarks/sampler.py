"""Runs the bot under a sampler of CPU time: every tick of the profiling clock notes the stack.

SIGUSR2 switches it on and off; at the end the stacks are written to a file, one with its count a line. Ticks
of the other threads are noted with what the event loop does then.
"""

from __future__ import annotations

import atexit
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

TICK = 0.002


class Sampler:
    """Counts stacks while it is on."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._stacks: Counter[str] = Counter()
        self._on = False

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._tick)
        signal.signal(signal.SIGUSR2, self._toggle)
        signal.setitimer(signal.ITIMER_PROF, TICK, TICK)
        atexit.register(self._write)

    def _tick(self, _: int, frame: FrameType | None) -> None:
        if not self._on:
            return
        stack = []
        while frame is not None:
            code = frame.f_code
            stack.append(f"{code.co_qualname} ({code.co_filename})")
            frame = frame.f_back
        self._stacks[";".join(reversed(stack))] += 1

    def _toggle(self, _: int, __: FrameType | None) -> None:
        self._on = not self._on

    def _write(self) -> None:
        lines = (f"{stack} {count}\n" for stack, count in self._stacks.items())
        self._target.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    Sampler(Path(sys.argv[1])).start()
    sys.argv = ["bot", "run"]
    runpy.run_module("bot", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
