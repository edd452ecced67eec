"""A file that takes up disk space until the disk is full: then it is freed, and replies still go out."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

RESERVE_BYTES = 1024 * 1024


class Reserve:
    """The reserve of one database file. Both calls block."""

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size

    def free(self) -> None:
        """Give the space back to the disk."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def restore(self) -> bool:
        """Take the space again; False when the disk has none."""
        try:
            if self._path.exists() and self._path.stat().st_size == self._size:
                return True
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size)
            finally:
                os.close(handle)
        except OSError as error:
            logger.warning("no disk space for the reserve: %s", error, extra={"action": "store.reserve"})
            self.free()
            return False
        return True
