"""Knowledge that operators add from the admin page: one Markdown file each, checked before it counts."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from bot.sanitising import clean_text
from domain import niger
from domain.errors import BadInput, BadKnowledge
from rag.knowledge import read_topic

logger = logging.getLogger(__name__)

FOLDER = "ajouts"
SOURCE = "page d'administration"
MAX_QUESTION = 300
MAX_ANSWER = 3000
TRANSLATIONS = ("ha", "dje", "en")
_TITLE = 80
# What a knowledge file would read as structure: headings and comments.
_STRUCTURE = re.compile(r"^[ \t]*#+(?:[ \t]+|$)|<!--|-->", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Addition:
    """A question and its answer; `answers` holds the other languages. Told until `valid_to`, if given."""

    question: str
    answer: str
    answers: Mapping[str, str] = field(default_factory=dict)
    valid_to: date | None = None


class Additions:
    """Writes additions below the knowledge folder and puts them to use.

    `reload` reads all knowledge again; `fault` says why it could not be used, "" when it could.
    """

    def __init__(
        self,
        knowledge: Path,
        *,
        reload: Callable[[], Awaitable[object]],
        fault: Callable[[], str],
        today: Callable[[], date] = niger.today,
    ) -> None:
        self._folder = knowledge / "knowledge" / FOLDER
        self._reload = reload
        self._fault = fault
        self._today = today
        self._one_at_a_time = asyncio.Lock()

    async def add(self, addition: Addition) -> str:
        """Write the file and load it; returns the passage's id. Raises BadInput saying what is wrong.

        The same question on the same day replaces what was said before.
        """
        name, text = _file(addition, self._today())
        path = self._folder / f"{name.lower()}.md"
        async with self._one_at_a_time:
            before = await asyncio.to_thread(_replace, path, text)
            await self._reload()
            if fault := self._fault():
                await asyncio.to_thread(_put_back, path, before)
                await self._reload()
                raise BadInput(fault)
        logger.info("knowledge added", extra={"action": "knowledge_added", "passage": name})
        return name


def _file(addition: Addition, today: date) -> tuple[str, str]:
    """The passage's id and the text of its file. Raises BadInput."""
    question = " ".join(clean_text(addition.question, MAX_QUESTION).split())
    answer = _prose(addition.answer)
    if not question or not answer:
        raise BadInput("La question et la réponse en français sont obligatoires.")
    name = f"AJ-{today:%Y%m%d}-{hashlib.sha256(question.casefold().encode()).hexdigest()[:8]}"
    head = [f"id: {name}", f"title: {question[:_TITLE]}", f"source: {SOURCE}", f"last_checked: {today}"]
    if addition.valid_to is not None:
        head.append(f"valid_to: {addition.valid_to}")
    sections = [answer]
    sections += [
        f"## {code}\n{said}" for code in TRANSLATIONS if (said := _prose(addition.answers.get(code, "")))
    ]
    sections.append(f"## questions\n- {question}")
    return name, "---\n" + "\n".join(head) + "\n---\n" + "\n\n".join(sections) + "\n"


def _prose(text: str) -> str:
    if len(text) > MAX_ANSWER:
        raise BadInput(f"La réponse est trop longue : {MAX_ANSWER} caractères au plus.")
    return _STRUCTURE.sub("", clean_text(text, MAX_ANSWER)).strip()


def _replace(path: Path, text: str) -> bytes | None:
    """Put the text there at once, after a look by the loader; returns what stood there before."""
    draft = path.with_suffix(".draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes() if path.exists() else None
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        read_topic(draft)
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        reason = error.strerror or "erreur d'écriture"
        raise BadInput(f"Le dossier des connaissances ne peut pas être modifié ({reason}).") from error
    except BadKnowledge as error:
        draft.unlink(missing_ok=True)
        raise BadInput(str(error)) from error
    return before


def _put_back(path: Path, before: bytes | None) -> None:
    if before is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(before)
