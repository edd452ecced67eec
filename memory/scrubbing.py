"""After an erasure no byte of it may stay in the file, its log or its full-text index.

SQLite overwrites what is deleted (secure_delete), but the full-text index keeps words until its segments are
merged, and the log keeps old pages until it is cut.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable

from domain.errors import StoreUnavailable
from memory.counters import counters, set_to
from memory.database import Database
from memory.errands import Errands

logger = logging.getLogger(__name__)

MERGE_PAGES = 200  # index pages written per step: some milliseconds, then others have their turn
READER_WAIT = 0.2
PATIENCE = 20  # attempts while a backup reads the log, after which the promise is kept later
