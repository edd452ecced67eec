"""What subscribers and operators read, from `data/texts/*.toml`, so that native speakers can correct it.

A file holds one table per text: the key, then one string per language. French always stands; a missing
language falls back to it. `{name}` marks what the code fills in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from domain.errors import BadKnowledge
from domain.messages import Language


class Texts:
    """All texts by key, e.g. `texts.get("pipeline.parked", Language.HAUSA)`. Keys are `file.table`."""

    def __init__(self, entries: Mapping[str, Mapping[str, str]]) -> None:
        self._entries = dict(entries)

    @classmethod
    def load(cls, folder: Path) -> Texts:
        """Read every file of the folder. Raises BadKnowledge naming file and key."""
        entries: dict[str, Mapping[str, str]] = {}
        for path in sorted(folder.glob("*.toml")):
            try:
                tables = tomllib.loads(path.read_text(encoding="utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise BadKnowledge(f"{path.name}: {error}") from error
            for name, table in tables.items():
                if not isinstance(table, dict) or not isinstance(table.get("fr"), str):
                    raise BadKnowledge(f'{path.name}: [{name}] needs a French text: fr = "..."')
                entries[f"{path.stem}.{name}"] = table
        return cls(entries)

    def get(self, key: str, language: Language | str = Language.FRENCH, /, **values: object) -> str:
        """The text in that language, else in French. Raises KeyError for an unknown key (our bug)."""
        entry = self._entries[key]
        text = entry.get(str(language)) or entry["fr"]
        return text.format(**values) if values else text

    def languages(self, key: str) -> frozenset[str]:
        """Which languages a text stands in."""
        return frozenset(self._entries[key])

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def keys(self) -> frozenset[str]:
        """Every key there is."""
        return frozenset(self._entries)
