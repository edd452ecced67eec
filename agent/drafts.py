"""A model's draft as a subscriber may read it: plain text, short, codes whole, no links but ours."""

from __future__ import annotations

import re

from agent.figure_codes import symbols
from domain.messages import Language

MAX_CHARS = 600
_MAX_RAW = 6000  # no draft worth reading is longer; what follows is not even looked at
_LINKS_ALLOWED = ("airtel.ne",)

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_CONTROL = re.compile(r"<\|[^|>]{0,40}\|>|\[/?INST\]|</?s>|<</?SYS>>")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,60}>")
_PSEUDONYM = re.compile(r"<(?:tel_\d+|id(?:_\d+)?)>")
_BULLET = re.compile(r"^(\s*)[*•‣▪●–—]\s+(?=[^\s*#\d]|\d+[^\n*#]*$)", re.MULTILINE)
_EMPHASIS = re.compile(r"(?<!\w)(\*\*|__)(?=\S)(.+?)(?<=\S)\1(?!\w)")
# A rule that begins with its sign, and looks behind it only then, passes over other text at a glance.
_ITALIC = re.compile(r"([*_])(?<![\w*#].)(?=\S)([^*#_\n]*[^\W\d_][^*#_\n]*)(?<=\S)\1(?![\w*#])")
# What a text must hold for the rule to matter, the rule, and what stays.
_MARKUP = tuple(
    (needed, re.compile(pattern, re.MULTILINE), stays)
    for needed, pattern, stays in (
        ("`", r"^\s*```\w*\s*$", ""),
        ("](", r"!?\[([^\]\n]{0,200})\]\(([^)\s]{0,500})[^)]{0,100}\)", r"\1 \2"),
        ("[", r"\s?\[\d{1,2}\](?!\()", ""),  # a citation
        ("`", r"`+", ""),
        ("\\", r"\\(?=[*#_`\[\]().-])", ""),
        ("#", r"^\s{0,3}#{1,6}\s+(?=\D)", ""),  # a heading
        ("|", r"^\s*\|?[\s:|-]+\|[\s:|-]*$", ""),  # the rule of a table
    )
)
_TLD = (
    "com|net|org|info|biz|io|co|me|ly|gl|gg|cc|tv|app|dev|xyz|top|site|online|shop|store|link|click|live|club|pro|"
    "vip|win|bet|icu|page|web|cloud|tk|ml|ga|cf|gq|ru|cn|in|uk|us|eu|fr|ne|ng|ci|sn|bj|bf|td|tg|mobi|africa"
)
_LINK = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,15}://|\bwww\.|\b(?:mailto|tel|sms|javascript|vbscript|data):)[^\s<>\"']+"
    rf"|(?<![\w@])(?<!\w[.-])(?:[\w.+-]{{1,64}}@)?(?:[a-z0-9-]{{1,63}}\.)+(?:{_TLD})\b(?:[/?#:][^\s<>\"']*)?",
    re.IGNORECASE,
)
_CODE_LIKE = re.compile(r"[*#＊＃∗][\d\s*#＊＃∗０-９]{1,40}[#＃]")
_LINK_SIGN = re.compile(r"[.:][^\s<>\"']")  # in every link: cheaper to look for
_COMMAND = re.compile(r"/(?<![\w/].)[a-zA-Z_]{2,32}\b(?!/)|@(?<![\w.].)\w{3,32}")
_PLAIN_CODE = re.compile(r"[*#0-9]+")
_CODE = re.compile(r"([*#]\d+(?:\*\d+)*#)\s*(?:[)»\"]\s*)?[.,;:!]?")
_OPENING = ("(", "«", '"')
_BLANK_LINES = re.compile(r"\n{3,}")
_SPACES = re.compile(r"[ \t\u00a0]{2,}")
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
_SENTENCE_END = re.compile(r"[.!?…](?=\s|$)|\n")
_THIS_NUMBER = {
    Language.FRENCH: "ce numéro",
    Language.HAUSA: "wannan lamba",
    Language.ZARMA: "lamba wo",
    Language.ENGLISH: "this number",
}


def cleaned(draft: str, language: Language) -> str:
    """The text to send; "" when nothing is left."""
    text = _THINKING.sub("", draft[:_MAX_RAW])
    text = _INVISIBLE.sub("", text.replace("\r\n", "\n"))
    text = _PSEUDONYM.sub(_THIS_NUMBER[language], text)
    text = _TAG.sub("", _CONTROL.sub("", text))
    text = without_links(without_markup(text))
    text = _CODE_LIKE.sub(_whole_code, text)
    lines = (_SPACES.sub(" ", part).strip() for line in text.splitlines() for part in _codes_apart(line))
    return shortened(_BLANK_LINES.sub("\n\n", "\n".join(lines)).strip())


def without_markup(text: str) -> str:
    """Markdown read as plain text; USSD codes keep their signs."""
    for needed, rule, stays in _MARKUP:
        if needed in text:
            text = rule.sub(stays, text)
    if "**" in text or "__" in text:
        for _ in range(2):  # bold may hold italics
            text = _EMPHASIS.sub(r"\2", text)
    text = _ITALIC.sub(r"\2", text)
    return _BULLET.sub(r"\1- ", text)


def without_links(text: str) -> str:
    """The text without addresses that are not the operator's, and without commands and mentions to tap."""
    if _LINK_SIGN.search(text):
        text = _LINK.sub(lambda m: m[0] if _allowed(m[0]) else "", text)
    return _COMMAND.sub("", text) if "/" in text or "@" in text else text


def _allowed(link: str) -> bool:
    host = re.sub(r"^[a-z][a-z0-9+.-]*:(?://)?", "", link.lower())
    if "@" in host:
        name, _, host = host.rpartition("@")
        if not re.fullmatch(r"[\w.+-]+", name) or "://" in link:
            return False
    host = re.split(r"[/?#:]", host, maxsplit=1)[0].rstrip(".")
    return any(host in {allowed, f"www.{allowed}"} for allowed in _LINKS_ALLOWED)


def _whole_code(match: re.Match[str]) -> str:
    """A code in one spelling, without spaces; codes that merely stand side by side stay apart."""
    if _PLAIN_CODE.fullmatch(match[0]):
        return match[0]
    plain = symbols(match[0].replace("\n", "¶"))
    return plain.replace(" ", "") if re.fullmatch(r"[*#][\d *]+#", plain) else match[0]


def _codes_apart(line: str) -> list[str]:
    """A line cut so that each code stands alone: it is copied with one long press."""
    if "#" not in line:
        return [line]
    *told, rest = _CODE.split(line)
    parts = [*map(_unopened, told), rest.strip()]
    return [part for part in parts if part] or [line]


def _unopened(text: str) -> str:
    """What stands before a code, without the bracket or quote that holds the code."""
    text = text.strip()
    return text[:-1].rstrip() if text.endswith(_OPENING) else text


def shortened(text: str, limit: int = MAX_CHARS) -> str:
    """At most `limit` characters, cut after a sentence or a line, else at a space."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    ends = [m.end() for m in _SENTENCE_END.finditer(head)]
    if ends and ends[-1] > limit // 3:
        return head[: ends[-1]].strip()
    return head[: head.rfind(" ") if " " in head else 0].strip()
