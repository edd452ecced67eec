"""What one turn needs while it runs: given to the graph as its context, never stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.wire import Message
from domain.answers import Answer, Question
from domain.messages import Language
from rag.cache import CacheKey
from rag.passages import Passage
from rag.retriever import Retrieval, Retriever

CONTACT = "T-SERVICE-CLIENT"


@dataclass(slots=True)
class Spent:
    """What the turn cost so far."""

    model_calls: int = 0
    failures: int = 0
    tool_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    retrieval_ms: float = 0.0
    model_ms: float = 0.0
    blocked: int = 0


@dataclass(slots=True)
class Work:
    """One turn. `text` is the question without phone numbers; `deadline` is loop time, for the model only."""

    question: Question
    text: str
    language: Language
    retriever: Retriever
    version: str
    use_model: bool
    deadline: float
    retrieval: Retrieval | None = None
    passages: dict[str, Passage] = field(default_factory=dict)
    prompt: list[Message] = field(default_factory=list)
    cache_key: CacheKey | None = None
    first_exchange: bool = True
    from_cache: bool = False
    answer: Answer | None = None
    spent: Spent = field(default_factory=Spent)
    handoff: bool = False
    remember: Language | None = None

    def found(self, passages: Iterable[Passage]) -> None:
        """Add what an answer may rest on; what was found first stays first."""
        for passage in passages:
            self.passages.setdefault(passage.id, passage)

    def told(self) -> tuple[Passage, ...]:
        """What was found, and how to reach a person, which every answer may say."""
        found = tuple(self.passages.values())
        contact = self.retriever.get(CONTACT)
        return found if contact is None or contact.id in self.passages else (*found, contact)

    def topic_of(self, passage_ids: Iterable[str]) -> str:
        """What the first of these passages is about, "" when none was found."""
        first = next((self.passages[i] for i in passage_ids if i in self.passages), None)
        return first.topic if first is not None else ""
