"""Number words of four languages as figures."""

from __future__ import annotations

import pytest

from rag.lexicon_files import read_numbers
from rag.normalise import tokenise
from rag.numbers import NumberReader
from tests.unit.rag.knowledge_base import DATA

UNITS = frozenset({"giga", "minti", "mo", "dala", "jikka", "francs", "minutes", "heures", "miniti"})


@pytest.fixture(scope="module")
def reader() -> NumberReader:
    return NumberReader(read_numbers(DATA / "lexicon" / "numbers.csv"), UNITS)


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("mille cinq cents francs", ["1500"]),
        ("quatre vingt dix francs", ["90"]),
        ("dix mille francs", ["10000"]),
        ("deux mille", ["2000"]),
        ("five hundred francs", ["500"]),
        ("ten thousand", ["10000"]),
        ("dala arba'in", ["40"]),
        ("dala dari biyu da hamsin", ["250"]),
        ("minti dari da ashirin", ["120"]),
        ("giga goma sha shida", ["16"]),
        ("giga sha biyu", ["12"]),
        ("jikka daya da rabi", ["1.5"]),
        ("dubu daya da dari biyar", ["1500"]),
        ("dubu daya da rabi", ["1500"]),
        ("dala zangu hinka", ["200"]),
        ("dala waranka", ["20"]),
        ("giga way cindi iddu", ["16"]),
        ("zambar fo", ["1000"]),
        ("miliyan", []),
        ("un ami", []),
        ("neuf", []),
    ],
)
def test_words_become_figures(reader: NumberReader, text: str, figures: list[str]) -> None:
    assert [t for t in reader.replace(tokenise(text)) if t[0].isdigit()] == figures


def test_two_numbers_in_a_row_stay_two(reader: NumberReader) -> None:
    assert reader.replace(["biyu", "uku"]) == ["2", "3"]
    assert reader.replace(["deux", "trois"]) == ["2", "3"]
