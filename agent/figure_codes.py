"""USSD codes in any spelling: "étoile 141 étoile 3 dièse", "＊１４１＊３＃" and "* 141 * 3 #" are one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from agent.figure_words import HASHES, NUMBER_WORDS, READER, STARS
from rag.normalise import fold
from rag.numbers import JOINERS

GAP = " ¤ "  # where something was taken out of a text

_SIGNS = str.maketrans(
    dict.fromkeys("∗⁎✱✲✳✴❊★☆⭐🌟٭", "*")
    | dict.fromkeys("♯⌗", "#")
    | dict.fromkeys("‐‑‒–—−", "-")
    | {"×": "x", "·": ".", "⁄": "/"}
)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20e3"
    "\ufe00-\ufe0f\ufeff]"
)
_OTHER_DIGIT = re.compile(r"[^\D0-9]")  # of any script, full-width ones too
_WRITTEN = frozenset("*#")
_SIGN = {"*": "*", "#": "#"} | dict.fromkeys(STARS, "*") | dict.fromkeys(HASHES, "#")
_BETWEEN = JOINERS | {"-", ".", ",", "and", "puis", "then"}
_TOKEN = re.compile(r"[*#]|\d+|[^\W\d_]+|\S")


def symbols(text: str) -> str:
    """One line folded: ASCII digits, plain code signs, nothing invisible."""
    if text.isascii():
        return fold(text)
    visible = _OTHER_DIGIT.sub(_ascii_digit, _INVISIBLE.sub("", text).translate(_SIGNS))
    return fold(visible).translate(_SIGNS)


def _ascii_digit(match: re.Match[str]) -> str:
    return str(unicodedata.decimal(match[0]))


def take_codes(line: str, codes: list[str], strays: list[str]) -> str:
    """The line without its codes. What looks like a piece of a code becomes a stray."""
    if not any(sign in line for sign in _SIGN):
        return line
    tokens = _TOKEN.findall(line)
    rest: list[str] = []
    i = 0
    while i < len(tokens):
        if tokens[i] not in _SIGN:
            rest.append(tokens[i])
            i += 1
            continue
        end, code = _code_at(tokens, i)
        if code:
            codes.append(code)
            rest.append(GAP.strip())
            i = end
            continue
        if tokens[i] in _WRITTEN or _has_number(tokens, i + 1):
            strays.append(" ".join(tokens[max(0, i - 1) : i + 3]))
        rest.append(tokens[i])
        i += 1
    return _rejoin(rest)


def _rejoin(tokens: Sequence[str]) -> str:
    """Tokens as text again; figures that stood together ("2,5", "22/11") stay together."""
    return re.sub(r" ' ", "'", re.sub(r"(?<=\d) ([.,:/-]) (?=\d)", r"\1", " ".join(tokens)))


def _code_at(tokens: Sequence[str], start: int) -> tuple[int, str]:
    """The code that begins at a token: its end and its spelling, or an empty one."""
    code, i = "", start
    while i < len(tokens) and (sign := _SIGN.get(tokens[i])):
        if sign == "#" and code and code[-1] not in _WRITTEN:
            return i + 1, code + "#"
        code += sign
        i += 1
        if len(code) > 1 and code[-2] in _WRITTEN and code.rstrip("*#"):
            return start, ""
        end = _number_end(tokens, i)
        code += _digits(tokens[i:end])
        i = end
    return start, ""


def _has_number(tokens: Sequence[str], i: int) -> bool:
    return any(t not in _BETWEEN for t in tokens[i : _number_end(tokens, i)])


def _number_end(tokens: Sequence[str], i: int) -> int:
    while i < len(tokens) and (tokens[i].isdigit() or tokens[i] in NUMBER_WORDS or tokens[i] in _BETWEEN):
        i += 1
    return i


def _digits(tokens: Sequence[str]) -> str:
    """Figures read out one by one, or as a number word."""
    words = [t for t in tokens if t.isdigit() or t in NUMBER_WORDS]
    values = [t if t.isdigit() else f"{NUMBER_WORDS[t].value:g}" for t in words]
    if all(len(v) == 1 for v in values) or all(t.isdigit() for t in words):
        return "".join(values)
    spoken = [t for t in tokens if t in words or t in JOINERS]
    return "".join(t for t in READER.replace(spoken) if t.isdigit())
