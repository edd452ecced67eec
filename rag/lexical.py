"""Two lexical rankers over weighted terms: BM25 for texts, likeness for example questions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

_K1 = 1.2
_B = 0.6
_LIGHT = 0.2


class Texts:
    """BM25 over documents of counted terms; the result is a share of what a perfect document would get."""

    def __init__(self, documents: Sequence[Mapping[str, int]]) -> None:
        lengths = [sum(document.values()) for document in documents]
        mean = sum(lengths) / len(documents) if documents else 1.0
        counts: dict[str, list[tuple[int, int]]] = {}
        for i, document in enumerate(documents):
            for term, count in document.items():
                counts.setdefault(term, []).append((i, count))
        self._rarest = math.log(1 + len(documents))
        self._weights = {
            term: math.log(1 + (len(documents) - len(hits) + 0.5) / (len(hits) + 0.5))
            for term, hits in counts.items()
        }
        # What each term adds to each document that holds it.
        self._postings = {
            term: [(i, self._weights[term] * _saturated(count, lengths[i] / mean)) for i, count in hits]
            for term, hits in counts.items()
        }

    def shares(self, terms: frozenset[str]) -> dict[int, float]:
        """Document to share, 0 to 1. Terms no document holds count against all."""
        scores: dict[int, float] = {}
        for term in terms:
            for i, gain in self._postings.get(term, ()):
                scores[i] = scores.get(i, 0.0) + gain
        ceiling = sum(self._weights.get(term, self._rarest) for term in terms) * (_K1 + 1) * 0.7
        return {i: min(1.0, score / ceiling) for i, score in scores.items()} if ceiling else {}


def _saturated(count: int, length: float) -> float:
    """What `count` times a term is worth in a document of that length, of the mean."""
    return count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * length))


class Examples:
    """Likeness of a question to labelled example questions: the best example of each label counts.

    `light` terms ("how", "how much") alone make no two questions alike.
    """

    def __init__(self, examples: Iterable[tuple[int, frozenset[str]]], light: frozenset[str]) -> None:
        told = [(label, terms) for label, terms in examples if terms]
        self._light = light
        self._labels = [label for label, _ in told]
        self._postings: dict[str, list[int]] = {}
        for i, (_, terms) in enumerate(told):
            for term in terms:
                self._postings.setdefault(term, []).append(i)
        self._rarest = math.log(1 + len(told))
        self._weights = {
            term: math.log(1 + len(told) / len(hits)) * (_LIGHT if term in light else 1.0)
            for term, hits in self._postings.items()
        }
        self._norms = [sum(self._weights[term] for term in terms) for _, terms in told]

    def likeness(self, terms: frozenset[str]) -> dict[int, float]:
        """Label to likeness, 0 to 1."""
        shared: dict[int, float] = {}
        if not terms - self._light:
            return {}
        for term in terms:
            for i in self._postings.get(term, ()):
                shared[i] = shared.get(i, 0.0) + self._weights[term]
        norm = sum(self._weights.get(term, self._rarest) for term in terms)
        best: dict[int, float] = {}
        for i, weight in shared.items():
            value = weight / math.sqrt(norm * self._norms[i])
            if value > best.get(self._labels[i], 0.0):
                best[self._labels[i]] = value
        return best
