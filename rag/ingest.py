"""Turns documents into knowledge files: Markdown, text, HTML, CSV and PDF.

A document becomes one topic per section of at most `MOST_CHARS` characters. What is marked internal (a
heading with the word, or `<!-- interne -->` … `<!-- /interne -->`) is left out here already. A Markdown file
that has its front matter, and a CSV file of offers, are taken as they stand once they are valid.
"""

from __future__ import annotations

import csv
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from domain.errors import BadInput, BadKnowledge
from rag.catalogue import COLUMNS, read_offers
from rag.knowledge import is_internal, load_topics, read_topic, without_internal
from rag.normalise import find_codes, fold

SUFFIXES = frozenset({".md", ".markdown", ".txt", ".html", ".htm", ".csv", ".pdf"})
MOST_CHARS = 500
_MOST_BYTES = 20 * 1024 * 1024
_MOST_PAGES = 500
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_DROPPED_TAGS = frozenset({"script", "style", "nav", "header", "footer", "noscript", "template", "svg"})
_BLOCK_TAGS = frozenset({"p", "div", "li", "br", "tr", "section", "article", "ul", "ol", "table", "td", "th"})


@dataclass(frozen=True, slots=True)
class Section:
    """One passage of a document."""

    title: str
    text: str
    codes: tuple[str, ...] = ()
    id: str = ""


def ingest(path: Path, data: Path, *, today: date) -> tuple[Path, ...]:
    """Import a file, or every known file of a folder, into the data folder; returns the files written.

    All or nothing: a fault in one file leaves the data folder as it was. Raises BadInput or BadKnowledge.
    """
    sources = _sources(path)
    with tempfile.TemporaryDirectory() as name:
        staged = Path(name)
        for source in sources:
            _stage(source, staged, today)
        _check(staged, data)
        return tuple(_move(staged, data))


