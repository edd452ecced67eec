"""`python -m bot restore PATH`: puts a copy back in place while the bot is stopped."""

from __future__ import annotations

import argparse
import asyncio

from config.settings import Settings
from memory.opening import restore_file


async def execute(settings: Settings, options: argparse.Namespace) -> int:
    """Restore and say where the old database lies. Raises StoreUnavailable while the bot runs."""
    target = settings.memory_db_path
    old = await asyncio.to_thread(restore_file, options.path, target)
    kept = f" ; l'ancienne base est gardée sous {old}" if old else ""
    print(f"{options.path} est remise en place sous {target}{kept}.")
    return 0
