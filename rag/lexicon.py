"""What people's words mean: many spellings of four languages read as one set of plain French senses.

The words stand in `data/lexicon/*.csv` (columns `langue`, `formes`, `sens`, `confiance`): forms apart by `|`,
a form of one or more words. `common.csv` holds words that mean nothing here: no typo repair bends them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from domain.errors import BadKnowledge
from rag.normalise import find_codes, sound, tokenise
from rag.numbers import NumberReader, NumberWord

NUMBERS = "numbers.csv"
COMMON = "common.csv"
INTENTS = "intents.csv"
HOAXES = "hoaxes.csv"
_LONGEST_QUESTION = 120  # words of a question that are read; more is never one question

# A form told twice means what the surer row says, then what the language asked most often says.
_SURENESS = ("haute", "moyenne", "basse")
_ORDER = ("fr", "fr-sms", "en", "ha", "dje")

# Senses whose words no typo is repaired into: a word left unknown is declined as well.
_OUTSIDE = frozenset({"horssujet", "appareil"})

# Senses that count something; number words of one syllable are numbers only beside one of these.
UNITS = frozenset({"go", "mo", "minute", "heure", "jour", "semaine", "mois", "franc", "dala", "jikka"})


@dataclass(frozen=True, slots=True)
class Word:
    """One word or phrase of a question. No senses: a word of no meaning here, `known` or not."""

    text: str
    senses: tuple[str, ...] = ()
    language: str = ""
    number: float | None = None
    known: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """A question as words, senses and intents; `unknown` are the words nobody ever told us about."""

    words: tuple[Word, ...]
    senses: frozenset[str]
    codes: tuple[str, ...] = ()
    intents: frozenset[str] = frozenset()

    @property
    def unknown(self) -> tuple[str, ...]:
        """Words that stand in no list."""
        return tuple(w.text for w in self.words if not w.known)

    @property
    def numbers(self) -> tuple[float, ...]:
        """Every figure, in order."""
        return tuple(w.number for w in self.words if w.number is not None)


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


class _Tables:
    """What the files of a folder hold, before it becomes a lexicon."""

    def __init__(self) -> None:
        self.intents: dict[tuple[str, ...], frozenset[str]] = {}
        self.numbers: dict[str, NumberWord] = {}
        self.common: set[str] = set()
        self.hoaxes: dict[str, str] = {}
        self._told: list[tuple[int, int, tuple[str, ...], tuple[str, ...], str]] = []

    def add(self, path: Path) -> None:
        """Read one file, by its name. Raises BadKnowledge."""
        if path.name == NUMBERS:
            self.numbers = read_numbers(path)
        elif path.name == COMMON:
            self.common |= {w for _, row in read_rows(path, ("mots",)) for w in tokenise(row["mots"])}
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


class Lexicon:
    """Reads questions. Immutable once built."""

    def __init__(
        self,
        phrases: Mapping[tuple[str, ...], tuple[tuple[str, ...], str]],
        intents: Mapping[tuple[str, ...], frozenset[str]],
        numbers: Mapping[str, NumberWord],
        common: Iterable[str],
        hoaxes: Mapping[str, str],
    ) -> None:
        self.hoaxes = dict(hoaxes)
        self._phrases = dict(phrases)
        self._intents = dict(intents)
        self._common = frozenset(common)
        self._by_first = _by_first(self._phrases)
        self._intents_by_first = _by_first(self._intents)
        unit_words = {f[0] for f, (senses, _) in self._phrases.items() if len(f) == 1 and senses[0] in UNITS}
        self._numbers = NumberReader(numbers, frozenset(unit_words))
        told = {word for form in (*self._phrases, *self._intents) for word in form}
        self._known = frozenset(told | self._common | set(numbers))
        inside = {w for form, (senses, _) in self._phrases.items() for w in form if senses[0] not in _OUTSIDE}
        inside |= {w for form in self._intents for w in form} | set(numbers)
        self._targets = _targets(inside | {w for w in self._common if len(w) > 5})
        self._sounds = _sounds(inside, self._common)
        self.repair = lru_cache(maxsize=8192)(self._repair)

    @classmethod
    def load(cls, folder: Path) -> Lexicon:
        """Read every file of the folder. Raises BadKnowledge."""
        tables = _Tables()
        for path in sorted(folder.glob("*.csv")):
            tables.add(path)
        return cls(tables.meanings(), tables.intents, tables.numbers, tables.common, tables.hoaxes)

    def __len__(self) -> int:
        return len(self._phrases)

    def read(self, text: str) -> Reading:
        """The question understood word by word, typos repaired."""
        raw = [self.repair(token) for token in tokenise(text)[:_LONGEST_QUESTION]]
        tokens = self._numbers.replace(raw)
        words = tuple(self._words(tokens))
        senses = frozenset(sense for word in words for sense in word.senses)
        found = self._found_intents(raw) | (self._found_intents(tokens) if tokens != raw else frozenset())
        return Reading(words, senses, find_codes(text), found)

    def senses_of(self, text: str) -> tuple[str, ...]:
        """Senses, then unknown words as they stand: the tokens of an index."""
        out: list[str] = []
        for word in self._words(self._numbers.replace(tokenise(text))):
            out.extend(word.senses or ((word.text,) if not word.known else ()))
        return tuple(out)

    def _words(self, tokens: Sequence[str]) -> Iterator[Word]:
        i = 0
        while i < len(tokens):
            length = _longest(tokens, i, self._by_first)
            if length:
                senses, language = self._phrases[tuple(tokens[i : i + length])]
                yield Word(" ".join(tokens[i : i + length]), senses, language)
                i += length
                continue
            token = tokens[i]
            if token[0].isdigit():
                yield Word(token, number=float(token))
            else:
                yield Word(token, known=token in self._known)
            i += 1

    def _found_intents(self, tokens: Sequence[str]) -> frozenset[str]:
        found: set[str] = set()
        for i in range(len(tokens)):
            for form in self._intents_by_first.get(tokens[i], ()):
                if tuple(tokens[i : i + len(form)]) == form:
                    found |= self._intents[form]
        return frozenset(found)

    def _repair(self, token: str) -> str:
        """The known word a misspelt one stands for, or the word itself."""
        if len(token) < 4 or token in self._known or not token.isalpha():
            return token
        if (heard := self._sounds.get(sound(token))) is not None:
            return heard
        if len(token) < 5:
            return token
        limit = 1 if len(token) < 8 else 2
        near = [
            w for n in range(len(token) - limit, len(token) + limit + 1) for w in self._targets.get(n, ())
        ]
        hits = extract(token, near, scorer=OSA.distance, score_cutoff=limit, limit=6)
        if not hits:
            return token
        return min(hits, key=lambda h: (h[1], h[0][0] != token[0], h[0][-1] != token[-1], h[0]))[0]


def _longest(tokens: Sequence[str], i: int, by_first: Mapping[str, tuple[tuple[str, ...], ...]]) -> int:
    for form in by_first.get(tokens[i], ()):  # longest first
        if tuple(tokens[i : i + len(form)]) == form:
            return len(form)
    return 0


def _by_first(phrases: Iterable[tuple[str, ...]]) -> dict[str, tuple[tuple[str, ...], ...]]:
    out: dict[str, list[tuple[str, ...]]] = {}
    for form in phrases:
        out.setdefault(form[0], []).append(form)
    return {first: tuple(sorted(group, key=len, reverse=True)) for first, group in out.items()}


def _targets(words: Iterable[str]) -> dict[int, tuple[str, ...]]:
    out: dict[int, list[str]] = {}
    for word in sorted(words):
        if len(word) >= 4 and word.isalpha():
            out.setdefault(len(word), []).append(word)
    return {length: tuple(group) for length, group in out.items()}


def _sounds(words: Iterable[str], common: frozenset[str]) -> dict[str, str]:
    """Sound key to word; left out where a common word sounds the same."""
    taken = {sound(word) for word in common if len(word) > 3}
    out: dict[str, str] = {}
    for word in sorted(words, key=lambda w: (len(w), w)):
        key = sound(word)
        if len(word) >= 4 and len(key) >= 3 and key not in taken:
            out.setdefault(key, word)
    return out


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
