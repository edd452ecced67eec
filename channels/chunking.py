"""Cuts a plain-text reply into the few parts a chat can carry, shared by all channels.

Borders, best first: blank line, newline, sentence end, space. A cut never falls inside a USSD code, a number
written with spaces ("1 000 F", "90 12 34 56"), a URL or an email address, unless that alone is longer than
a whole part. Every scan is linear in the text, whatever it holds.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from channels.base import Split
from config.texts import Texts
from domain.messages import Reply

MAX_PARTS = 3

_CODE_RUN = re.compile(r"[*#][\d*#]++")
_UNITS = r"F|FCFA|CFA|XOF|[KMGT]o|[KMGT]B|%|SMS|min|minutes?|h|heures?|j|jours?|mois"
_PROTECTED = re.compile(
    r"[*#][\d*#]++"  # USSD code
    r"|(?:https?://|www\.)\S++"
    r"|(?<![\w.+-])[\w.+-]++@\S++"
    rf"|\+?\d++(?:[ \u00a0\u202f\u2009.,-]\d++)*+(?:[ \u00a0\u202f\u2009](?:{_UNITS})\b)?",
    re.IGNORECASE,
)
# What stands at a border belongs to neither part; a sentence keeps its mark. No-break spaces are no border.
_BORDERS = (
    re.compile(r"\n[ \t]*+\n\s*+"),
    re.compile(r"\n[ \t]*+"),
    re.compile(r"(?<=[.!?…])[ \t]++"),
    re.compile(r"[ \t]++"),
)
# Letters that complete the one before: joiner, variation selectors, skin tones.
_TRAILING = re.compile("[\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")


def ussd_codes(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every USSD code, as `[*#][\\d*#]+#` finds them but in linear time."""
    for run in _CODE_RUN.finditer(text):
        end = run.group().rfind("#")
        if end >= 2:
            yield run.start(), run.start() + end + 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in code points. A part may be cut at a border from `soft` on and never exceeds `hard`."""

    soft: int = 600
    hard: int = 3500
    caption: int = 1024  # text that may ride with an attachment


@dataclass(frozen=True, slots=True)
class PartWords:
    """What the cutting itself says: under the last part of a long text, and in place of an empty one."""

    more: str
    empty: str

    @classmethod
    def of(cls, texts: Texts) -> PartWords:
        """Read from `data/texts/chunking.toml`."""
        return cls(more=texts.get("chunking.more"), empty=texts.get("chunking.empty"))


def split_reply(reply: Reply, limits: Limits, words: PartWords) -> Split:
    """Cut a reply into at most three parts: choices ride on the last, a file too when its text is short."""
    if reply.attachment is not None and len(reply.text.strip()) <= limits.caption:
        return Split((replace(reply, text=reply.text.strip()),))
    max_parts = MAX_PARTS if reply.attachment is None else MAX_PARTS - 1
    texts, rest = split_text(reply.text, limits, max_parts=max_parts, more=words.more)
    *before, last = texts or (words.empty,)
    parts = [Reply(text, purpose=reply.purpose) for text in before]
    if reply.attachment is None:
        parts.append(Reply(last, choices=reply.choices, purpose=reply.purpose))
    else:
        parts += (Reply(last, purpose=reply.purpose), replace(reply, text=""))
    return Split(tuple(parts), rest)


def split_text(
    text: str, limits: Limits, *, max_parts: int = MAX_PARTS, more: str = ""
) -> tuple[tuple[str, ...], str]:
    """Return the parts and the rest; `more` is added as a line under the last part when there is a rest."""
    cutter = _Cutter(text.strip())
    hint = f"\n\n{more}" if more else ""
    parts: list[str] = []
    at = 0
    while at < len(cutter.text):
        last = len(parts) == max_parts - 1
        room = limits.hard
        if last and len(cutter.text) - at > limits.hard:
            room = max(1, limits.hard - len(hint))
        end, following = cutter.cut(at, soft=min(limits.soft, room), hard=room)
        parts.append(cutter.text[at:end].strip())
        at = following
        if last:
            break
    rest = cutter.text[at:]
    if rest:
        parts[-1] += hint
    return tuple(part for part in parts if part), rest


class _Cutter:
    """One text with its protected spans, cut from the front."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _spans(self) -> tuple[list[int], list[int]]:
        found = [match.span() for match in _PROTECTED.finditer(self.text)]
        return [start for start, _ in found], [end for _, end in found]

    def cut(self, at: int, *, soft: int, hard: int) -> tuple[int, int]:
        """Where the part that begins at `at` ends, and where the next one begins."""
        if len(self.text) - at <= hard:
            return len(self.text), len(self.text)
        for floor in (soft, 1):
            for border in _BORDERS:
                place = self._last(border, at + floor, at + hard)
                if place is not None:
                    return place
        end = self._hard_cut(at, at + hard)
        return end, end

    def _last(self, border: re.Pattern[str], low: int, high: int) -> tuple[int, int] | None:
        """The last allowed border whose part ends between `low` and `high`."""
        found = None
        for match in border.finditer(self.text, low, min(len(self.text), high + 1)):
            if match.start() <= high and not self._inside(match.start()):
                found = match
        if found is None:
            return None
        following = found.end()
        while following < len(self.text) and self.text[following].isspace():
            following += 1
        return found.start(), following

    def _inside(self, place: int) -> tuple[int, int] | None:
        """The protected span that a cut at `place` would break, if any."""
        starts, ends = self._spans
        index = bisect_right(starts, place) - 1
        if index >= 0 and starts[index] < place < ends[index]:
            return starts[index], ends[index]
        return None

    def _hard_cut(self, at: int, end: int) -> int:
        """A cut without any border: before a protected span, and never inside a letter with its marks."""
        span = self._inside(end)
        if span is not None:
            return span[0] if span[0] > at else end
        place = end
        while place > at + 1 and self._joins(place):
            place -= 1
        return place if place > at + 1 else end

    def _joins(self, place: int) -> bool:
        letter, before = self.text[place], self.text[place - 1]
        return bool(unicodedata.combining(letter) or _TRAILING.match(letter) or before == "\u200d")
