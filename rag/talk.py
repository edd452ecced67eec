"""What was said before a question, as far as the question may lean on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from domain.answers import Utterance
from rag.lexicon import Lexicon, Reading
from rag.offer_index import OfferIndex
from rag.passages import Facts, read_facts
from rag.ranking import NOTHING_SAID, Past, Ranked, Ranking
from rag.slot_reading import read_slots
from rag.slots import Slots

DOUBTFUL = 0.6  # score below which nothing fits at all
_PREVIOUS_TOPIC = 0.8  # what a follow-up adds to the topic talked about before
_STANDALONE = 2.2  # a topic found this surely is what is asked
_SHORT = 4  # a question of so few words leans on what was said before
_FOLLOWS = frozenset({"suite"})
_MOST_LINES = 12


class Line(NamedTuple):
    """One line of a subscriber, and what it finds without the lines before it."""

    reading: Reading
    slots: Slots
    follows: bool  # it leans on what was said before
    found: Ranked

    @property
    def names_topic(self) -> bool:
        """Whether it surely asks for a topic: then not for the offer talked about before."""
        return self.found.topic is not None and self.found.score >= _STANDALONE

    @property
    def stands_alone(self) -> bool:
        """Whether it is answered without what was said before."""
        if not self.found.confident:
            return False
        return not self.follows or (self.names_topic and not self.reading.senses & _FOLLOWS)


class _Hint(NamedTuple):
    """What an answer of the bot talked about: offers, and a validity."""

    offers: tuple[str, ...] = ()
    validity: int | None = None


class _Told(NamedTuple):
    """What one line of an answer says: its figures, and the validity it names first."""

    facts: Facts
    validity: int | None


class Talk:
    """Reads the lines of talks. Immutable; the lines it keeps hold for one version of the knowledge."""

    def __init__(self, lexicon: Lexicon, ranking: Ranking, offers: OfferIndex) -> None:
        self._lexicon = lexicon
        self._ranking = ranking
        self._offers = offers
        # A line comes back in each turn of its talk. No two answers of a model are alike, their lines are.
        self.line = lru_cache(maxsize=1024)(self._line)
        self._hint = lru_cache(maxsize=256)(self._read_hint)
        self._told = lru_cache(maxsize=1024)(self._read_told)

    def past(self, history: Sequence[Utterance], today: date) -> Past:
        """What the talk was about, oldest line first."""
        slots, hint = Slots(), _Hint()
        senses: frozenset[str] = frozenset()
        asked: list[tuple[Line, frozenset[str]]] = []  # with the senses that each line leans on
        for said in history[-_MOST_LINES:]:
            if said.role != "user":
                hint = self._hint(said.text)
                continue
            line = self.line(said.text, today)
            if not line.follows:
                slots, senses, hint = Slots(), frozenset(), _Hint()
            asked.append((line, senses))
            slots = line.slots.inherit(slots) if line.follows else line.slots
            senses |= line.reading.senses
        slots = replace(slots, hint_offers=hint.offers, hint_validity=hint.validity)
        return Past(slots, senses, self._boosts(asked, today))

    def _boosts(self, asked: Sequence[tuple[Line, frozenset[str]]], today: date) -> Mapping[str, float]:
        """The topic talked about last; a line that finds nothing surely leaves the one before."""
        for line, senses in reversed(asked):
            found = line.found
            if senses:
                found = self._ranking.search(line.reading, line.slots, Past(senses=senses), today)
            if found.topic is not None and found.score >= DOUBTFUL:
                return {found.topic.id: _PREVIOUS_TOPIC}
            if found.confident:
                return {}
        return {}

    def _line(self, text: str, today: date) -> Line:
        reading = self._lexicon.read(text)
        slots = read_slots(reading)
        found = self._ranking.search(reading, slots, NOTHING_SAID, today)
        return Line(reading, slots, _follows(reading, slots), found)

    def _read_hint(self, text: str) -> _Hint:
        lines = [self._told(line) for line in text.splitlines()]
        volumes = {volume for line in lines for volume in line.facts.volumes}
        minutes = {minute for line in lines for minute in line.facts.minutes}
        validities = {hours for line in lines for hours in line.facts.validities}
        hinted = tuple(
            o.id
            for o in self._offers.offers_at({price for line in lines for price in line.facts.prices})
            if (o.validity_hours in validities)
            and (not o.data_mb or o.data_mb in volumes)
            and (o.data_mb or o.minutes & minutes or not o.minutes)
        )
        return _Hint(hinted[:5], next((line.validity for line in lines if line.validity), None))

    def _read_told(self, line: str) -> _Told:
        return _Told(read_facts(line), read_slots(self._lexicon.read(line)).validity)


def _follows(reading: Reading, slots: Slots) -> bool:
    """Whether a question leans on what was said before."""
    if reading.senses & _FOLLOWS:
        return True
    content = [w for w in reading.words if w.senses or not w.known or w.number is not None]
    if len(content) <= _SHORT and not (slots.services or slots.unlimited):
        return True
    if len(content) < _SHORT and not slots.has_figures:
        return True
    return slots.has_figures and not (slots.services or slots.unlimited or slots.data or slots.minutes)
