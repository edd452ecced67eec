"""What the model reads: the stable prompt first, then the talk, then what changes every turn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from langchain_core.messages import AnyMessage

from agent.wire import Message, assistant, remembered, system, user
from domain.messages import Language
from rag.normalise import tokenise
from rag.passages import Passage

FOLDER = Path(__file__).parent / "prompts"
LANGUAGE_NAMES = {
    Language.FRENCH: "français",
    Language.HAUSA: "haoussa du Niger",
    Language.ZARMA: "zarma",
    Language.ENGLISH: "anglais",
}
NOTHING_FOUND = "(rien trouvé)"
_COPIED_WORDS = 7  # in a row: no coincidence
_MANY_WORDS = 30
_FEW_DIFFERENT = 0.25  # of many words: a model that has lost its way
# "envoyez-moi votre code PIN": nobody of ours asks for it; "ne donnez jamais votre code" is another thing.
_TELL_ME = (
    r"(?:(?:donne|envoie|envoye|dite|di|tape|[eé]cri(?:ve)?|indique|communique|transmet(?:te)?|partage)[sz]?"
    r"[- ]?(?:moi|nous)|(?:send|give|tell|show|text) (?:me|us)"
    r"|(?:ba|aiko|tura|fa[dɗ]a)\s?(?:mini|min|ni|mana))"
)
_PRIVATE = r"(?:pin|otp|codes? (?:secret|re[cç]u|de (?:validation|confirmation))|mot de passe|password|sirri)"
_ASKS_FOR_SECRET = re.compile(rf"\b(?=[abcdeéfgipst]){_TELL_ME}\b[^.!?\n]{{0,40}}\b{_PRIVATE}", re.IGNORECASE)
# Only our own lines may open or close a fence.
_FENCE = re.compile(r"</?\s*(?:donnees|données|question)\s*>|<\|[^|>]{0,40}\|>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompt files, read once at start."""

    system: Message
    question: str
    known: str
    repair: str
    secret: frozenset[tuple[str, ...]]

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Prompts:
        """Read the files."""
        rules = _read(folder, "system")
        question, known, repair = (_read(folder, name) for name in ("question", "known", "repair"))
        return cls(system(rules), question, known, repair, frozenset(_phrases(tokenise(rules))))

    def faults(self, draft: str) -> tuple[str, ...]:
        """What a draft must not be, apart from ungrounded: empty, endless, our rules, a hunt for secrets."""
        if not draft:
            return ("la réponse est vide",)
        faults = []
        words = tokenise(draft)
        if not self.secret.isdisjoint(_phrases(words)):
            faults.append("la réponse recopie tes consignes")
        if _ASKS_FOR_SECRET.search(draft):
            faults.append("la réponse demande un code secret")
        if len(words) >= _MANY_WORDS and len(set(words)) < _FEW_DIFFERENT * len(words):
            faults.append("la réponse se répète sans fin")
        return tuple(faults)

    def conversation(
        self,
        history: Sequence[AnyMessage],
        *,
        question: str,
        language: Language,
        known: str,
        passages: Iterable[Passage],
    ) -> list[Message]:
        """The messages of a first call."""
        asked = self.question.format(
            language=LANGUAGE_NAMES[language],
            known=self.known.format(known=unfence(known)) + "\n" if known else "",
            passages=listed(passages, language),
            question=unfence(question),
        )
        return [self.system, *map(remembered, history), user(asked)]

    def repair_of(self, draft: str, faults: Sequence[str]) -> list[Message]:
        """What follows a draft that grounding refused."""
        text = "\n".join(f"- {fault}" for fault in faults[:8])
        return [assistant(draft), user(self.repair.format(faults=text))]


def listed(passages: Iterable[Passage], language: Language) -> str:
    """Passages as numbered blocks, so that a model can tell them apart."""
    blocks = [f"[{i}] {unfence(_wording(passage, language))}" for i, passage in enumerate(passages, start=1)]
    return "\n".join(blocks) or NOTHING_FOUND


def fenced(passages: Iterable[Passage], language: Language) -> str:
    """Passages as a tool hands them back: marked as data."""
    return f"<donnees>\n{listed(passages, language)}\n</donnees>"


def unfence(text: str) -> str:
    """The text without marks that could close our fence or pass for the chat format's own."""
    return _FENCE.sub(" ", text) if "<" in text else text


def _wording(passage: Passage, language: Language) -> str:
    if passage.offer is not None:
        return passage.text
    return f"{passage.title} : {passage.wording(language)}"


def _phrases(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[i:] for i in range(_COPIED_WORDS)), strict=False)


def _read(folder: Path, name: str) -> str:
    return (folder / f"{name}.md").read_text(encoding="utf-8").strip()
