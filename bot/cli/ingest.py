"""`python -m bot ingest PATH`: documents into the knowledge folder; a running bot reloads by itself."""

from __future__ import annotations

import argparse
import asyncio
from datetime import date
from pathlib import Path

from config.settings import Settings
from rag.ingest import ingest
from rag.library import Library


async def execute(settings: Settings, options: argparse.Namespace) -> int:
    """Import, then load everything once to show what the bot will know."""
    written = await asyncio.to_thread(_import, options.path, settings.knowledge_path)
    for path in written:
        print(f"écrit : {path.relative_to(settings.knowledge_path)}")
    library = await asyncio.to_thread(Library.load, settings.knowledge_path)
    topics, offers = library.sizes["topics"], library.sizes["offers"]
    print(f"{len(written)} fichier(s) importé(s) ; {topics} sujets, {offers} offres")
    return 0


def _import(path: Path, data: Path) -> tuple[Path, ...]:
    return ingest(path, data, today=date.today())  # noqa: DTZ011  # the operator's own day
