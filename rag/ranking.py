"""One search: the offers and topics that answer a question, in one order, before they become passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from rag.catalogue import Offer
from rag.knowledge import Topic
from rag.lexicon import COURTESIES, Lexicon, Reading
from rag.offer_index import Found, OfferIndex
from rag.slots import Slots
from rag.topic_index import TopicIndex

CONFIDENT = 1.0  # score from which an answer is given without doubt
MOST_HITS = 5
_CODE_QUOTED = 1.9  # what a code quoted in the question adds to the topics that hold it
_STRANGE = 0.08  # each word nobody knows makes a weak match less sure
_OFFER_WORD = 0.7
_WINDOW = 0.8  # the hours of the night asked for are those of the offer, not of the shops
_LEAST = 0.3  # score from which a topic is worth telling
_ABOUT_HOURS = frozenset({"horaire", "serviceclient"})
_SERVICES = frozenset({"internet", "appel", "sms", "illimite", "nuit"})
_ABOUT_OFFERS = frozenset(
    (
        "forfait",
        "activer",
        "acheter",
        "combien",
        "prix",
        "quoi",
        "comment",
        "airtel",
        "suite",
        "ou",
        *COURTESIES,
    )
)


@dataclass(frozen=True, slots=True)
class Past:
    """What the talk was about: slots, senses, topics with their weight."""

    slots: Slots = field(default_factory=Slots)
    senses: frozenset[str] = frozenset()
    boosts: Mapping[str, float] = field(default_factory=dict)


NOTHING_SAID = Past()


class Ranked(NamedTuple):
    """What one search found: `hits` best first, with their score; the rest as `Retrieval` has it."""

    slots: Slots
    hits: Sequence[tuple[Offer | Topic, float]]
    score: float
    confident: bool
    exact: bool
    total_offers: int
    imported: bool

    @property
    def topic(self) -> Topic | None:
        """The best hit, when it is a topic."""
        first = self.hits[0][0] if self.hits else None
        return first if isinstance(first, Topic) else None


class Ranking:
    """Searches offers and topics of one version of the knowledge. Immutable."""

    def __init__(self, offers: OfferIndex, topics: Sequence[Topic], lexicon: Lexicon) -> None:
        self._offers = offers
        self._topics = TopicIndex(topics, lexicon)
        self._by_code: dict[str, set[str]] = {}
        for topic in topics:
            for code in topic.codes:
                self._by_code.setdefault(code, set()).add(topic.id)

    def search(
        self,
        reading: Reading,
        slots: Slots,
        past: Past,
        today: date,
        gains: Mapping[str, float] | None = None,
    ) -> Ranked:
        """What answers a question; `gains` add to the score of topics, by id."""
        offers = self._offers.find(slots, today, MOST_HITS)
        offer_score = _offer_score(offers, slots, reading)
        boosts = _added(past.boosts, gains or {}, self._quoted(reading.codes))
        topics = self._topics.find(reading, past.senses, today, boosts, MOST_HITS)
        topic_score = topics[0][1] if topics else 0.0
        told = [hit for hit in topics if hit[1] > _LEAST]
        sold = [(offer, offer_score) for offer in offers.offers]
        best = max(offer_score, topic_score)
        return Ranked(
            slots=slots,
            hits=_in_one_order(sold, told, offer_score, topic_score)[:MOST_HITS],
            score=best,
            confident=best >= CONFIDENT + _STRANGE * min(len(reading.unknown), 5),
            exact=offers.exact,
            total_offers=offers.total,
            imported=bool(topics) and not topics[0][0].keywords,
        )

    def _quoted(self, codes: Sequence[str]) -> dict[str, float]:
        return {topic: _CODE_QUOTED for code in codes for topic in self._by_code.get(code, ())}


def _added(*boosts: Mapping[str, float]) -> Mapping[str, float]:
    total: dict[str, float] = {}
    for boost in boosts:
        for name, gain in boost.items():
            total[name] = total.get(name, 0.0) + gain
    return total


def _in_one_order(
    sold: Sequence[tuple[Offer, float]],
    told: Sequence[tuple[Topic, float]],
    offer_score: float,
    topic_score: float,
) -> list[tuple[Offer | Topic, float]]:
    if offer_score >= topic_score:
        return [*sold, *told]
    if offer_score > topic_score * 0.75 and sold:
        return [*told[:1], *sold, *told[1:]]
    return [*told, *sold]


def _offer_score(found: Found, slots: Slots, reading: Reading) -> float:
    if not found.offers:
        return 0.0
    if slots.offer_word and not (reading.senses - _ABOUT_OFFERS or reading.unknown or slots.has_figures):
        return CONFIDENT  # "vos forfaits ?"
    score = found.weight
    if slots.offer_word and found.weight != _OFFER_WORD:
        score += _OFFER_WORD
    if slots.cheapest or slots.biggest or slots.longest:
        score += 0.5
    if slots.night and slots.services and reading.senses & _ABOUT_HOURS == {"horaire"}:
        score += _WINDOW
    if not (slots.services or slots.unlimited or slots.night or slots.offer_word) and slots.data is None:
        score -= 0.3 if slots.minutes is None else 0.0
    if not (slots.has_figures or slots.offer_word) and (
        "usage" in reading.senses or not reading.senses & _SERVICES
    ):
        score -= 0.3  # a unit or the name of an application alone
    return score
