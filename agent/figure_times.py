"""Dates, opening times and "24h/24" in a folded text, taken out so that their figures are not read twice."""

from __future__ import annotations

import re
from collections.abc import Callable

from agent.figure_codes import GAP
from agent.figure_words import MONTHS

Note = Callable[[str, str, str], None]  # kind, value, as shown

# A pattern that says first what sign it begins with is looked for three times as fast.
_DATES = re.compile(
    r"(?=\d)(?<!\d)(?:(?P<y>20\d\d)-(?P<m>\d\d?)-(?P<d>\d\d?)(?!\d)"
    r"|(?P<d2>\d\d?)[/.\-](?P<m2>\d\d?)[/.\-](?P<y2>\d{4})(?!\d)"
    rf"|(?P<d3>\d\d?)\s?(?:er|st|nd|rd|th)?\s(?P<m3>{'|'.join(MONTHS)})(?:\s(?P<y3>20\d\d))?)"
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
    rf"(?=[\dmn])(?<!\d)({_TIME}|\d{{1,2}})\s?(?:-|a|et|to|and|until|till|jusqu'a|zuwa|har|kala)\s?({_TIME})(?!\w)"
)
_AT = re.compile(
    r"\b(?:des|a partir de|from|after|apres|before|avant|jusqu'a|until|till|vers|a|at|d'ici)"
    rf"\s({_TIME})(?!\w)"
)
_KARFE = re.compile(r"\bkarfe\s(\d{1,2})(?::(\d\d))?")  # Hausa: "at N o'clock", of twelve hours
_CLOCK = re.compile(r"(\d{1,2})\s?(?:heures?|h|:)?\s?(\d{2})?\s?(am|pm)?")
NAMED_TIMES = {"minuit": "0:00", "midnight": "0:00", "midi": "12:00", "noon": "12:00"}


def take_times(text: str, note: Note) -> str:
    """The text without dates and times; each is noted as a "date", "clock" or "always"."""

    def date(match: re.Match[str]) -> str:
        day, month, year = (match[n] or match[f"{n}2"] or match[f"{n}3"] for n in ("d", "m", "y"))
        number = MONTHS.get(month) or int(month)
        note("date", f"{number:02d}-{int(day):02d}", match[0])
        if year:
            note("date", f"{year}-{number:02d}-{int(day):02d}", match[0])
        return GAP

    def always(match: re.Match[str]) -> str:
        for value in {"24": ("24/24",), "7": ("24/24", "7/7"), None: ("7/7",)}[match["of"]]:
            note("always", value, match[0])
        return GAP

    def span(match: re.Match[str]) -> str:
        for part in match.groups():
            note("clock", _clock(part), match[0])
        return GAP

    def of_twelve(match: re.Match[str]) -> str:
        note("clock", f"{int(match[1]) % 12}?{match[2] or '00'}", match[0])
        return GAP

    text = _ALWAYS.sub(always, _DATES.sub(date, text))
    return _KARFE.sub(of_twelve, _AT.sub(span, _RANGE.sub(span, text)))


def _clock(text: str) -> str:
    match = _CLOCK.match(text)
    if match is None:
        return NAMED_TIMES.get(text, text)
    hour = int(match[1])
    if match[3]:
        hour = hour % 12 + (12 if match[3] == "pm" else 0)
    return f"{hour % 24 if hour <= 24 else hour}:{match[2] or '00'}"
