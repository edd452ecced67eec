"""Answers questions through the same parts as the bot, without its process: for the evaluation alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.canned import Canned
from agent.embedded import Embedded
from agent.language import detect
from agent.shield import mask
from config.texts import Texts
from domain.answers import Answer, Utterance
from rag.library import Library

DATA = Path(__file__).resolve().parents[2] / "data"


@dataclass(frozen=True, slots=True)
class Answering:
    """Shield, canned answers, retrieval, embedded answer."""

    library: Library
    canned: Canned
    embedded: Embedded

    @classmethod
    def load(cls, folder: Path = DATA) -> Answering:
        library = Library.load(folder)
        texts = Texts.load(folder / "texts")
        return cls(library, Canned(texts, lambda: library.retriever), Embedded(texts))

    def answer(self, text: str, context: Sequence[Mapping[str, str]] = ()) -> Answer:
        """What a subscriber would read."""
        masked, flags = mask(text)
        history = tuple(Utterance(line["role"], line["text"]) for line in context)
        language = detect(masked, default=None)
        canned = self.canned.reply(masked, flags=flags, language=language, history=history, strict=False)
        if canned is not None:
            return canned
        return self.embedded.compose(self.library.retriever.find(masked, history), masked, language)
