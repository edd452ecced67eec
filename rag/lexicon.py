"""What people's words mean: many spellings of four languages read as one set of plain French senses.

The words stand in `data/lexicon/*.csv` (columns `langue`, `formes`, `sens`, `confiance`): forms apart by `|`,
a form of one or more words. `common.csv` holds the words between the others, `ordinary.csv` those of everyday
talk that stand a typo away from one of ours: no repair bends either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from rag.lexicon_files import Tables
from rag.normalise import find_codes, sound, tokenise
from rag.numbers import NumberReader

# Francs that no offer costs: the question is about a limit. Above stand phone numbers.
_LARGE, _PHONE = 150_000, 20_000_000
_LONGEST_QUESTION = 120  # words of a question that are read; more is never one question

Form = tuple[str, ...]  # a phrase, token by token

# Senses whose words no typo is repaired into: a word left unknown is declined as well.
_OUTSIDE = frozenset({"horssujet", "appareil"})

_ACCOUNT = frozenset({"airtelmoney", "compte", "airtel"})
_BETWEEN = r"(?: (?:de|d|un|an|any|a|aucun|une|encore|yet|own))*$"
_I_HAVE_NONE = re.compile(
    r"\b(?:ai pas|ai pa|jai pas|jai pa|g pas|g pa|je pa|ai aucun|ba ni da|bani da|i dont have|i do not have"
    r"|i have no|i dont own|ay si nda|ay sinda|ay mana)" + _BETWEEN
)
_HAS_NONE = re.compile(
    r"\b(?:a pas|na pa|na pas|a pa|a aucun|ont pas|possede pas|utilise pas|sans|san"
    r"|(?:ba|bai|ban)(?: (?:shi|ta|su|ya))? da|bashi da|bata da|basu da|maras|mara|babu|si nda|sinda"
    r"|without|no|doesnt have|does not have|dont have|not have|hasnt|hasnt got|doesnt use)" + _BETWEEN
)

# Senses of words that say nothing about what is asked: "merci, et mon solde ?" asks for the balance.
COURTESIES = frozenset({"salut", "merci", "accord", "aurevoir", "politesse"})

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
        return tuple(_figures(self.words))


class Lexicon:
    """Reads questions. Immutable once built."""

    def __init__(self, tables: Tables) -> None:
        self.hoaxes = dict(tables.hoaxes)
        self._phrases = tables.meanings()
        self._intents = dict(tables.intents)
        self._lengths = _lengths(self._phrases)
        self._intent_lengths = _lengths(self._intents)
        numbers, common = tables.numbers, frozenset(tables.common)
        unit_words = {f[0] for f, (senses, _) in self._phrases.items() if len(f) == 1 and senses[0] in UNITS}
        self._numbers = NumberReader(numbers, frozenset(unit_words))
        told = {word for form in (*self._phrases, *self._intents) for word in form}
        self._known = frozenset(told | common | tables.ordinary | set(numbers))
        inside = {w for form, (senses, _) in self._phrases.items() for w in form if senses[0] not in _OUTSIDE}
        inside |= {w for form in self._intents for w in form} | set(numbers)
        self._targets = _targets(inside | {w for w in common if len(w) > 5})
        self._sounds = _sounds(inside, common)
        self.repair = lru_cache(maxsize=8192)(self._repair)
        # All questions are made of the same words: one object each, whatever holds it.
        self._word = lru_cache(maxsize=4096)(self._new_word)
        # One turn reads its question several times over, and the lines before it in every turn.
        self.read = lru_cache(maxsize=512)(self._read)

    @classmethod
    def load(cls, folder: Path) -> Lexicon:
        """Read every file of the folder. Raises BadKnowledge."""
        tables = Tables()
        for path in sorted(folder.glob("*.csv")):
            tables.add(path)
        return cls(tables)

    def __len__(self) -> int:
        return len(self._phrases)

    def _read(self, text: str) -> Reading:
        """The question understood word by word, typos repaired."""
        raw = tuple([self.repair(token) for token in tokenise(text)[:_LONGEST_QUESTION]])
        tokens = tuple(self._numbers.replace(raw))
        words = tuple(self._words(tokens))
        senses = frozenset(sense for word in words for sense in word.senses)
        if not senses.isdisjoint(_ACCOUNT):
            senses |= _without_account(words)
        if any(_LARGE <= number < _PHONE for number in _figures(words)):
            senses |= {"grossesomme"}
        found = self._found_intents(raw) | (self._found_intents(tokens) if tokens != raw else frozenset())
        return Reading(words, senses, find_codes(text), found)

    def _words(self, tokens: Form) -> Iterator[Word]:
        i = 0
        while i < len(tokens):
            form = self._longest(tokens, i)
            yield self._word(form)
            i += len(form)

    def _longest(self, tokens: Form, i: int) -> Form:
        """The longest phrase that stands there, else the one token."""
        for length in self._lengths.get(tokens[i], ()):
            form = tokens[i : i + length]
            if form in self._phrases:
                return form
        return tokens[i : i + 1]

    def _new_word(self, form: Form) -> Word:
        if form in self._phrases:
            senses, language = self._phrases[form]
            return Word(" ".join(form), senses, language)
        token = form[0]
        if token[0].isdigit():
            return Word(token, number=float(token))
        return Word(token, known=token in self._known)

    def _found_intents(self, tokens: Form) -> frozenset[str]:
        found: set[str] = set()
        for i, token in enumerate(tokens):
            for length in self._intent_lengths.get(token, ()):
                found |= self._intents.get(tokens[i : i + length], frozenset())
        return frozenset(found)

    def _repair(self, token: str) -> str:
        """The known word a misspelt one stands for, or the word itself."""
        if len(token) < 4 or token in self._known or not token.isalpha():
            return token
        near = self._near(token, 1)
        if near and len(token) == 4:  # short words are like many others: only a lost letter is made good
            near = [(w, d) for w, d in near if len(w) == 5 and w[0] == token[0] and w[-1] == token[-1]]
        if not near and (heard := self._sounds.get(sound(token))) is not None:
            return heard
        if not near and len(token) >= 8:
            near = self._near(token, 2)
        return min(near, key=lambda hit: _unlike(hit[0], hit[1], token))[0] if near else token

    def _near(self, token: str, most: int) -> list[tuple[str, float]]:
        words = [w for n in range(len(token) - most, len(token) + most + 1) for w in self._targets.get(n, ())]
        hits = extract(token, words, scorer=OSA.distance, score_cutoff=most, limit=8)
        return [(word, distance) for word, distance, _ in hits]


def _without_account(words: Sequence[Word]) -> frozenset[str]:
    """Who has no account: somebody else (then money goes by code), or the subscriber (who then opens one)."""
    for i, word in enumerate(words):
        if not _ACCOUNT & set(word.senses):
            continue
        before = " ".join(w.text for w in words[max(0, i - 6) : i])
        if _I_HAVE_NONE.search(before):
            return frozenset({"creer", "sansmoncompte"})
        if _HAS_NONE.search(before):
            return frozenset({"sanscompte"})
    return frozenset()


def _unlike(word: str, distance: float, token: str) -> tuple[float, bool, bool, bool, str]:
    """Smaller is likelier: letters are swapped or mistaken more often than the first or last one is lost."""
    return distance, word[0] != token[0], len(word) != len(token), word[-1] != token[-1], word


def _figures(words: Sequence[Word]) -> Iterator[float]:
    return (word.number for word in words if word.number is not None)


def _lengths(forms: Iterable[Form]) -> dict[str, tuple[int, ...]]:
    """How many words the forms that begin with a word have, most first."""
    out: dict[str, set[int]] = {}
    for form in forms:
        out.setdefault(form[0], set()).add(len(form))
    return {first: tuple(sorted(group, reverse=True)) for first, group in out.items()}


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
    for word in sorted((w for w in words if len(w) >= 4), key=lambda w: (len(w), w)):
        key = sound(word)
        if len(key) >= 3 and key not in taken:
            out.setdefault(key, word)
    return out
