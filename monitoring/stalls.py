"""Tells where the event loop stands while it stands still: afterwards nobody could say.

A thread of its own looks at the time of the last heartbeat. When that is late, it logs once where the
loop's thread is: files, lines and functions, never a value.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

logger = logging.getLogger(__name__)

_FRAMES = 8  # the innermost ones
_PARTS = 2  # of each file's path: enough to find the file
_LOOK_SECONDS = 0.1


class StallWatch:
    """Watches the thread that enters it; `beat()` is its heartbeat, `patience` how late one may be."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._watched = 0
        self._beat_at = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stall-watch", daemon=True)

    def __enter__(self) -> Self:
        self._watched = threading.get_ident()
        self.beat()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(1)

    def beat(self) -> None:
        """The watched thread is alive."""
        self._beat_at = time.monotonic()

    def _run(self) -> None:
        told = 0.0
        while not self._ended.wait(_LOOK_SECONDS):
            beat_at = self._beat_at
            late = time.monotonic() - beat_at
            if late > self._patience and beat_at != told:
                told = beat_at  # once per stall
                self._tell(late)

    def _tell(self, late: float) -> None:
        frame = sys._current_frames().get(self._watched)
        logger.warning(
            "event loop stands still",
            extra={"action": "loop_stall_stack", "seconds": round(late, 1), "stack": _places(frame)},
        )


def _places(frame: FrameType | None) -> str:
    """The innermost frames, outermost first: "asyncio/events.py:80 _run > bot/turn.py:120 _answer"."""
    places: list[str] = []
    while frame is not None and len(places) < _FRAMES:
        code = frame.f_code
        file = "/".join(Path(code.co_filename).parts[-_PARTS:])
        places.append(f"{file}:{frame.f_lineno} {code.co_name}")
        frame = frame.f_back
    return " > ".join(reversed(places))
