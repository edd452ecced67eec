"""From a question and its history to the passages an answer may rest on. Pure CPU, no waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache

from domain.answers import Utterance
from rag.catalogue import Catalogue, Offer
from rag.embeddings import Vectors
from rag.knowledge import Topic, topic_passage
from rag.lexicon import Lexicon, Reading
from rag.offer_index import Found, OfferIndex
from rag.passages import Passage, offer_passage, read_facts
from rag.slot_reading import read_slots
from rag.slots import Slots
from rag.topic_index import TopicIndex

CONFIDENT = 1.0  # score from which an answer is given without doubt
DOUBTFUL = 0.6  # below this nothing fits at all
_PREVIOUS_TOPIC = 0.8  # what a follow-up adds to the topic talked about before
_STANDALONE = 2.2  # a topic found this surely needs no history
_CODE_QUOTED = 1.9  # what a code quoted in the question adds to the topics that hold it
_STRANGE = 0.08  # each word nobody knows makes a weak match less sure
_OFFER_WORD = 0.7
_WINDOW = 0.8  # the hours of the night asked for are those of the offer, not of the shops
_ABOUT_HOURS = frozenset({"horaire", "serviceclient"})
_SHORT = 4  # a question of so few words leans on what was said before
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
        "salut",
        "merci",
        "airtel",
        "suite",
        "ou",
    )
)
_FOLLOWS = frozenset({"suite"})


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What was found, best first.

    `normalised` reads the same for questions of the same meaning (a cache key); `inherited` when the history
    changed the result; `confident` False when nothing surely fits; `exact` False when a wish was relaxed.
    """

    passages: tuple[Passage, ...]
    slots: Slots
    normalised: str
    inherited: bool
    confident: bool
    exact: bool = True
    score: float = 0.0
    total_offers: int = 0
    imported: bool = False  # the best topic has no keywords: its words were found in a document
    reading: Reading = field(default_factory=lambda: Reading((), frozenset()))

    @property
    def plausible(self) -> bool:
        """Whether something may fit, though not surely."""
        return self.score >= DOUBTFUL and bool(self.passages)


@dataclass(frozen=True, slots=True)
class _Past:
    """What the talk was about: slots, senses, topics with their weight."""

    slots: Slots = field(default_factory=Slots)
    senses: frozenset[str] = frozenset()
    boosts: Mapping[str, float] = field(default_factory=dict)


