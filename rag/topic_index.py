"""Finds topics: senses asked together, likeness to example questions, and the words of titles and texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache

import snowballstemmer  # type: ignore[import-untyped]  # ships no types

from rag.knowledge import Topic
from rag.lexical import Examples, Texts
from rag.lexicon import COURTESIES, Lexicon, Reading

_SENTENCES = (1.0, 0.35, 0.15)  # a topic's second and third keyword count less
_LEXICAL_GAIN = 0.3  # how much a perfect lexical match strengthens keywords
_LEXICAL_MOST = 0.6  # what it is worth where no keyword matched
_LEXICAL_ALONE = 1.9  # for topics without keywords, such as imported files
_ALIKE = 0.5  # likeness to an example from which it counts
_EXAMPLE = 2.2  # what full likeness adds
# Senses that stand in questions about anything.
_LIGHT = (
    "comment combien quoi ou quand prix proche code suite activer verifier acheter jour mois semaine"
    " lieu salut merci telephone airtel horssujet appareil ville etranger pays commerce servir nuit"
    " franc services rien sans oubien entre seulement strict"
    " forfait internet appel sms illimite go mo minute usage validite"
)
INHERITED = 0.5  # weight of a sense that only the history names


class TopicIndex:
    """All topics, searchable by senses and words. Immutable."""

    def __init__(self, topics: Sequence[Topic], lexicon: Lexicon) -> None:
        self._topics = tuple(topics)
        # Most questions about offers differ by their figures alone, which no topic asks for.
        self._scores = lru_cache(maxsize=512)(self._score)
        self._current = lru_cache(maxsize=1)(self._of_today)
        self._places = {topic.id: i for i, topic in enumerate(topics)}
        self._stem = lru_cache(maxsize=8192)(snowballstemmer.stemmer("french").stemWord)
        self._keywords: dict[str, list[tuple[int, frozenset[str], float]]] = {}
        for i, topic in enumerate(topics):
            for keyword in topic.keywords:
                self._keywords.setdefault(keyword.senses[0], []).append(
                    (i, frozenset(keyword.senses), keyword.weight)
                )
        asked = [tuple(map(lexicon.read, (topic.title, *topic.questions))) for topic in topics]
        self._texts = Texts(
            [self._document(lexicon.read(t.text), told) for t, told in zip(topics, asked, strict=True)]
        )
        terms = [(i, self._terms(question)) for i, told in enumerate(asked) for question in told]
        self._examples = Examples(terms, frozenset(map(self._stem, _LIGHT.split())))

    def __len__(self) -> int:
        return len(self._topics)

    def find(
        self,
        reading: Reading,
        inherited: frozenset[str],
        today: date,
        boosts: Mapping[str, float],
        limit: int,
    ) -> list[tuple[Topic, float]]:
        """The best topics with a score above zero, best first."""
        scores = dict(self._scores(reading.senses, inherited, self._terms(reading)))
        for name, gain in boosts.items():
            if (place := self._places.get(name)) is not None:
                scores[place] = scores.get(place, 0.0) + gain
        current = self._current(today)
        ranked = sorted((-score, self._topics[i].id, i) for i, score in scores.items() if i in current)
        return [(self._topics[i], -score) for score, _, i in ranked[:limit]]

    def _score(
        self, senses: frozenset[str], inherited: frozenset[str], terms: frozenset[str]
    ) -> Mapping[int, float]:
        scores = self._by_keywords(senses, inherited)
        for i, share in self._texts.shares(terms).items():
            if i in scores:
                scores[i] *= 1 + _LEXICAL_GAIN * share
            else:
                scores[i] = share * (_LEXICAL_MOST if self._topics[i].keywords else _LEXICAL_ALONE)
        for i, likeness in self._examples.likeness(terms).items():
            if likeness > _ALIKE:
                scores[i] = scores.get(i, 0.0) + _EXAMPLE * (likeness - _ALIKE)
        return scores

    def _of_today(self, today: date) -> frozenset[int]:
        return frozenset(i for i, topic in enumerate(self._topics) if topic.current(today))

    def _by_keywords(self, own: frozenset[str], inherited: frozenset[str]) -> dict[int, float]:
        matched: dict[int, list[float]] = {}
        asked = own | inherited
        for sense in asked:
            for i, senses, weight in self._keywords.get(sense, ()):
                if senses <= own:
                    matched.setdefault(i, []).append(weight)
                elif senses <= asked:
                    factor = INHERITED * (0.6 if senses.isdisjoint(own) else 1.0)
                    matched.setdefault(i, []).append(weight * factor)
        return {i: _falling(weights) for i, weights in matched.items()}

    def _document(self, text: Reading, asked: Sequence[Reading]) -> Counter[str]:
        counts: Counter[str] = Counter()
        title, *questions = asked
        for reading, weight in ((title, 3), *((question, 2) for question in questions), (text, 1)):
            for term in self._tokens(reading):
                counts[term] += weight
        return counts

    def _terms(self, reading: Reading) -> frozenset[str]:
        return frozenset(self._tokens(reading))

    def _tokens(self, reading: Reading) -> Iterator[str]:
        """Senses, and the stems of words nobody told us about; courtesies may begin anything."""
        for word in reading.words:
            if not COURTESIES.isdisjoint(word.senses):
                continue
            for token in word.senses or ((word.text,) if not word.known else ()):
                yield self._stem(token)


def _falling(weights: Sequence[float]) -> float:
    if len(weights) == 1:
        return weights[0]
    ordered = sorted(weights, reverse=True)
    return sum(w * f for w, f in zip(ordered, _SENTENCES, strict=False))
