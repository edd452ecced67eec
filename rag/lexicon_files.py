"""Reads the lexicon files; every fault names file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from domain.errors import BadKnowledge
from rag.normalise import tokenise
from rag.numbers import NumberWord

NUMBERS = "numbers.csv"
COMMON = "common.csv"
ORDINARY = "ordinary.csv"
INTENTS = "intents.csv"
HOAXES = "hoaxes.csv"
# A form told twice means what the surer row says, then what the language asked most often says.
_SURENESS = ("haute", "moyenne", "basse")
_ORDER = ("fr", "fr-sms", "en", "ha", "dje")

Rows = Iterator[tuple[int, Mapping[str, str]]]


def read_rows(path: Path, columns: Sequence[str]) -> Rows:
    """The rows of a lexicon file with their line. Raises BadKnowledge naming file, line and column."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadKnowledge(f"{path.name} : illisible ({error})") from error
    reader = csv.DictReader(text.splitlines())
    missing = [c for c in columns if c not in (reader.fieldnames or ())]
    if missing:
        raise BadKnowledge(f"{path.name}, ligne 1 : colonne absente : {', '.join(missing)}")
    for row in reader:
        cells = {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}
        for column in columns:
            if not cells[column]:
                raise BadKnowledge(f"{path.name}, ligne {reader.line_num}, colonne {column} : valeur absente")
        yield reader.line_num, cells


def forms(cell: str) -> Iterator[tuple[str, ...]]:
    """The tokenised forms of a cell."""
    for form in cell.split("|"):
        if tokens := tuple(tokenise(form)):
            yield tokens


class Tables:
    """What the files of a folder hold, before it becomes a lexicon."""

    def __init__(self) -> None:
        self.intents: dict[tuple[str, ...], frozenset[str]] = {}
        self.numbers: dict[str, NumberWord] = {}
        self.common: set[str] = set()
        self.ordinary: set[str] = set()
        self.hoaxes: dict[str, str] = {}
        self._told: list[tuple[int, int, tuple[str, ...], tuple[str, ...], str]] = []

    def add(self, path: Path) -> None:
        """Read one file, by its name. Raises BadKnowledge."""
        if path.name == NUMBERS:
            self.numbers = read_numbers(path)
        elif path.name == COMMON:
            self.common |= {w for _, row in read_rows(path, ("mots",)) for w in tokenise(row["mots"])}
        elif path.name == ORDINARY:
            self.ordinary |= {w for _, row in read_rows(path, ("mots",)) for w in row["mots"].split()}
        elif path.name == INTENTS:
            for _, row in read_rows(path, ("intention", "formes")):
                for form in forms(row["formes"]):
                    self.intents[form] = self.intents.get(form, frozenset()) | {row["intention"]}
        elif path.name == HOAXES:
            self.hoaxes = {row["code"]: row["pretend"] for _, row in read_rows(path, ("code", "pretend"))}
        else:
            self._add_words(path)

    def meanings(self) -> dict[tuple[str, ...], tuple[tuple[str, ...], str]]:
        """Senses and language of each form; the surer row wins."""
        out: dict[tuple[str, ...], tuple[tuple[str, ...], str]] = {}
        for _, _, form, senses, language in sorted(self._told, key=lambda row: row[:2]):
            out.setdefault(form, (senses, language))
        return out

    def _add_words(self, path: Path) -> None:
        for line, row in read_rows(path, ("langue", "formes", "sens", "confiance")):
            language, sureness = row["langue"], row["confiance"]
            if language not in _ORDER:
                raise BadKnowledge(f"{path.name}, ligne {line}, colonne langue : « {language} » inconnue")
            if sureness not in _SURENESS:
                raise BadKnowledge(f"{path.name}, ligne {line}, colonne confiance : « {sureness} » inconnue")
            senses = tuple(row["sens"].split())
            place = (_SURENESS.index(sureness), _ORDER.index(language))
            self._told.extend((*place, form, senses, language) for form in forms(row["formes"]))


def read_numbers(path: Path) -> dict[str, NumberWord]:
    """The number words. Raises BadKnowledge."""
    out: dict[str, NumberWord] = {}
    for line, row in read_rows(path, ("langue", "formes", "valeur", "genre")):
        if row["genre"] not in {"unit", "scale"}:
            raise BadKnowledge(f"{path.name}, ligne {line}, colonne genre : « {row['genre']} » inconnu")
        try:
            value = float(row["valeur"])
        except ValueError as error:
            raise BadKnowledge(f"{path.name}, ligne {line}, colonne valeur : pas un nombre") from error
        word = NumberWord(value, row["genre"], row["langue"], row.get("accompagne", "") == "oui")
        for form in row["formes"].split("|"):
            out.setdefault(form.strip(), word)
    return out
