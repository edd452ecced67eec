"""Hides PINs, one-time codes and vouchers before anything is stored, and phone numbers before a model reads.

Pure functions. Prices, USSD codes and phone numbers stay as the subscriber wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

MASK = "[masqué]"
NUMBER = "[numéro]"

_I = re.IGNORECASE
_CODE = r"(?:codes?|kode?s?|cod)"
# The letters that a match may begin with stand first: most words are then passed at a glance.
_STRONG = re.compile(
    rf"""\b(?=[ackglmnopstv])(?:{_CODE}\s*(?:est\s+)?(?:secrete?|s[eéi]kr[eé]te?|secr[eé]|sicret|pine?|confidentiel|perso\w*|sirri\w*|tuganta|d.acc[eè]s|
    (?:de\s+)?(?:s[eé]curit[eé]|confirmation|validation|v[eé]rification|connexion|airtel\s*money|mkoudi|mobile\s*money)|
    airtel\s*money|dina|na\s+sirri|otp)
    |(?:mon|mn|m|notre|my|ton|son|votre|ay|le|ce)\s+(?:nouveau\s+|ancien\s+|new\s+|old\s+)?(?:{_CODE}\s*(?:c|est|is|:|=)|pine?)
    |(?:mon|mn|my|ay)\s+(?:nouveau\s+|ancien\s+|new\s+|old\s+)?{_CODE}
    |pine?|pin\s*code|m(?:ot|o)\s*d[eu]?\s*pass\w*|mdp|pass\s?(?:word|code)|secret\s+(?:code|number)|otp
    |lamb\w+\s+(?:ta\s+)?(?:sirri\w*|asiri\w*)|kalmar\s+sirri|sirrina|gundo+)\b""",
    _I | re.VERBOSE,
)
_OTP = re.compile(
    rf"(?=[ckopvw])(?:\botp\b|{_CODE}\s+(?:de\s+)?(?:validation|v[eé]rification|confirmation|retrait|connexion)"
    rf"|{_CODE}\s+(?:re[cç]u|recu|envoy[eé])|verification\s+code|one.time|withdrawal\s+code|par\s+sms)",
    _I,
)
# A bare "code 5508": the figure stands right beside the word.
_WEAK = re.compile(
    rf"\b(?:{_CODE}|lamba\w*|numero\s+secret)\s*(?:secret\s*)?"
    r"(?:de\s+retrait\s*|re[cç]u\s*|par\s+sms\s*|n[o°]?\s*|(?:que\s+j'ai\s+re[cç]u\s*))?"
    r"(?:(?:est|c'?est|c|is|ne|shi\s+ne|cet?|:|=|-)\s*){0,2}$",
    _I,
)
_UNIT = re.compile(
    r"\s?(?:f\b|fr\b|frs\b|fcfa|f\s?cfa|cfa|francs?|mo\b|go\b|mb\b|gb\b|m[eé]gas?|gigas?|min|mn\b|sms\b|h\b|heures?|jours?|jrs?\b"
    r"|%|naira|dala|jikka|personnes?|fois)",
    _I,
)
_RUN = re.compile(r"(?<![\w*#+])\d(?:[ .\-_]?\d)*(?![\w#*])")
# "1234 500 F": the run as a whole is an amount, its first group is not.
_GROUP = re.compile(r"(?<![\w*#+.,\-])\d{4,8}(?![\w#*.,\-])")
_VOUCHER_DIGITS = range(12, 21)
_SECRET_DIGITS = range(4, 9)
_NEAR = 25  # a round amount this far from the word is an amount
_DIGIT_WORDS = (
    r"(?:z[eé]ro|un|deux|trois|quatre|cinq|six|sept|huit|neuf|one|two|three|four|five|seven|eight|nine"
    r"|sifili|daya|biyu|uku|hudu|biyar|shida|bakwai|takwas|tara)"
)
_SPELT = re.compile(rf"\b{_DIGIT_WORDS}(?:[\s,\-]+{_DIGIT_WORDS}){{3,7}}\b", _I)
_PASSWORD = re.compile(
    r"\b(m(?:ot|o)\s*d[eu]?\s*pass\w*|mdp|pass\s?(?:word|code))(\s*(?:est|c'est|is|ne|:|=)\s*)(?!oubli|perdu|bloqu|incorr|faux|fausse|not\b|pas\b|\[)"
    r"(\S{4,})",
    _I,
)
_PHONE = re.compile(
    r"(?<![\w*#])(?:\+|00)?227[ .\-]?\d{2}(?:[ .\-]?\d{2}){3}(?!\d)"
    r"|(?<![\w*#+])(?:[2-9]|(?![0-9])\d)\d(?:[ .\-]?\d{2}){3}(?![\w#*])"
    r"|(?<![\w*#+])[2-9]\d[ .\-]\d{3}[ .\-]\d{3}(?![\w#*])"
)
_EIGHT_DIGITS = re.compile(r"\d(?:[ .\-]?\d){7}")  # the fewest of a phone number
_LONG_ID = re.compile(r"(?<![\w*#])\d(?:[ \-]?\d){8,}(?![\w#*])")
_NAMED = re.compile(r"<(?:tel_\d+|id)>")
_ALONE = re.compile(r"\s*(\d{4,6})\s*[.!?]*\s*")


def mask(text: str) -> tuple[str, tuple[str, ...]]:
    """The text without secrets, and the kinds that were in it ("pin", "otp", "voucher")."""
    kinds: dict[str, None] = {}
    strong = [m.span() for m in _STRONG.finditer(text)]

    def hide(match: re.Match[str]) -> str:
        what = _kind(text, match, strong)
        if not what:
            return match[0]
        kinds[what] = None
        return MASK

    masked = _GROUP.sub(hide, _RUN.sub(hide, text)) if strong else _RUN.sub(hide, text)
    if strong:
        kind = _kind_of_code(text)
        masked = _SPELT.sub(_noting(kinds, kind), masked)
        masked = _PASSWORD.sub(_noting(kinds, kind, keep=2), masked)
    return masked, tuple(kinds)


def pseudonymise(text: str) -> str:
    """Phone numbers as `<tel_1>`, `<tel_2>`…, other long numbers as `<id>`: what a model is given."""
    if not _EIGHT_DIGITS.search(text):  # most texts
        return text
    seen: dict[str, int] = {}

    def name(match: re.Match[str]) -> str:
        if _UNIT.match(text, match.end()):
            return match[0]
        number = re.sub(r"\D", "", match[0])[-8:]
        return f"<tel_{seen.setdefault(number, len(seen) + 1)}>"

    return _LONG_ID.sub("<id>", _PHONE.sub(name, text))


def anonymise(text: str) -> str:
    """The text as it may be kept and read by others: phone numbers and other long numbers taken out."""
    return _NAMED.sub(NUMBER, pseudonymise(text))


def _kind_of_code(text: str) -> str:
    return "otp" if _OTP.search(text) else "pin"


def _kind(text: str, match: re.Match[str], strong: Sequence[tuple[int, int]]) -> str:
    """What a run of digits is: "pin", "otp", "voucher", or "" for what may stay."""
    digits = re.sub(r"\D", "", match[0])
    if len(digits) in _VOUCHER_DIGITS:
        return "" if digits.startswith(("227", "00227")) and len(digits) <= 13 else "voucher"
    if not _may_be_secret(match, digits):
        return ""
    kind = _kind_of_code(text)
    round_amount = int(digits) % 500 == 0
    if strong:
        far = min(_gap(span, match) for span in strong) > _NEAR
        return "" if far and round_amount else kind
    beside = _WEAK.search(match.string[max(0, match.start() - 40) : match.start()])
    alone = _ALONE.fullmatch(text) and int(digits) % 50
    return kind if alone or (not round_amount and (beside or kind == "otp")) else ""


def _may_be_secret(match: re.Match[str], digits: str) -> bool:
    if len(digits) not in _SECRET_DIGITS or _UNIT.match(match.string, match.end()):
        return False
    return not (len(digits) == 8 and _PHONE.fullmatch(match[0]))


def _gap(span: tuple[int, int], match: re.Match[str]) -> int:
    return max(match.start() - span[1], span[0] - match.end(), 0)


def _noting(kinds: dict[str, None], kind: str, keep: int = 0) -> Callable[[re.Match[str]], str]:
    """A replacement that notes the kind and keeps the first `keep` groups."""

    def replace(match: re.Match[str]) -> str:
        kinds[kind] = None
        return "".join(match[i] for i in range(1, keep + 1)) + MASK

    return replace
