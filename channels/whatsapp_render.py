"""Writes our plain text the way WhatsApp shows it unchanged.

WhatsApp knows no escaping: `*141*3#` may turn bold and lose its asterisks. So a code stands alone on its line
between triple backticks, which every client version shows as typed, and no other mark of formatting is left.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from domain.messages import Choice

_LINK = re.compile(r"(?:https?://|www\.)\S++|(?<![\w.+-])[\w.+-]++@[\w.-]++")
# Digits with stars and hashes, and placeholders: *555*<numero>#, *555*NUMERO#.
_CODE_RUN = re.compile(r"[*#](?:[\d*#]|<[^<>\s]{1,24}>|(?<=\*)[A-ZÀ-Ý]{2,24}(?=[*#]))++")
_TIMES = re.compile(r"(?<=\d) ?\* ?(?=\d)")
_EDGE_UNDERSCORES = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
_BARE = re.compile(r"[\s\-•–:;,.]*")
_AFTER_CODE = re.compile(r"^[\s.,;:]+")
_PAIRS = (("(", ")"), ("«", "»"), ("[", "]"), ('"', '"'), ("“", "”"))
_FENCE = "```"
_FLAGS = range(0x1F1E6, 0x1F200)


def utf16_length(text: str) -> int:
    """Length in UTF-16 units, the strictest way the platform may count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def render_text(text: str) -> str:
    """The text for a message body: codes fenced on lines of their own, no other formatting marks."""
    lines = [rendered for line in text.split("\n") for rendered in _render_line(line)]
    return "\n".join(lines).strip()


def render_flat(text: str, limit: int) -> str:
    """The text on one line, for a template's variable, which takes neither newlines nor tabs."""
    return cut(" ".join(render_text(text).split()), limit)


def numbered(choices: Sequence[Choice], text: str) -> str:
    """The choices as lines that can be typed ("1 Solde"), "" when the text lists them already."""
    if not choices or re.search(rf"(?m)^\W*1\W+{re.escape(choices[0].label.strip())}", text, re.IGNORECASE):
        return ""
    rows = [f"{number} {_line(choice.label, 72)}" for number, choice in enumerate(choices, 1)]
    return short if len(rows) <= 3 and len(short := " / ".join(rows)) <= 60 else "\n".join(rows)


def titles(choices: Sequence[Choice], limit: int) -> list[tuple[Choice, str]]:
    """Each choice with its title of at most `limit` units; those doubling a title or an id are left out."""
    kept: list[tuple[Choice, str]] = []
    seen: set[str] = set()
    for choice in choices:
        title = _line(choice.label, limit)
        marks = {f"title {title.casefold()}", f"id {choice.id}"}
        if title and choice.id and not marks & seen:
            seen |= marks
            kept.append((choice, title))
    return kept


def cut(text: str, limit: int) -> str:
    """The text in at most `limit` UTF-16 units, ending in "…" when cut, never inside a grapheme."""
    if utf16_length(text) <= limit:
        return text
    kept, room = "", limit - 1
    for cluster in _clusters(text):
        room -= utf16_length(cluster)
        if room < 0:
            break
        kept += cluster
    return kept.rstrip() + "…"


def _clusters(text: str) -> Iterator[str]:
    cluster = ""
    for character in text:
        if cluster and not _joins(cluster, character):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _joins(cluster: str, character: str) -> bool:
    """Whether the character completes the cluster: marks, skin tones, joiners, the second half of a flag."""
    if character == "\u200d" or cluster[-1] == "\u200d" or "\U0001f3fb" <= character <= "\U0001f3ff":
        return True
    if ord(character) in _FLAGS and len(cluster) == 1:
        return ord(cluster) in _FLAGS
    return unicodedata.category(character).startswith("M")


def _line(text: str, limit: int) -> str:
    return cut(" ".join(text.split()), limit)


def _render_line(line: str) -> list[str]:
    spans = list(_codes(line))
    if not spans:
        return [_plain(line).rstrip()]
    gaps = _gaps(line, spans)
    rendered: list[str] = []
    for (start, end), before in zip(spans, gaps, strict=False):
        rendered += [before] if before else []
        rendered.append(_FENCE + line[start:end] + _FENCE)
    return rendered + ([gaps[-1]] if gaps[-1] else [])


def _gaps(line: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """What stands around the codes, without the marks that would be left alone on a line."""
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(line)]
    gaps = [_plain(line[start:end]) for start, end in zip(starts, ends, strict=True)]
    for index in range(1, len(gaps)):
        gaps[index - 1], gaps[index] = _unwrapped(gaps[index - 1], gaps[index])
        gaps[index] = _AFTER_CODE.sub("", gaps[index])
    return ["" if _BARE.fullmatch(gap) else gap.strip() for gap in gaps]


def _unwrapped(before: str, after: str) -> tuple[str, str]:
    """Take away brackets or quotes that open before a code and close right behind it."""
    closing = after.lstrip()
    for left, right in _PAIRS:
        place = before.rfind(left)
        if closing.startswith(right) and place >= 0 and right not in before[place + 1 :]:
            return before[:place] + before[place + 1 :], closing.removeprefix(right)
    return before, after


def _codes(line: str) -> Iterator[tuple[int, int]]:
    links = [match.span() for match in _LINK.finditer(line)]
    for run in _CODE_RUN.finditer(line):
        end = run.start() + run.group().rfind("#") + 1
        if end - run.start() >= 3 and not any(start < end and run.start() < stop for start, stop in links):
            yield run.start(), end


def _plain(text: str) -> str:
    """The text without marks of formatting; links stay as they are."""
    pieces: list[str] = []
    at = 0
    for link in _LINK.finditer(text):
        pieces += [_unmarked(text[at : link.start()]), link.group()]
        at = link.end()
    return "".join([*pieces, _unmarked(text[at:])])


def _unmarked(text: str) -> str:
    text = _TIMES.sub(" x ", text)
    for mark in "*~`":
        text = text.replace(mark, "")
    return _EDGE_UNDERSCORES.sub("", text)
