"""What marks a database file as ours, and which formats there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
APPLICATION_ID = 0x41524E45


def migrations(folder: Path = MIGRATIONS) -> Sequence[Path]:
    """The scripts in order: the place of each is the version it leads to."""
    return sorted(folder.glob("[0-9]*.sql"))
