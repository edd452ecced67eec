"""The shipped knowledge, loaded once, and small copies of it that tests may spoil."""

from __future__ import annotations

import shutil
from datetime import date
from functools import cache
from pathlib import Path

from rag.catalogue import COLUMNS
from rag.library import Library
from rag.retriever import Retriever

DATA = Path(__file__).resolve().parents[3] / "data"
TODAY = date(2026, 11, 25)


@cache
def shipped() -> Retriever:
    return Library.load(DATA, today=lambda: TODAY).retriever


def copy_of_data(folder: Path) -> Path:
    for part in ("catalogue", "knowledge", "lexicon"):
        shutil.copytree(DATA / part, folder / part)
    return folder


def offer_row(**cells: str) -> str:
    """One line of a catalogue file; what is not said is the row of a plain internet offer."""
    row = {
        "id": "NET-1",
        "category": "internet",
        "price_fcfa": "700",
        "validity_hours": "24",
        "validity_label": "24h",
        "data_mb": "800",
        "codes": "*141*3#",
        "last_checked": "2026-11-22",
    }
    return ",".join((row | cells).get(column, "") for column in COLUMNS)


def catalogue_text(*rows: str) -> str:
    return "\n".join((",".join(COLUMNS), *rows)) + "\n"
