"""Number words of four languages read as values: "mille cinq cents", "dari uku da hamsin", "zangu gu".

French and English put the multiplier after ("cinq cents"), Hausa and Zarma before ("dari biyar" is 500).
The words stand in `data/lexicon/numbers.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NumberWord:
    """`kind`: "unit" adds, "scale" multiplies what stands before (fr, en) or after it (ha, dje)."""

    value: float
    kind: str
    language: str
    needs_company: bool = False  # "un", "neuf", "way": a number only beside a unit or another number


JOINERS = frozenset({"et", "da", "nda", "and", "cindi", "sha", "de"})
_BEFORE = frozenset({"ha", "dje"})


class NumberReader:
    """Replaces number words in a token list by digits."""

    def __init__(self, words: Mapping[str, NumberWord], units: frozenset[str]) -> None:
        self._words = words
        self._units = units

    def __contains__(self, word: str) -> bool:
        return word in self._words

    def replace(self, tokens: Sequence[str]) -> list[str]:
        """The same tokens with each run of number words as one figure."""
        if self._words.keys().isdisjoint(tokens):  # most texts
            return list(tokens)
        out: list[str] = []
        i = 0
        while i < len(tokens):
            run, end = self._run(tokens, i)
            if run and self._counts(tokens, i, end, run):
                out.append(f"{self._value(run):g}" if self._value(run) < 1e6 else str(int(self._value(run))))
                i = end
            else:
                out.append(tokens[i])
                i += 1
        return out

    def _run(self, tokens: Sequence[str], start: int) -> tuple[list[NumberWord], int]:
        """The longest run of number words at `start`; one joiner may stand between two of them."""
        run: list[NumberWord] = []
        end = i = start
        while i < len(tokens):
            word = self._read(tokens, i, run)
            if word is not None and (self._fits(run, word) or (i > end > start and _adds(run, word))):
                run.append(word)
                i += 1
                end = i
            elif run and tokens[i] in JOINERS and self._joins(tokens, i, run):
                i += 1
            else:
                break
        return run, end

    def _read(self, tokens: Sequence[str], i: int, run: list[NumberWord]) -> NumberWord | None:
        token = tokens[i]
        if token[0].isdigit():
            after = self._words.get(tokens[i + 1]) if i + 1 < len(tokens) else None
            scales_next = after is not None and after.kind == "scale" and after.language not in _BEFORE
            scaled = bool(run) and run[-1].kind == "scale" and run[-1].language in _BEFORE
            if (scales_next and not run) or scaled:
                return NumberWord(float(token), "digits", run[-1].language if run else "")
            return None
        return self._words.get(token)

    def _joins(self, tokens: Sequence[str], i: int, run: list[NumberWord]) -> bool:
        if i + 1 >= len(tokens):
            return False
        following = self._words.get(tokens[i + 1])
        if following is None or following.language != run[-1].language:
            return False
        if tokens[i] == "de":
            return False
        # "daya da biyu" enumerates, "dari da hamsin" adds: an addend is smaller than what it joins
        return following.value < max(w.value for w in run)

    @staticmethod
    def _fits(run: list[NumberWord], word: NumberWord) -> bool:
        if not run:
            return True
        last = run[-1]
        if word.kind == "digits" or last.kind == "digits":
            return word.kind == "scale" or last.kind == "scale"
        if word.language != last.language:
            return False
        if word.kind == "scale":
            return True
        if (last.value, word.value) == (4, 20):
            return True  # "quatre vingt"
        # two plain units never follow each other ("deux trois"): a new number begins
        return last.kind == "scale" or (last.value >= 10 and last.value > word.value)

    def _counts(self, tokens: Sequence[str], start: int, end: int, run: list[NumberWord]) -> bool:
        if len(run) > 1 or not run[0].needs_company:
            return True
        before = tokens[start - 1] if start else ""
        after = tokens[end] if end < len(tokens) else ""
        return after in self._units or (run[0].language in _BEFORE and before in self._units)

    @staticmethod
    def _value(run: list[NumberWord]) -> float:
        if any(w.language in _BEFORE for w in run):
            return _value_before(run)
        total = current = 0.0
        for word in run:
            if word.kind != "scale":
                # "quatre vingt" is the one French product of two units
                current = 80 if current == 4 and word.value == 20 else current + word.value
            elif word.value >= 1000:
                total += max(current, 1) * word.value
                current = 0
            else:
                current = max(current, 1) * word.value
        return total + current


def _adds(run: Sequence[NumberWord], word: NumberWord) -> bool:
    """Whether a word behind a joiner adds to the run: "dari biyu da hamsin", "daya da rabi"."""
    return word.kind != "digits" and (word.value < 1 or max(w.value for w in run) >= 10)


def _value_before(run: Sequence[NumberWord]) -> float:
    """Hausa and Zarma: a scale multiplies the number right after it, the rest adds."""
    if len(run) > 1 and run[-1].value < 1:  # "dubu daya da rabi": half of the scale
        scale = max((w.value for w in run if w.kind == "scale"), default=1.0)
        return _value_before(run[:-1]) + run[-1].value * scale
    total = 0.0
    i = 0
    while i < len(run):
        word = run[i]
        if word.kind != "scale":
            total += word.value
            i += 1
            continue
        end = i + 1
        if word.value >= 1000:
            while end < len(run) and run[end].kind != "scale":
                end += 1
            if end == i + 1 and end < len(run) and run[end].kind == "scale":
                return total + word.value * _value_before(run[end:])
        elif end < len(run) and run[end].kind != "scale" and run[end].value < 10:
            end += 1
        factor = sum(w.value for w in run[i + 1 : end]) or 1
        total += word.value * factor
        i = end
    return total
