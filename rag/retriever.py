"""From a question and its history to the passages an answer may rest on. Pure CPU, no waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from domain import niger
from domain.answers import Utterance
from rag.catalogue import Catalogue, Offer
from rag.embeddings import Vectors
from rag.knowledge import Topic, topic_passage
from rag.lexicon import Lexicon, Reading
from rag.offer_index import OfferIndex
from rag.passages import Passage, offer_passage
from rag.ranking import NOTHING_SAID, Ranked, Ranking
from rag.slots import Slots
from rag.talk import DOUBTFUL, Line, Talk


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What was found, best first, each passage with its score.

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
    scores: tuple[float, ...] = ()
    total_offers: int = 0
    imported: bool = False  # the best topic has no keywords: its words were found in a document
    reading: Reading = field(default_factory=lambda: Reading((), frozenset()))

    @property
    def plausible(self) -> bool:
        """Whether something may fit, though not surely."""
        return self.score >= DOUBTFUL and bool(self.passages)


class Retriever:
    """Searches one version of the knowledge. Immutable; a reload builds another."""

    def __init__(
        self,
        catalogue: Catalogue,
        topics: Sequence[Topic],
        lexicon: Lexicon,
        *,
        today: Callable[[], date] = niger.today,
        max_age_days: int = 365,
    ) -> None:
        self.lexicon = lexicon
        self._catalogue = catalogue
        self._topics = {topic.id: topic for topic in topics}
        offers = OfferIndex(catalogue.offers)
        self._ranking = Ranking(offers, topics, lexicon)
        self._talk = Talk(lexicon, self._ranking, offers)
        self._today = today
        self._max_age = max_age_days
        self._passages: dict[tuple[str, bool], Passage] = {}
        # A turn searches twice for the same: before the canned answers, and for its own.
        self._found = lru_cache(maxsize=64)(self._find)
        self.vectors: Vectors | None = None  # attached once computed; without them nothing is fused
        self._codes = catalogue.codes() | {code for topic in topics for code in topic.codes}

    def find(
        self, text: str, history: Sequence[Utterance] = (), *, vector: Sequence[float] | None = None
    ) -> Retrieval:
        """The passages that answer `text`, given what was said before (oldest first)."""
        if vector is not None and self.vectors is not None:
            return self._find(text, tuple(history), self._today(), self.vectors.gains(vector))
        return self._found(text, tuple(history), self._today())

    def _find(
        self,
        text: str,
        history: tuple[Utterance, ...],
        today: date,
        gains: Mapping[str, float] | None = None,
    ) -> Retrieval:
        line = self._talk.line(text, today)
        if gains:
            found = self._ranking.search(line.reading, line.slots, NOTHING_SAID, today, gains)
            line = line._replace(found=found)
        if not history or line.stands_alone:
            return self._retrieval(line, line.found, today)
        past = self._talk.past(history, today)
        slots = line.slots if line.names_topic else line.slots.inherit(past.slots)
        merged = self._ranking.search(line.reading, slots, past, today, gains)
        if merged.score < line.found.score or not merged.hits:
            return self._retrieval(line, line.found, today)
        return self._retrieval(line, merged, today)

    def _retrieval(self, line: Line, found: Ranked, today: date) -> Retrieval:
        named = [hit.id for hit, _ in found.hits]
        return Retrieval(
            passages=tuple([self._passage(hit, today) for hit, _ in found.hits]),
            slots=found.slots,
            normalised=_normalised(line.reading),
            inherited=named != [hit.id for hit, _ in line.found.hits],
            confident=found.confident,
            exact=found.exact,
            score=found.score,
            scores=tuple([score for _, score in found.hits]),
            total_offers=found.total_offers,
            imported=found.imported,
            reading=line.reading,
        )

    def get(self, passage_id: str) -> Passage | None:
        """One passage by id or alias."""
        named = self._catalogue.get(passage_id) or self._topics.get(passage_id)
        return None if named is None else self._passage(named, self._today())

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

    def _passage(self, source: Offer | Topic, today: date) -> Passage:
        fresh = source.is_fresh(today, self._max_age)
        if (known := self._passages.get((source.id, fresh))) is not None:
            return known
        if isinstance(source, Topic):
            passage = topic_passage(source, fresh=fresh)
        else:
            passage = offer_passage(source, fresh=fresh)
        self._passages[source.id, fresh] = passage
        return passage


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
