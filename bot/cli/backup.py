"""`python -m bot backup PATH`: a consistent copy of the database, also while the bot runs."""

from __future__ import annotations

import argparse
import asyncio

from config.settings import Settings
from memory.opening import backup_file


async def execute(settings: Settings, options: argparse.Namespace) -> int:
    """Copy and say where to. Raises BadInput when PATH exists or there is no database yet."""
    await asyncio.to_thread(backup_file, settings.memory_db_path, options.path)
    size = options.path.stat().st_size / 1024
    print(f"Sauvegarde de {settings.memory_db_path} écrite dans {options.path} ({size:.0f} Kio).")
    return 0
