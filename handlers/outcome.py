"""What a handler is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from domain.answers import Answer
from domain.messages import ChatKey, InboundMessage, Language, MessageKind, Reply
from memory.records import Exchange, Profile, SessionRecord, Turn

_NO_TALK = frozenset({MessageKind.SYSTEM, MessageKind.GROUP, MessageKind.EDITED, MessageKind.REACTION})


@dataclass(frozen=True, slots=True)
class TurnContext:
    """One turn as handlers see it. `text` is the merged, masked text of its messages.

    `new_session` is True for the first turn of a session; `timed_out` when it replaces one that fell silent.
    """

    turn: Turn
    text: str
    session: SessionRecord
    profile: Profile
    now: float
    language: Language
    new_session: bool = False
    timed_out: bool = False
    is_admin: bool = False
    heard_flags: tuple[str, ...] = ()  # what was found in a transcript, as intake finds it in a text

    @property
    def key(self) -> ChatKey:
        """The chat this turn belongs to."""
        return self.turn.key

    @property
    def is_talk(self) -> bool:
        """Whether somebody said something to us: nothing else begins or prolongs a session."""
        return self.kind not in _NO_TALK

    @property
    def first_contact(self) -> bool:
        """Whether this subscriber never wrote before, as far as is remembered."""
        return self.profile.first_seen == self.now

    def asking(self, text: str, *, flags: tuple[str, ...] = ()) -> TurnContext:
        """The same turn with another question: what a choice stands for, or a transcript."""
        return replace(self, text=text, heard_flags=flags)

    @property
    def last(self) -> InboundMessage:
        """The newest message of the turn."""
        return self.turn.messages[-1].message

    @property
    def flags(self) -> frozenset[str]:
        """What intake, and a transcript's hearing, found in the messages."""
        return frozenset(self.heard_flags).union(*(stored.message.flags for stored in self.turn.messages))

    @property
    def kind(self) -> MessageKind:
        """Kind of the newest message; merged turns hold texts only."""
        return self.last.kind


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a handler decided: replies, and what the turn's commit must change.

    `answer` is what the agent said, if it was asked: statistics of the turn are made of it.
    """

    replies: tuple[Reply, ...] = ()
    session: SessionRecord | None = None
    profile: Profile | None = None
    exchange: Exchange | None = None
    answer: Answer | None = None
    rating: bool | None = None
    end_session: bool = False
    erase: bool = False

    def saying(self, *replies: Reply) -> Outcome:
        """The same outcome with more replies behind."""
        return replace(self, replies=(*self.replies, *replies))

    def before(self, other: Outcome) -> Outcome:
        """What `other` decided, with our replies said first."""
        return replace(other, replies=(*self.replies, *other.replies))


class Handler(Protocol):
    """Answers one kind of turn. An exception reruns the turn, at most 3 times, then parks it."""

    async def handle(self, context: TurnContext) -> Outcome:
        """Decide; sends nothing and writes nothing by itself."""
        ...
