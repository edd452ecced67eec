"""Reads every figure and code of a text, however it is written: what `grounding` compares.

"étoile 141 étoile 3 dièse", "＊１４１＊３＃" and "* 141 * 3 #" are one code; "mille francs", "1 000 F" and
"jikka 1" are one price. A figure whose meaning cannot be told is kept as a bare one, never dropped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from agent.figure_words import (
    BUDGET_WORDS,
    DIALS,
    FIRST_ALWAYS,
    FIRST_SOMETIMES,
    HASHES,
    MONTHS,
    NEGATIONS,
    NUMBER_WORDS,
    PRICE_WORDS,
    READER,
    STARS,
    UNITS,
    WISHES,
)
from rag.normalise import fold

Value = float | str


@dataclass(frozen=True, slots=True)
class Figure:
    """One claim. `kind`: price, volume, validity, bonus (a validity said of a bonus), minutes, sms, percent,
    foreign, phone, clock, date, always, network, dialled, bare. `hint`: budget words stand before it.
    """

    kind: str
    value: Value
    shown: str
    hint: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """The figures of one sentence."""

    figures: tuple[Figure, ...]
    denies: bool  # it says no, or repeats a wish


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


_SIGNS = str.maketrans(
    dict.fromkeys("∗⁎✱✲✳✴❊★☆⭐🌟٭", "*")
    | dict.fromkeys("♯⌗", "#")
    | dict.fromkeys("‐‑‒–—−", "-")
    | {"×": "x", "·": ".", "⁄": "/"}
)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20e3\ufe00-\ufe0f\ufeff]"
)
_OTHER_DIGIT = re.compile(r"[^\D0-9]")  # of any script, full-width ones too
_GAP = " ¤ "
_SIGNS_OF_CODES = frozenset("*#")
_SIGN_HINTS = ("*", "#", *STARS, *HASHES)

_TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+|\S")
_CODE_TOKEN = re.compile(r"[*#]|\d+|[^\W\d_]+|\S")
_SPACED_HUNDREDS = re.compile(r"(?<![\d.,])(\d{1,3})((?:[ .,']\d{3})+)(?!\d)")
_PHONE = re.compile(r"(?<![\d.,])(?:\+\s?)?\d(?:[ .\-()]{0,2}\d){7,}(?!\d)")
_PAIR = re.compile(r"\d{3,5}[ .\-]{1,2}\d{3,5}")  # two prices, not a phone number
_KILO = re.compile(r"(?<![\w.,])(\d{1,3})\s?k\b(?!\w)")
_DECIMAL = re.compile(r"(?<=\d),(?=\d)")
_DATES = re.compile(
    r"(?<!\d)(?P<y>20\d\d)-(?P<m>\d\d?)-(?P<d>\d\d?)(?!\d)"
    r"|(?<!\d)(?P<d2>\d\d?)[/.\-](?P<m2>\d\d?)[/.\-](?P<y2>\d{4})(?!\d)"
    rf"|(?<!\d)(?P<d3>\d\d?)\s?(?:er|st|nd|rd|th)?\s(?P<m3>{'|'.join(MONTHS)})(?:\s(?P<y3>20\d\d))?"
)
_ALWAYS = re.compile(
    r"\b24\s?(?:h|heures?|hours?)?\s?(?:/|sur|out of)\s?(?P<of>24|7)\b\s?h?"
    r"|\b7\s?(?:j|jours?|days?)?\s?(?:/|sur|out of)\s?7\b\s?j?"
)
_TIME = (
    r"(?:\d{1,2}\s?(?:heures?|h|:)\s?(?:[0-5]\d(?!\d))?(?:\s?(?:am|pm))?|\d{1,2}\s?(?:am|pm)"
    r"|minuit|midnight|midi|noon)"
)
_RANGE = re.compile(
    rf"(?<!\d)({_TIME}|\d{{1,2}})\s?(?:-|a|et|to|and|until|till|jusqu'a|zuwa|har|kala)\s?({_TIME})(?![\w])"
)
_AT = re.compile(
    r"\b(?:des|a partir de|from|after|apres|before|avant|jusqu'a|until|till|vers|a|at|d'ici)"
    rf"\s({_TIME})(?!\w)"
)
_KARFE = re.compile(r"\bkarfe\s(\d{1,2})(?::(\d\d))?")
_CLOCK = re.compile(r"(\d{1,2})\s?(?:heures?|h|:)?\s?(\d{2})?\s?(am|pm)?")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_HALF = re.compile(r"\b(?:et demie?|and a half|da rabi)\b")
_LETTER_HYPHEN = re.compile(r"(?<=[a-z])-(?=[a-z])")
_PERCENT_WORDS = re.compile(r"\b(?:pour|per) cent\b")
_HAUSA_HOUR = re.compile(r"\bsa'a\b|\bsa'o'i\b")
_ENGLISH_SIX = re.compile(r"\bsix (?=hundred|thousand)")


def symbols(text: str) -> str:
    """One line folded: ASCII digits, plain code signs, nothing invisible."""
    visible = _OTHER_DIGIT.sub(_ascii_digit, _INVISIBLE.sub("", text).translate(_SIGNS))
    return fold(visible).translate(_SIGNS)


def _ascii_digit(match: re.Match[str]) -> str:
    return str(unicodedata.decimal(match[0]))


@lru_cache(maxsize=2048)
def read(text: str) -> Reading:
    """Everything in a text that could be a claim. Cached: passages are read again and again."""
    segments: list[Segment] = []
    codes: list[str] = []
    strays: list[str] = []
    numbers: set[float] = set()
    for line in text.splitlines():
        rest = _take_codes(symbols(line), codes, strays)
        for sentence in _SENTENCE.split(rest):
            segment = _segment(sentence, numbers)
            if segment.figures:
                segments.append(segment)
    return Reading(tuple(segments), tuple(codes), tuple(strays), frozenset(numbers))


def _take_codes(line: str, codes: list[str], strays: list[str]) -> str:
    """The line without its codes."""
    if not any(sign in line for sign in _SIGN_HINTS):
        return line
    tokens = _CODE_TOKEN.findall(line)
    rest: list[str] = []
    i = 0
    while i < len(tokens):
        end, code = _code_at(tokens, i)
        if code:
            codes.append(code)
            rest.append("¤")
            i = end
            continue
        if tokens[i] in _SIGNS_OF_CODES or (_sign(tokens[i]) and _number_end(tokens, i + 1) > i + 1):
            strays.append(" ".join(tokens[max(0, i - 1) : i + 3]))
        rest.append(tokens[i])
        i += 1
    return _rejoin(rest)


def _rejoin(tokens: Sequence[str]) -> str:
    """Tokens as text again; figures that stood together ("2,5", "22/11") stay together."""
    return re.sub(r" ' ", "'", re.sub(r"(?<=\d) ([.,:/-]) (?=\d)", r"\1", " ".join(tokens)))


def _sign(token: str) -> str:
    if token in _SIGNS_OF_CODES:
        return token
    if token in STARS:
        return "*"
    return "#" if token in HASHES else ""


def _code_at(tokens: Sequence[str], start: int) -> tuple[int, str]:
    """The code that begins at a token: its end and its spelling, or an empty one."""
    if not _sign(tokens[start]):
        return start, ""
    code, i = "", start
    while i < len(tokens) and (sign := _sign(tokens[i])):
        if sign == "#" and code and code[-1] not in _SIGNS_OF_CODES:
            return i + 1, code + "#"
        code += sign
        i += 1
        if len(code) > 1 and code[-2] in _SIGNS_OF_CODES and len(code.rstrip("*#")) > 0:
            return start, ""
        end = _number_end(tokens, i)
        if end > i:
            code += _digits(tokens[i:end])
            i = end
    return start, ""


def _number_end(tokens: Sequence[str], i: int) -> int:
    while i < len(tokens) and (
        tokens[i].isdigit() or tokens[i] in NUMBER_WORDS or tokens[i] in {"et", "-", ".", "and", "da"}
    ):
        i += 1
    return i


def _digits(tokens: Sequence[str]) -> str:
    """Figures read out one by one, or as a number word."""
    words = [t for t in tokens if t not in {"-", "."}]
    values = [
        t if t.isdigit() else f"{NUMBER_WORDS[t].value:g}" for t in words if t not in {"et", "and", "da"}
    ]
    if all(len(v) == 1 for v in values) or all(t.isdigit() for t in words):
        return "".join(values)
    return "".join(t for t in READER.replace(words) if t.isdigit())


def _segment(sentence: str, numbers: set[float]) -> Segment:
    figures: list[Figure] = []
    text = _take_dates(sentence, figures)
    text = _take_times(text, figures)
    text = _take_phones(text, figures)
    if _HALF.search(text):
        figures.append(Figure("bare", "demi", "demi"))
    text = _SPACED_HUNDREDS.sub(lambda m: m[1] + re.sub(r"\D", "", m[2]), text)
    text = _KILO.sub(r"\g<1>000 ", text)
    text = _PERCENT_WORDS.sub("%", _HAUSA_HOUR.sub("awa", text))
    text = _ENGLISH_SIX.sub("6 ", text)
    text = _LETTER_HYPHEN.sub(" ", _DECIMAL.sub(".", text))
    tokens = READER.replace(_TOKEN.findall(text))
    figures.extend(_figures(tokens))
    numbers.update(float(t) for t in tokens if t[0].isdigit())
    words = frozenset(tokens)
    denies = bool(words & NEGATIONS or words & WISHES or "?" in words or "n'" in sentence)
    if "bonus" in words:
        figures = [replace(f, kind="bonus") if f.kind == "validity" else f for f in figures]
    return Segment(tuple(figures), denies)


def _take_dates(text: str, figures: list[Figure]) -> str:
    def take(match: re.Match[str]) -> str:
        day, month, year = (match[n] or match[f"{n}2"] or match[f"{n}3"] for n in ("d", "m", "y"))
        number = MONTHS.get(month) or int(month)
        figures.append(Figure("date", f"{number:02d}-{int(day):02d}", match[0]))
        if year:
            figures.append(Figure("date", f"{year}-{number:02d}-{int(day):02d}", match[0]))
        return _GAP

    return _DATES.sub(take, text)


def _take_times(text: str, figures: list[Figure]) -> str:
    def always(match: re.Match[str]) -> str:
        found = {"24": ("24/24",), "7": ("24/24", "7/7"), None: ("7/7",)}[match["of"]]
        figures.extend(Figure("always", value, match[0]) for value in found)
        return _GAP

    def span(match: re.Match[str]) -> str:
        figures.extend(Figure("clock", _clock(part), match[0]) for part in match.groups())
        return _GAP

    def about(match: re.Match[str]) -> str:
        figures.append(Figure("clock", f"{int(match[1]) % 12}?{match[2] or '00'}", match[0]))
        return _GAP

    text = _ALWAYS.sub(always, text)
    text = _RANGE.sub(span, text)
    text = _AT.sub(span, text)
    return _KARFE.sub(about, text)


def _clock(text: str) -> str:
    if text in {"minuit", "midnight"}:
        return "0:00"
    if text in {"midi", "noon"}:
        return "12:00"
    match = _CLOCK.match(text)
    if match is None:
        return text
    hour = int(match[1])
    if match[3]:
        hour = hour % 12 + (12 if match[3] == "pm" else 0)
    return f"{hour % 24 if hour <= 24 else hour}:{match[2] or '00'}"


def _take_phones(text: str, figures: list[Figure]) -> str:
    def take(match: re.Match[str]) -> str:
        if _SPACED_HUNDREDS.fullmatch(match[0]) or _PAIR.fullmatch(match[0]):
            return match[0]
        figures.append(Figure("phone", phone_digits(match[0]), match[0]))
        return _GAP

    return _PHONE.sub(take, text)


def phone_digits(text: str) -> str:
    """A phone number without its country code."""
    digits = re.sub(r"\D", "", text)
    return digits.removeprefix("00").removeprefix("227") if len(digits) > 8 else digits


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
    return any(word in BUDGET_WORDS for word in tokens[max(0, i - 4) : i])
