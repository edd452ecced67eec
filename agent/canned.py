"""Answers that need neither knowledge nor model: warnings, refusals, greetings, the way to a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.intents import Intent, decide
from agent.language import detect
from config.texts import Texts
from domain.answers import Answer, Origin, Utterance
from domain.messages import Language
from rag.lexicon import Reading
from rag.normalise import tokenise
from rag.retriever import Retriever

_HUMAN = frozenset({Intent.HANDOFF, Intent.URGENT})
_SOURCES = {
    Intent.HANDOFF: ("T-SERVICE-CLIENT",),
    Intent.URGENT: ("T-SERVICE-CLIENT",),
    Intent.TROUBLE: ("T-SERVICE-CLIENT", "T-COUVERTURE"),
}
_SECRET_FLAGS = frozenset({"pin", "otp", "voucher"})


class Canned:
    """Tried before retrieval. `retriever_of` gives the current knowledge, whose lexicon names the intents."""

    def __init__(self, texts: Texts, retriever_of: Callable[[], Retriever]) -> None:
        self._texts = texts
        self._retriever_of = retriever_of

    def reply(
        self,
        text: str,
        *,
        flags: Sequence[str],
        language: Language,
        history: Sequence[Utterance],
        strict: bool,
    ) -> Answer | None:
        """The fixed answer to a message, or None when the knowledge must answer.

        `strict` (a channel whose rules forbid general talk) refuses whatever retrieval finds nothing for.
        """
        retriever = self._retriever_of()
        reading = retriever.lexicon.read(text)
        if not set(flags) & _SECRET_FLAGS and (quoted := self._quoted_code(reading, retriever, language)):
            return quoted
        found = retriever.find(text, history)
        tokens: Sequence[str] = ()
        before: frozenset[str] = frozenset()
        if "concurrent" in reading.intents:  # for whose customer: the one thing the senses do not tell
            tokens = [retriever.lexicon.repair(token) for token in tokenise(text)]
            asked = [line.text for line in history if line.role == "user"]
            before = retriever.lexicon.read(asked[-1]).senses if asked else before
        intent = decide(reading, found, flags=flags, tokens=tokens, before=before)
        if intent is None and strict and not found.plausible and not history:
            intent = Intent.OFF_TOPIC
        return None if intent is None else self._answer(intent, text, language)

    def _answer(self, intent: Intent, text: str, language: Language) -> Answer:
        told = detect(text, default=language) if intent in _GREETINGS else language
        return Answer(
            text=self._texts.get(f"canned.{intent}", told),
            language=told,
            origin=Origin.CANNED,
            passage_ids=_SOURCES.get(intent, ()),
            handoff=intent in _HUMAN,
            topic=intent,
        )

    def _quoted_code(self, reading: Reading, retriever: Retriever, language: Language) -> Answer | None:
        """A code nobody vouches for is never repeated in dialable form."""
        false = [code for code in reading.codes if code not in retriever.codes()]
        if not false:
            return None
        hoax = next((retriever.hoaxes[code] for code in false if code in retriever.hoaxes), None)
        intent = Intent.UNKNOWN_CODE if hoax is None else Intent.HOAX
        return self._answer(intent, "", language)


_GREETINGS = frozenset({Intent.GREETING, Intent.THANKS, Intent.GOODBYE})
