"""The words between the handlers and the agent: a question in, an answer out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from domain.messages import ChatKey, Choice, Language


class Origin(StrEnum):
    """Who wrote the text of an answer."""

    CANNED = "canned"  # greeting, refusal, warning: no retrieval, no model
    EMBEDDED = "embedded"  # composed from the found rows, without a model
    CACHE = "cache"  # an earlier embedded or grounded model answer to the same words
    MODEL = "model"  # a grounded model draft


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of an earlier talk; `role` is "user" or "bot"."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a subscriber asks in one turn, burst merged and masked.

    `message_id` is stable across reruns of the turn. `known` is the short summary of what long-term memory
    says about the subscriber, "" when nothing. `context` seeds the history of a session that has none.
    `flags` are those of intake ("pin", "otp", "voucher"). `channel_strict` always refuses off-topic talk.
    """

    key: ChatKey
    message_id: str
    text: str
    language: Language | None = None  # None: detect, else the subscriber's known preference
    known: str = ""
    context: tuple[Utterance, ...] = ()
    allow_model: bool = True
    flags: tuple[str, ...] = ()
    channel_strict: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say, and what it rests on.

    `answered` is False when nothing fitting was found: the question goes to the editors. Times in
    milliseconds. `blocked` counts drafts that grounding refused. `remember` asks for a language preference to
    be stored. `handoff` asks for a person.
    """

    text: str
    language: Language
    origin: Origin
    passage_ids: tuple[str, ...] = ()
    answered: bool = True
    choices: tuple[Choice, ...] = ()
    tool_calls: int = 0
    model_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    blocked: int = 0
    retrieval_ms: float = 0.0
    model_ms: float = 0.0
    handoff: bool = False
    remember: Language | None = None
    topic: str = ""  # coarse label for statistics: category of the first passage, or the canned intent


class Answerer(Protocol):
    """The agent as the handlers see it."""

    async def answer(self, question: Question) -> Answer:
        """Answer within the turn's time limit; never raises for a failing model."""
        ...
