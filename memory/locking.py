"""One process per database file.

SQLite itself would let two in. But the order of chats, leases and the mirror of the queues live in one
process, and SQLite before 3.51.3 may damage a file that two connections write (the WAL-reset bug).
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.errors import StoreUnavailable

logger = logging.getLogger(__name__)


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold the file beside the database that says who works on it. Raises StoreUnavailable when another does.

    The lock is the kernel's: it goes with the process, however that dies.
    """
    handle = os.open(_lock_path(database), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(handle, database)
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


def is_locked(database: Path) -> bool:
    """Whether a process works on the database now."""
    try:
        handle = os.open(_lock_path(database), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _lock_path(database: Path) -> Path:
    return database.with_name(f"{database.name}.lock")


def _take(handle: int, database: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.read(handle, 20).decode("ascii", "replace").strip() or "inconnu"
        raise StoreUnavailable(
            f"la base {database} est déjà ouverte par un autre processus (numéro {owner}) ;"
            " arrêtez-le avant d'en lancer un second"
        ) from error
    except OSError as error:
        if error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.EINVAL}:
            raise
        logger.warning("this file system has no locks: %s", error, extra={"action": "store.lock"})