def _sources(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
    else:
        found = [path]
    if not found or not all(p.is_file() for p in found):
        raise BadInput(f"{path} : aucun document à importer ({', '.join(sorted(SUFFIXES))})")
    for source in found:
        if source.suffix.lower() not in SUFFIXES:
            raise BadInput(f"{source.name} : format inconnu ({', '.join(sorted(SUFFIXES))})")
        if source.stat().st_size > _MOST_BYTES:
            raise BadInput(f"{source.name} : plus de {_MOST_BYTES // 1024 // 1024} Mo")
    return found


def _stage(source: Path, staged: Path, today: date) -> None:
    suffix = source.suffix.lower()
    if suffix == ".csv":
        _stage_csv(source, staged, today)
    elif suffix in {".md", ".markdown"} and _text(source).lstrip().startswith("---\n"):
        read_topic(source)
        _write(staged / "knowledge" / f"{_slug(source.stem)}.md", _text(source))
    else:
        _stage_sections(source, list(_sections(source)), staged, today)


def _stage_csv(source: Path, staged: Path, today: date) -> None:
    rows = list(csv.DictReader(_text(source).splitlines()))
    columns = set(rows[0]) if rows else set()
    if {"price_fcfa", "codes"} <= columns or set(COLUMNS) <= columns:
        read_offers(source)
        _write(staged / "catalogue" / f"{_slug(source.stem)}.csv", _text(source))
        return
    names = {fold(c): c for c in columns if c}
    title = next((names[n] for n in ("titre", "title", "topic", "sujet", "question") if n in names), None)
    text = next(
        (names[n] for n in ("texte", "text", "facts", "reponse", "answer", "contenu") if n in names), None
    )
    if title is None or text is None:
        raise BadInput(f"{source.name}, ligne 1 : il faut les colonnes des offres, ou « titre » et « texte »")
    found = [
        Section(
            (row[title] or "").strip(),
            (row[text] or "").strip(),
            find_codes(row.get("codes") or ""),
            (row.get("id") or "").strip(),
        )
        for row in rows
    ]
    for line, section in enumerate(found, start=2):
        if not section.title or not section.text:
            raise BadInput(
                f"{source.name}, ligne {line}, colonne {title if not section.title else text} : vide"
            )
    _stage_sections(source, found, staged, today)


def _stage_sections(source: Path, sections: Sequence[Section], staged: Path, today: date) -> None:
    if not sections:
        raise BadInput(f"{source.name} : aucun texte lisible")
    slug = _slug(source.stem)
    for number, section in enumerate(sections, start=1):
        name = section.id or f"DOC-{slug}-{number}".upper()
        codes = tuple(dict.fromkeys((*section.codes, *find_codes(section.text))))
        head = [f"id: {name}", f"title: {section.title}", f"source: {source.name}", f"last_checked: {today}"]
        if codes:
            head.append(f"codes: {' '.join(codes)}")
        body = "\n".join(re.sub(r"^#+\s*", "", line) for line in section.text.splitlines())
        front = "\n".join(" ".join(line.split()) for line in head)
        _write(staged / "knowledge" / f"{slug}-{number}.md", f"---\n{front}\n---\n{body}\n")


def _sections(source: Path) -> Iterator[Section]:
    """The document's sections without what is internal, none longer than a short answer."""
    suffix = source.suffix.lower()
    if suffix == ".pdf":
        text = _pdf(source)
    elif suffix in {".html", ".htm"}:
        text = _html(_text(source))
    else:
        text = without_internal(_text(source))
    title = source.stem.replace("_", " ").replace("-", " ").strip() or "document"
    for heading, body in _by_heading(text, title):
        for part in _parts(body):
            yield Section(heading, part)


def _by_heading(text: str, title: str) -> Iterator[tuple[str, str]]:
    heading, lines, internal_level = title, list[str](), 0
    for line in text.splitlines():
        match = _HEADING.match(line)
        if match is None:
            if not internal_level:
                lines.append(line)
            continue
        if "".join(lines).strip():
            yield heading, "\n".join(lines)
        lines = []
        level = len(match[1])
        if internal_level and level > internal_level:
            continue  # below an internal heading everything is internal
        internal_level = level if is_internal(match[2]) else 0
        heading = match[2]
    if "".join(lines).strip():
        yield heading, "\n".join(lines)


def _parts(body: str) -> Iterator[str]:
    """Paragraphs joined while they fit; a longer one is cut between sentences."""
    part = ""
    for paragraph in re.split(r"\n\s*\n", body):
        for piece in _sentences(" ".join(paragraph.split())):
            if part and len(part) + len(piece) + 1 > MOST_CHARS:
                yield part
                part = ""
            part = f"{part}\n{piece}" if part else piece
    if part:
        yield part


def _sentences(paragraph: str) -> Iterator[str]:
    while len(paragraph) > MOST_CHARS:
        cut = max(paragraph.rfind(mark, 0, MOST_CHARS) for mark in (". ", "! ", "? ", "; "))
        cut = cut + 1 if cut > 0 else max(paragraph.rfind(" ", 0, MOST_CHARS), 1)
        yield paragraph[:cut].strip()
        paragraph = paragraph[cut:].strip()
    if paragraph:
        yield paragraph


def _pdf(source: Path) -> str:
    try:
        pages = PdfReader(source).pages
        if len(pages) > _MOST_PAGES:
            raise BadInput(f"{source.name} : plus de {_MOST_PAGES} pages")
        return "\n\n".join(page.extract_text() for page in pages)
    except (PyPdfError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{source.name} : PDF illisible ({type(error).__name__})") from error


class _Page(HTMLParser):
    """The readable text of a page, headings as Markdown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._dropped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Blocks begin a new line; hidden ones are skipped."""
        if tag in _DROPPED_TAGS:
            self._dropped += 1
        elif re.fullmatch(r"h[1-6]", tag):
            self.parts.append("\n\n" + "#" * int(tag[1]) + " ")
        elif tag in _BLOCK_TAGS:
            self.parts.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        """A heading ends its line."""
        if tag in _DROPPED_TAGS:
            self._dropped = max(0, self._dropped - 1)
        elif tag in _BLOCK_TAGS or re.fullmatch(r"h[1-6]", tag):
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        """Text outside hidden blocks, spaces folded."""
        if not self._dropped:
            self.parts.append(re.sub(r"\s+", " ", data))


def _html(text: str) -> str:
    page = _Page()
    page.feed(without_internal(text))
    page.close()
    return "".join(page.parts)


def _check(staged: Path, data: Path) -> None:
    """What is new must be valid, and must not take an id that another file of the data folder holds."""
    new = {topic.id for topic in load_topics(staged / "knowledge")}
    replaced = {p.name for p in (staged / "knowledge").glob("*.md")}
    for path in sorted((data / "knowledge").rglob("*.md")):
        if path.parent.name == "imported" and path.name in replaced:
            continue
        if (topic := read_topic(path)).id in new:
            raise BadKnowledge(f"l'identifiant {topic.id} existe déjà dans {path.name}")


def _move(staged: Path, data: Path) -> Iterator[Path]:
    for part, target in (("knowledge", data / "knowledge" / "imported"), ("catalogue", data / "catalogue")):
        for path in sorted((staged / part).glob("*")):
            target.mkdir(parents=True, exist_ok=True)
            hidden = target / f".{path.name}.part"
            shutil.copyfile(path, hidden)
            yield hidden.replace(target / path.name)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        raise BadInput(f"deux documents donneraient le même fichier {path.name} : renommez-en un")
    path.write_text(text, encoding="utf-8")


def _text(source: Path) -> str:
    try:
        return source.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{source.name} : illisible en UTF-8") from error


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", fold(name)).strip("-")[:60] or "document"
