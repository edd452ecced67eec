"""Vectors of topics: computed once, ranked by likeness, fused into the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from memory.opening import open_store
from rag.embeddings import Vectors, load_vectors
from rag.library import Library
from tests.unit.rag.knowledge_base import DATA, TODAY

WORDS = ("sim", "solde", "argent")


class Embedder:
    """Counts what it is asked for; a text's vector says which of three words it holds."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.asked.extend(texts)
        return [[float(word in text.lower()) for word in WORDS] for text in texts]


async def test_vectors_are_computed_once_and_kept_in_the_store(tmp_path: Path) -> None:
    embed = Embedder()
    texts: Mapping[str, str] = {"A": "la SIM", "B": "le solde"}
    async with open_store(tmp_path / "memory.db") as store:
        vectors = await load_vectors(texts, store.notes, embed, model="m")
        assert list(vectors.gains([1.0, 0.0, 0.0])) == ["A"]
        await load_vectors({**texts, "C": "argent"}, store.notes, embed, model="m")
        assert embed.asked == ["la SIM", "le solde", "argent"]
        await load_vectors({"C": "argent"}, store.notes, embed, model="m")
        assert len(await store.notes.items("embeddings:m")) == 1
        await load_vectors({"C": "argent"}, store.notes, embed, model="other")
    assert embed.asked.count("argent") == 2


def test_gains_fall_with_the_rank_and_need_likeness() -> None:
    vectors = Vectors({"A": [1, 0, 0], "B": [1, 1, 0], "C": [0, 0, 1], "Z": [0, 0, 0]})
    gains = vectors.gains([1, 0.2, 0])
    assert list(gains) == ["A", "B"]
    assert gains["A"] > gains["B"] > 0
    assert len(vectors) == 3
    assert vectors.gains([1, 0]) == {}
    assert vectors.gains([0, 0, 0]) == {}


@pytest.mark.parametrize(("vector", "first"), [([1.0, 0.0], "T-SIM"), ([0.0, 1.0], "T-SOLDE")])
def test_a_question_of_unknown_words_is_found_by_its_vector(vector: list[float], first: str) -> None:
    retriever = Library.load(DATA, today=lambda: TODAY).retriever
    assert not retriever.find("zorglub frobniz").plausible
    retriever.vectors = Vectors({"T-SIM": [1.0, 0.0], "T-SOLDE": [0.0, 1.0]})
    found = retriever.find("zorglub frobniz", vector=vector)
    assert found.passages[0].id == first
    assert found.plausible
    assert not found.confident
    assert not retriever.find("zorglub frobniz").plausible