class Retriever:
    """Searches one version of the knowledge. Immutable; a reload builds another."""

    def __init__(
        self,
        catalogue: Catalogue,
        topics: Sequence[Topic],
        lexicon: Lexicon,
        *,
        today: Callable[[], date] = date.today,
        max_age_days: int = 365,
    ) -> None:
        self.lexicon = lexicon
        self._catalogue = catalogue
        self._topics = {topic.id: topic for topic in topics}
        self._offer_index = OfferIndex(catalogue.offers)
        self._topic_index = TopicIndex(topics, lexicon)
        self._today = today
        self._max_age = max_age_days
        self._passages: dict[tuple[str, bool], Passage] = {}
        # A turn searches twice for the same: before the canned answers, and for its own.
        self._found = lru_cache(maxsize=64)(self._find)
        self.vectors: Vectors | None = None  # attached once computed; without them nothing is fused
        self._codes = catalogue.codes() | {code for topic in topics for code in topic.codes}

    def find(
        self,
        text: str,
        history: Sequence[Utterance] = (),
        *,
        limit: int = 5,
        vector: Sequence[float] | None = None,
    ) -> Retrieval:
        """The passages that answer `text`, given what was said before (oldest first)."""
        if vector is not None and self.vectors is not None:
            return self._find(text, tuple(history), limit, self._today(), self.vectors.gains(vector))
        return self._found(text, tuple(history), limit, self._today())

    def _find(
        self,
        text: str,
        history: tuple[Utterance, ...],
        limit: int,
        today: date,
        gains: Mapping[str, float] | None = None,
    ) -> Retrieval:
        reading = self.lexicon.read(text)
        own = self._search(reading, read_slots(reading), _Past(), limit, today, gains)
        if not history or self._stands_alone(reading, own):
            return own
        past = self._past(history, today)
        merged = self._search(reading, own.slots.inherit(past.slots), past, limit, today, gains)
        if merged.score < own.score or not merged.passages:
            return own
        same = [p.id for p in merged.passages] == [p.id for p in own.passages]
        return replace(merged, inherited=not same)

    def get(self, passage_id: str) -> Passage | None:
        """One passage by id or alias."""
        if (offer := self._catalogue.get(passage_id)) is not None:
            return self._of_offer(offer)
        topic = self._topics.get(passage_id)
        return self._of_topic(topic) if topic is not None else None

    def texts(self) -> dict[str, str]:
        """What each topic's vector is made of."""
        return {t.id: "\n".join((t.title, *t.questions, t.text)) for t in self._topics.values()}

    def codes(self) -> frozenset[str]:
        """Every true code."""
        return self._codes

    @property
    def hoaxes(self) -> Mapping[str, str]:
        """Codes that hoaxes spread, and what they pretend."""
        return self.lexicon.hoaxes

    def _search(
        self,
        reading: Reading,
        slots: Slots,
        past: _Past,
        limit: int,
        today: date,
        gains: Mapping[str, float] | None,
    ) -> Retrieval:
        offers = self._offer_index.find(slots, today, limit)
        offer_score = _offer_score(offers, slots, reading)
        boosts = Counter(past.boosts)
        boosts.update(gains or {})
        boosts.update(self._quoted(reading))
        topics = self._topic_index.find(reading, past.senses, today, boosts)
        topic_score = topics[0][1] if topics else 0.0
        told = [(self._of_topic(t), score) for t, score in topics[:limit] if score > 0.3]
        sold = [(self._of_offer(o), offer_score) for o in offers.offers]
        if offer_score >= topic_score:
            ranked = [*sold, *told]
        elif offer_score > topic_score * 0.75 and sold:
            ranked = [*told[:1], *sold, *told[1:]]
        else:
            ranked = [*told, *sold]
        best = max(offer_score, topic_score)
        return Retrieval(
            passages=tuple(replace(passage, score=score) for passage, score in ranked[:limit]),
            slots=slots,
            normalised=_normalised(reading),
            inherited=False,
            confident=best >= CONFIDENT + _STRANGE * min(len(reading.unknown), 5),
            exact=offers.exact,
            score=best,
            total_offers=offers.total,
            imported=bool(topics) and not topics[0][0].keywords,
            reading=reading,
        )

    def _quoted(self, reading: Reading) -> dict[str, float]:
        codes = set(reading.codes)
        return {t.id: _CODE_QUOTED for t in self._topics.values() if codes & set(t.codes)}

    def _stands_alone(self, reading: Reading, own: Retrieval) -> bool:
        if not own.confident:
            return False
        topic = own.passages[0].kind == "topic" and own.score >= _STANDALONE
        if topic and not reading.senses & _FOLLOWS:
            return True
        return not self._follows(reading, own.slots)

    def _follows(self, reading: Reading, slots: Slots) -> bool:
        """Whether a question leans on what was said before."""
        if reading.senses & _FOLLOWS:
            return True
        content = [w for w in reading.words if w.senses or not w.known or w.number is not None]
        if len(content) <= _SHORT and not (slots.services or slots.unlimited):
            return True
        if len(content) < _SHORT and not slots.has_figures:
            return True
        return slots.has_figures and not (slots.services or slots.unlimited or slots.data or slots.minutes)

    def _past(self, history: Sequence[Utterance], today: date) -> _Past:
        slots = Slots()
        senses: frozenset[str] = frozenset()
        boosts: dict[str, float] = {}
        for line in history[-12:]:
            reading = self.lexicon.read(line.text)
            if line.role != "user":
                slots = self._hinted(slots, line.text, reading)
                continue
            own = read_slots(reading)
            follows = self._follows(reading, own)
            slots = own.inherit(slots) if follows else own
            found = self._search(
                reading, own, _Past(senses=senses if follows else frozenset()), 2, today, None
            )
            top = [p for p in found.passages[:1] if p.kind == "topic" and found.score >= DOUBTFUL]
            senses = (senses | reading.senses) if follows else reading.senses
            boosts = {p.id: _PREVIOUS_TOPIC for p in top} or ({} if found.confident else boosts)
        return _Past(slots, senses, boosts)

    def _hinted(self, slots: Slots, text: str, reading: Reading) -> Slots:
        """The slots with what the bot talked about."""
        facts = read_facts(text)
        hinted = tuple(
            o.id
            for o in self._offer_index.offers_at(facts.prices)
            if (o.validity_hours in facts.validities)
            and (not o.data_mb or o.data_mb in facts.volumes)
            and (o.data_mb or o.minutes & facts.minutes or not o.minutes)
        )
        return replace(slots, hint_offers=hinted[:5], hint_validity=read_slots(reading).validity)

    def _of_offer(self, offer: Offer) -> Passage:
        fresh = offer.is_fresh(self._today(), self._max_age)
        if (offer.id, fresh) not in self._passages:
            self._passages[offer.id, fresh] = offer_passage(offer, fresh=fresh)
        return self._passages[offer.id, fresh]

    def _of_topic(self, topic: Topic) -> Passage:
        fresh = topic.is_fresh(self._today(), self._max_age)
        if (topic.id, fresh) not in self._passages:
            self._passages[topic.id, fresh] = topic_passage(topic, fresh=fresh)
        return self._passages[topic.id, fresh]


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


def _normalised(reading: Reading) -> str:
    """Senses, figures and unknown words, in order: words of no meaning and spellings fall away."""
    parts: list[str] = []
    for word in reading.words:
        if word.number is not None:
            parts.append(f"{word.number:g}")
        elif word.senses:
            parts.append("+".join(word.senses))
        elif not word.known:
            parts.append(word.text)
    return " ".join((*parts, *reading.codes))
