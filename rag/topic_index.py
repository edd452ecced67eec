"""Finds topics: keywords of senses asked together, and BM25 over titles, example questions and texts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache

import snowballstemmer  # type: ignore[import-untyped]  # ships no types

from rag.knowledge import Topic
from rag.lexicon import Lexicon, Reading

_K1 = 1.2
_B = 0.6
_LEXICAL_GAIN = 0.3  # how much a perfect lexical match strengthens keywords
_LEXICAL_MOST = 0.6  # what it is worth where no keyword matched
_SENTENCES = (1.0, 0.35, 0.15)  # a topic's second and third keyword count less
_LEXICAL_ALONE = 1.9  # for topics without keywords, such as imported files
INHERITED = 0.5  # weight of a sense that only the history names


class TopicIndex:
    """All topics, searchable by senses and words. Immutable."""

    def __init__(self, topics: Sequence[Topic], lexicon: Lexicon) -> None:
        self._topics = tuple(topics)
        self._stem = lru_cache(maxsize=8192)(snowballstemmer.stemmer("french").stemWord)
        self._keywords: dict[str, list[tuple[int, tuple[str, ...], float]]] = {}
        for i, topic in enumerate(topics):
            for keyword in topic.keywords:
                self._keywords.setdefault(keyword.senses[0], []).append((i, keyword.senses, keyword.weight))
        documents = [self._document(topic, lexicon) for topic in topics]
        self._lengths = [sum(d.values()) for d in documents]
        self._mean = (sum(self._lengths) / len(documents)) if documents else 1.0
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for i, document in enumerate(documents):
            for term, count in document.items():
                self._postings.setdefault(term, []).append((i, count))
        self._idf = {
            term: math.log(1 + (len(documents) - len(hits) + 0.5) / (len(hits) + 0.5))
            for term, hits in self._postings.items()
        }

    def __len__(self) -> int:
        return len(self._topics)

    def find(
        self, reading: Reading, inherited: frozenset[str], today: date, boosts: Mapping[str, float]
    ) -> list[tuple[Topic, float]]:
        """Topics with a score above zero, best first."""
        scores = self._by_keywords(reading.senses, inherited)
        lexical = self._lexical(self._terms(reading))
        best = max(lexical.values(), default=0.0)
        ceiling = max(self._ceiling(reading), 1e-9)
        for i, value in lexical.items():
            share = (value / best) * min(1.0, best / ceiling)
            if i in scores:
                scores[i] *= 1 + _LEXICAL_GAIN * share
            else:
                scores[i] = share * (_LEXICAL_MOST if self._topics[i].keywords else _LEXICAL_ALONE)
        for i, topic in enumerate(self._topics):
            if topic.id in boosts:
                scores[i] = scores.get(i, 0.0) + boosts[topic.id]
        found = [(self._topics[i], score) for i, score in scores.items() if self._topics[i].current(today)]
        return sorted(found, key=lambda pair: (-pair[1], pair[0].id))

    def _by_keywords(self, own: frozenset[str], inherited: frozenset[str]) -> dict[int, float]:
        matched: dict[int, list[float]] = {}
        for sense in own | inherited:
            for i, senses, weight in self._keywords.get(sense, ()):
                if not all(s in own or s in inherited for s in senses):
                    continue
                foreign = sum(s not in own for s in senses)
                factor = 1.0 if not foreign else INHERITED * (1.0 if foreign < len(senses) else 0.6)
                matched.setdefault(i, []).append(weight * factor)
        return {i: _falling(weights) for i, weights in matched.items()}

    def _document(self, topic: Topic, lexicon: Lexicon) -> Counter[str]:
        counts: Counter[str] = Counter()
        for text, weight in ((topic.title, 3), *((q, 2) for q in topic.questions), (topic.text, 1)):
            for token in lexicon.senses_of(text):
                counts[self._stem(token)] += weight
        return counts

    def _terms(self, reading: Reading) -> frozenset[str]:
        words = (w.senses or ((w.text,) if not w.known else ()) for w in reading.words)
        return frozenset(self._stem(token) for tokens in words for token in tokens)

    def _lexical(self, terms: frozenset[str]) -> dict[int, float]:
        scores: dict[int, float] = {}
        for term in terms:
            for i, count in self._postings.get(term, ()):
                norm = _K1 * (1 - _B + _B * self._lengths[i] / self._mean)
                gain = self._idf[term] * count * (_K1 + 1) / (count + norm)
                scores[i] = scores.get(i, 0.0) + gain
        return scores

    def _ceiling(self, reading: Reading) -> float:
        """The score of a topic that held every word asked, unknown ones as rare ones."""
        rare = math.log(1 + len(self._topics))
        return sum(self._idf.get(term, rare) * (_K1 + 1) * 0.7 for term in self._terms(reading))


def _falling(weights: Sequence[float]) -> float:
    ordered = sorted(weights, reverse=True)
    return sum(w * f for w, f in zip(ordered, _SENTENCES, strict=False))
