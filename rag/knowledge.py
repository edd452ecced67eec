"""Knowledge files: Markdown with front matter, one topic a file.

    ---
    id: T-SOLDE
    title: Voir son solde
    keywords: solde 1.6; reste+credit 2
    codes: *121#
    valid_to: 2027-01-31
    source: airtel.ne
    last_checked: 2026-11-22
    ---
    The French text.

    ## ha
    The Hausa text (also `dje`, `en`).

    ## questions
    - How people ask

    ## interne
    What no subscriber may read: such a section never leaves this module.

A keyword is one or more senses of the lexicon joined by `+`, and its weight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from domain.errors import BadKnowledge
from rag.normalise import find_codes, fold
from rag.passages import Passage, read_facts

LANGUAGES = ("fr", "ha", "dje", "en")
_HEADING = re.compile(r"^##\s+(.+?)\s*$")
_INTERNAL_BLOCK = re.compile(
    r"<!--\s*(?:interne|internal)\s*-->.*?(?:<!--\s*/\s*(?:interne|internal)\s*-->|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_INTERNAL = re.compile(r"\b(interne|internal)\b")
_KNOWN_KEYS = frozenset(
    ("id", "title", "languages", "keywords", "codes", "valid_from", "valid_to", "source", "last_checked")
)


@dataclass(frozen=True, slots=True)
class Keyword:
    """Senses that point at a topic when all of them are asked."""

    senses: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Topic:
    """One knowledge file. `texts` per language, French always."""

    id: str
    title: str
    texts: tuple[tuple[str, str], ...]
    keywords: tuple[Keyword, ...] = ()
    questions: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    source: str = ""
    last_checked: date | None = None

    @property
    def text(self) -> str:
        """The French text."""
        return self.texts[0][1]

    def current(self, today: date) -> bool:
        """Whether it may be told that day."""
        started = self.valid_from is None or self.valid_from <= today
        return started and (self.valid_to is None or today <= self.valid_to)

    def is_fresh(self, today: date, max_age_days: int) -> bool:
        """Whether somebody checked it lately enough to call it current."""
        return self.last_checked is not None and (today - self.last_checked).days <= max_age_days


def load_topics(folder: Path) -> tuple[Topic, ...]:
    """Every file of the folder. Raises BadKnowledge naming file and line or key."""
    topics: dict[str, Topic] = {}
    for path in sorted(folder.rglob("*.md")):
        topic = read_topic(path)
        if topic.id in topics:
            raise BadKnowledge(f"{path.name} : l'identifiant {topic.id} est donné deux fois")
        topics[topic.id] = topic
    return tuple(topics.values())


def read_topic(path: Path) -> Topic:
    """One file. Raises BadKnowledge."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadKnowledge(f"{path.name} : illisible ({error})") from error
    head, body = _split(path.name, text)
    sections = _sections(without_internal(body))
    french = sections.get("fr", "")
    if not french:
        raise BadKnowledge(f"{path.name} : le texte français est absent")
    for key in ("id", "title"):
        if not head.get(key):
            raise BadKnowledge(f"{path.name} : « {key} » est obligatoire dans l'en-tête")
    codes = tuple(dict.fromkeys((*find_codes(head.get("codes", "")), *find_codes(french))))
    return Topic(
        id=head["id"],
        title=head["title"],
        texts=tuple((name, sections[name]) for name in LANGUAGES if sections.get(name)),
        keywords=_keywords(path.name, head.get("keywords", "")),
        questions=tuple(
            line.lstrip("-* ").strip() for line in sections.get("questions", "").splitlines() if line.strip()
        ),
        codes=codes,
        valid_from=_day(path.name, head, "valid_from"),
        valid_to=_day(path.name, head, "valid_to"),
        source=head.get("source", ""),
        last_checked=_day(path.name, head, "last_checked"),
    )


def topic_passage(topic: Topic, *, fresh: bool) -> Passage:
    """The topic as a passage; its facts are those of all its languages."""
    return Passage(
        id=topic.id,
        kind="topic",
        title=topic.title,
        text=topic.text,
        codes=topic.codes,
        facts=read_facts("\n".join(text for _, text in topic.texts)),
        texts=topic.texts,
        fresh=fresh,
    )


def without_internal(text: str) -> str:
    """The text without comments and without blocks marked `<!-- interne -->` … `<!-- /interne -->`."""
    return _COMMENT.sub("", _INTERNAL_BLOCK.sub("", text))


def is_internal(heading: str) -> bool:
    """Whether a heading marks what no subscriber may read."""
    return _INTERNAL.search(fold(heading)) is not None


def _split(name: str, text: str) -> tuple[dict[str, str], str]:
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        raise BadKnowledge(f"{name}, ligne 1 : l'en-tête « --- » est absent")
    head: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() == "---":
            return head, "\n".join(lines[number:])
        key, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or key.strip() not in _KNOWN_KEYS:
            raise BadKnowledge(f"{name}, ligne {number} : « {key.strip()} » n'est pas une clé connue")
        head[key.strip()] = value.strip()
    raise BadKnowledge(f"{name} : la fin de l'en-tête « --- » est absente")


def _sections(body: str) -> Mapping[str, str]:
    """Text per section; internal ones, and unknown ones below them, are dropped here."""
    out: dict[str, list[str]] = {"fr": []}
    current: list[str] | None = out["fr"]
    for line in body.splitlines():
        heading = _HEADING.match(line)
        if heading is None:
            if current is not None:
                current.append(line)
            continue
        name = fold(heading[1])
        if is_internal(name):
            current = None
        elif name in LANGUAGES or name == "questions":
            current = out.setdefault(name, [])
        else:
            current = out["fr"]
            current.append(heading[1])
    return {name: "\n".join(lines).strip() for name, lines in out.items()}


def _keywords(name: str, text: str) -> tuple[Keyword, ...]:
    out: list[Keyword] = []
    for part in filter(None, (p.strip() for p in text.split(";"))):
        senses, _, weight = part.partition(" ")
        try:
            out.append(Keyword(tuple(senses.split("+")), float(weight or 1)))
        except ValueError as error:
            raise BadKnowledge(f"{name}, keywords : « {part} » : le poids n'est pas un nombre") from error
    return tuple(out)


def _day(name: str, head: Mapping[str, str], key: str) -> date | None:
    if not head.get(key):
        return None
    try:
        return date.fromisoformat(head[key])
    except ValueError as error:
        raise BadKnowledge(f"{name}, {key} : « {head[key]} » n'est pas une date AAAA-MM-JJ") from error
