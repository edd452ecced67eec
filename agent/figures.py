"""Reads every figure and code of a text, however it is written: what `grounding` compares.

"mille francs", "1 000 F" and "jikka 1" are one price. A figure whose meaning cannot be told is kept as a bare
one, never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain

from agent.figure_codes import GAP, symbols, take_codes
from agent.figure_times import NAMED_TIMES, take_times
from agent.figure_words import (
    BUDGET_WORDS,
    DIALS,
    FIRST_ALWAYS,
    FIRST_SOMETIMES,
    NEGATIONS,
    NUMBER_WORDS,
    ONE_DIGIT,
    OWN_MONEY,
    PERIOD,
    PRICE_WORDS,
    READER,
    UNITS,
    UNLIMITED,
    period_hours,
)

Value = float | str


@dataclass(frozen=True, slots=True)
class Figure:
    """One claim. `kind`: price, volume, validity, bonus (a validity said of a bonus), minutes, sms, percent,
    unlimited, foreign, phone, clock, date, always, network, dialled, bare. `hint`: it is called the
    subscriber's own money.
    """

    kind: str
    value: Value
    shown: str
    hint: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """The figures of one sentence."""

    figures: tuple[Figure, ...]
    denies: bool  # it says no, or asks


@dataclass(frozen=True, slots=True)
class Reading:
    """A whole text. `strays` are code signs that belong to no whole code."""

    segments: tuple[Segment, ...] = ()
    codes: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    numbers: frozenset[float] = field(default_factory=frozenset)

    def of(self, kind: str) -> frozenset[Value]:
        """Every value of a kind."""
        return frozenset(f.value for s in self.segments for f in s.figures if f.kind == kind)


_TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+|\S")
_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[a-z]+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_SPACED_HUNDREDS = re.compile(r"(?=\d)(?<![\d.,])(\d{1,3})((?:[ .,']\d{3})+)(?!\d)")
_PHONE = re.compile(r"(?=[+\d])(?<![\d.,])(?:\+\s?)?\d(?:[ .\-()]{0,2}\d){7,}(?!\d)")
_ENDLESS = re.compile(r"\d{13,}")  # no figure of ours, and no number to count with
_PAIR = re.compile(r"\d{3,5}[ .\-]{1,2}\d{3,5}")  # two prices, not a phone number
_HALF = re.compile(
    r"\b(?=[adeh])(?:et demie?|demi[ -]?(?:giga|go|mega|heure|journee)s?|half an? \w+|and a half|da rabi)\b"
)
_LETTER_DIGITS = re.compile(r"(?=[\dol])(?:\b\d+[ol][\dol]*\b|\b[ol]+\d[\dol]*\b)")  # "5OO F"
# What a text must hold for the rule to matter, the rule, and what is read instead.
_PLAINER = tuple(
    (needed, re.compile(pattern), plain)
    for needed, pattern, plain in (
        ("k", r"(?<![\w.,])(\d{1,3})\s?k\b(?!\w)", r"\g<1>000 "),
        ("sa'", r"\bsa'a\b|\bsa'o'i\b", "awa"),
        (" cent", r"\b(?:pour|per) cent\b", "%"),
        ("six ", r"\bsix (?=hundred|thousand)", "6 "),
        (",", r"(?<=\d),(?=\d)", "."),
        ("-", r"(?<=[a-z])-(?=[a-z])", " "),
    )
)
_CLAIMS = frozenset({"price", "volume", "validity", "minutes"})
_CLAIMING = frozenset(NUMBER_WORDS) | frozenset(NAMED_TIMES)
_SPOKEN_NUMBER = 4  # digits read out one by one


@lru_cache(maxsize=2048)
def read(text: str) -> Reading:
    """Everything in a text that could be a claim. Cached: passages are read again and again."""
    lines = [_read_line(line) for line in text.splitlines()]
    return Reading(
        tuple(chain.from_iterable(line.segments for line in lines)),
        tuple(chain.from_iterable(line.codes for line in lines)),
        tuple(chain.from_iterable(line.strays for line in lines)),
        frozenset(chain.from_iterable(line.numbers for line in lines)),
    )


@lru_cache(maxsize=2048)
def _read_line(line: str) -> Reading:
    """No claim goes on in the next line. Cached: a new draft repeats lines of passages, above all codes."""
    segments: list[Segment] = []
    codes: list[str] = []
    strays: list[str] = []
    numbers: set[float] = set()
    rest = take_codes(symbols(line), codes, strays)
    for sentence in filter(_may_claim, _SENTENCE.split(rest)):
        segment = _segment(sentence, numbers)
        if segment.figures:
            segments.append(segment)
    return Reading(tuple(segments), tuple(codes), tuple(strays), frozenset(numbers))


def _may_claim(sentence: str) -> bool:
    """Whether any rule could find a figure: each needs a digit, a number word, a named time or a period."""
    if _DIGIT.search(sentence) or PERIOD.search(sentence) or _HALF.search(sentence):
        return True
    return not _CLAIMING.isdisjoint(_LETTERS.findall(sentence))


def _segment(sentence: str, numbers: set[float]) -> Segment:
    figures: list[Figure] = []
    text = take_times(sentence, lambda kind, value, shown: figures.append(Figure(kind, value, shown)))
    text = _take_long(_PHONE, _take_long(_ENDLESS, text, figures), figures)
    odd = (*_HALF.finditer(text), *_LETTER_DIGITS.finditer(text))
    figures.extend(Figure("bare", match[0], match[0]) for match in odd)
    figures.extend(Figure("validity", period_hours(m), m[0]) for m in PERIOD.finditer(text))
    words = _TOKEN.findall(_plain(text))
    figures.extend(_spoken(words))
    tokens = READER.replace(words)
    figures.extend(_figures(tokens))
    numbers.update(float(t) for t in tokens if t[0].isdigit())
    said = frozenset(tokens)
    denies = bool(said & NEGATIONS or "?" in said or "n'" in sentence)
    unlimited = next((word for word in tokens if word.startswith(UNLIMITED)), "")
    if unlimited and not denies and any(f.kind in _CLAIMS for f in figures):
        figures.append(Figure("unlimited", "yes", unlimited))
    if "bonus" in said:
        figures = [replace(f, kind="bonus") if f.kind == "validity" else f for f in figures]
    return Segment(tuple(figures), denies)


def _plain(text: str) -> str:
    """Numbers as digits and points, words apart."""
    text = _SPACED_HUNDREDS.sub(lambda m: m[1] + re.sub(r"\D", "", m[2]), text)
    for needed, rule, plain in _PLAINER:
        if needed in text:
            text = rule.sub(plain, text)
    return text


def _take_long(pattern: re.Pattern[str], text: str, figures: list[Figure]) -> str:
    """Phone numbers, and runs of digits too long to be anything else."""

    def take(match: re.Match[str]) -> str:
        if _SPACED_HUNDREDS.fullmatch(match[0]) or _PAIR.fullmatch(match[0]):
            return match[0]
        figures.append(Figure("phone", phone_digits(match[0]), match[0][:20]))
        return GAP

    return pattern.sub(take, text)


def phone_digits(text: str) -> str:
    """A phone number without its country code."""
    digits = re.sub(r"\D", "", text)
    return digits.removeprefix("00").removeprefix("227") if len(digits) > 8 else digits


def _spoken(words: Sequence[str]) -> Iterator[Figure]:
    """A number read out in words, digit by digit: "neuf zéro un deux"."""
    run: list[str] = []
    for word in (*words, ""):
        if word in ONE_DIGIT:
            run.append(word)
            continue
        if len(run) >= _SPOKEN_NUMBER:
            yield Figure("phone", "".join(ONE_DIGIT[w] for w in run), " ".join(run))
        run = []


def _figures(tokens: Sequence[str]) -> Iterator[Figure]:
    i = 0
    while i < len(tokens):
        if not tokens[i][0].isdigit():
            i += 1
            continue
        end = _series_end(tokens, i)
        if end > i + 1:
            shown = "".join(t for t in tokens[i:end] if t.isdigit())
            yield Figure("dialled", float(shown), shown)
            i = end
            continue
        yield _figure(tokens, i)
        i += 1


def _series_end(tokens: Sequence[str], start: int) -> int:
    """Three or more lone digits in a row are one number read out."""
    i, count = start, 0
    while i < len(tokens) and (
        len(tokens[i]) == 1 and (tokens[i].isdigit() or (count and tokens[i] in "-."))
    ):
        count += tokens[i].isdigit()
        i += 1
    followed = i < len(tokens) and tokens[i] in UNITS
    return i if count >= 3 and not followed else start + 1


def _figure(tokens: Sequence[str], i: int) -> Figure:
    value = float(tokens[i])
    before = _word(tokens, i, -1)
    after = _word(tokens, i, 1)
    unit = ""
    if before in FIRST_ALWAYS:
        unit = before
    elif after in UNITS:
        unit = after
    elif before in FIRST_SOMETIMES:
        unit = before
    shown = f"{tokens[i]} {unit or after}".strip()
    if unit:
        kind, factor = UNITS[unit]
        return Figure(kind, round(value * factor, 3), shown, _hinted(tokens, i))
    if after == "g":
        return Figure("network", value, shown)
    near = tokens[max(0, i - 3) : i]
    if any(word in DIALS for word in near) and not (value <= 3 and len(after) > 3):
        return Figure("dialled", value, shown)
    if near and (near[-1] in PRICE_WORDS or (len(near) > 1 and near[-2] in PRICE_WORDS)) and len(after) < 4:
        return Figure("price", value, shown, _hinted(tokens, i))
    return Figure("bare", value, shown)


def _word(tokens: Sequence[str], i: int, step: int) -> str:
    """The neighbour of a number, past brackets and dashes."""
    i += step
    while 0 <= i < len(tokens) and tokens[i] in {"-", "(", ")", "_", "~", "≈"}:
        i += step
    return tokens[i] if 0 <= i < len(tokens) else ""


def _hinted(tokens: Sequence[str], i: int) -> bool:
    """Whether a price is called the subscriber's own money."""
    near = tokens[max(0, i - 4) : i]
    if any(word in OWN_MONEY for word in near):
        return True
    first = not any(t[0].isdigit() for t in tokens[:i])
    return first and any(word in BUDGET_WORDS for word in near)
