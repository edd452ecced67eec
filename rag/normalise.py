"""From what people type to comparable tokens: letters, spacing, glued units, spelling by ear.

Pure functions on text. What a word means is the lexicon's business, what a number word is worth that of
`rag.numbers`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_LETTERS = str.maketrans(
    {"ɗ": "d", "ɓ": "b", "ƙ": "k", "ƴ": "y", "ŋ": "n", "œ": "oe", "æ": "ae", "ß": "ss", "’": "'", "‘": "'"}
    | {"ʼ": "'", "`": "'", "´": "'", "ɲ": "ny"}
)
_FIRST_MARK = "\u0300"  # no combining mark stands before it
_MARKS = re.compile("[\u0300-\u036f]+")  # those of our languages
_DIGIT = re.compile(r"\d")
_ELONGATION = re.compile(r"([^\W\d_])\1{2,}")
_CODE = re.compile(r"(?<![\w*#])[*#]\s?\d+(?:\s?\*\s?\d+)*\s?#")
# A rule that says first what it begins with passes over other text at a glance.
_THOUSANDS = re.compile(r"(?=\d)(?<![\d.,])(\d{1,3})((?:[ .,]\d{3})+)(?![\d])")
_ALWAYS = re.compile(r"\b24\s?h?\s?(?:/|sur)\s?24\b|\b7\s?j?\s?(?:/|sur)\s?7\b")
_ELISION = re.compile(r"\b(j|l|d|c|s|n|m|t|qu|jusqu)'(?=\w)")
_JOINED = re.compile(r"(?<=\w)'(?=\w)")
# Letters that are units when a figure stands before them; "4g" is a network as well, so it stays.
_GLUED = re.compile(r"(?=\d)(?:(\d)\s?(jrs?|j|hrs?|h|mns?|min)|(?<!\d)(\d{1,2})\s?(g))(?![\w'])")
_GLUED_NAMES = {"j": " jours ", "h": " heures ", "m": " minutes ", "g": " giga "}
_GENERATION = re.compile(r"[2-5](?<![\d.,].)\s?g(?!\w)")
# "le - cher", "le + gros": signs that stand for words.
_SIGNS = (
    ("-", re.compile(r"(?<!\w)-\s?(?=ch)"), "moins "),
    ("+", re.compile(r"(?<!\w)\+\s?(?=[a-z])"), "plus "),
    ("<", re.compile(r"<\s?(?=\d)"), " moins de "),
    (">", re.compile(r">\s?(?=\d)"), " plus de "),
)
_KILO = re.compile(r"(?<![\w.,])(\d{1,3})\s?k\b")
_TOKEN = re.compile(r"code\d+code|\d+(?:[.,]\d+)?|%|[^\W\d_]+")
_MAIL = re.compile(r"\S+@\S+|https?://\S+|www\.\S+")


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """Lower case, without accents or special letters, with plain apostrophes, digits and spaces."""
    if text.isascii():  # most of a lexicon, and of what people type
        return " ".join(text.lower().replace("`", "'").split())
    plain = unicodedata.normalize("NFKC", text).lower().translate(_LETTERS)
    decomposed = unicodedata.normalize("NFD", plain)
    bare = _MARKS.sub("", decomposed)
    if not bare.isascii():
        bare = "".join(c for c in bare if c < _FIRST_MARK or unicodedata.category(c) != "Mn")
    return " ".join(bare.split())


def find_codes(text: str) -> tuple[str, ...]:
    """The USSD codes quoted in a text, without inner spaces, in order."""
    folded = fold(text)
    return tuple(re.sub(r"\s", "", m) for m in _CODE.findall(folded)) if "#" in folded else ()


def tokenise(text: str) -> list[str]:
    """Folded words and numbers ("1.2", "10000"); codes, addresses and punctuation are left out.

    >>> tokenise("J'ai 10 000F, 125mega svp !!!")
    ['j', 'ai', '10000', 'f', '125', 'mega', 'svp']
    """
    return list(_tokens(text))


@lru_cache(maxsize=1024)
def _tokens(text: str) -> tuple[str, ...]:
    """Cached: in one turn language, intents, retrieval and the cache of answers ask for the same text."""
    folded = fold(text)
    if folded.isascii() and folded.replace(" ", "").isalpha():  # most of a lexicon: plain words
        return tuple(_ELONGATION.sub(r"\1", folded).split())
    if "@" in folded or "http" in folded or "www." in folded:
        folded = _MAIL.sub(" ", folded)
    if "#" in folded:
        folded = _CODE.sub(" ", folded)
    if "/" in folded or "sur" in folded:
        folded = _ALWAYS.sub(" toujours ", folded)
    folded = _ELONGATION.sub(r"\1", folded)
    if _DIGIT.search(folded):
        folded = _figures_apart(folded)
    for sign, rule, word in _SIGNS:
        if sign in folded:
            folded = rule.sub(word, folded)
    if "'" in folded:
        folded = _JOINED.sub("", _ELISION.sub(r"\1 ", folded))
    return tuple(t.replace(",", ".") if t[0].isdigit() else t for t in _TOKEN.findall(folded))


def _figures_apart(folded: str) -> str:
    """Figures in one piece, each apart from the unit glued to it."""
    folded = _THOUSANDS.sub(lambda m: m[1] + re.sub(r"\D", "", m[2]), folded)
    if "k" in folded:
        folded = _KILO.sub(r"\g<1>000 ", folded)
    folded = _GENERATION.sub(lambda m: f"{m[0][0]} generation ", folded)
    return _GLUED.sub(lambda m: (m[1] or m[3]) + _GLUED_NAMES[(m[2] or m[4])[0]], folded)


# What a word must hold for the rule to matter, the rule, and the sound.
_SOUNDS: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (needed, re.compile(pattern), sound)
    for needed, pattern, sound in (
        ("ph", r"ph", "f"),
        ("au", r"eaux?|aux?", "o"),
        ("eu", r"oeu|eu", "e"),
        ("ill", r"ill", "iy"),
        ("", r"qu|ck|q", "k"),
        ("s", r"sch|sh", "ch"),
        ("c", r"c(?=[eiy])", "s"),
        ("c", r"c(?!h)", "k"),
        ("", r"ge(?=[ao])|j", "j"),
        ("g", r"g(?=[eiy])", "j"),
        ("gu", r"gu(?=[eiy])", "g"),
        ("tion", r"tion", "sion"),
        ("", r"(?:e|a|i)[nm](?=[^aeiouynm]|$)", "an"),
        ("", r"ai|ei|ay|ey", "e"),
        ("", r"(?:er|ez|es|et|ent|e|s|t|d|x|p)$", ""),
        ("", r"(?:er|ez|es|et|e|s|t|d|x|p)$", ""),
        ("y", r"y", "i"),
        ("z", r"z", "s"),
        ("h", r"h", ""),
        ("", r"(.)\1+", r"\1"),
    )
)


@lru_cache(maxsize=16384)
def sound(word: str) -> str:
    """A rough French sound key: words written by ear share it ("telefon" and "téléphone")."""
    key = word.replace("ch", "C")
    for needed, pattern, replacement in _SOUNDS:
        if needed in key:
            key = pattern.sub(replacement, key)
    return key
