"""Lexical rankers."""

from __future__ import annotations

from rag.lexical import Examples, Texts


def test_a_document_with_all_rare_words_gets_most() -> None:
    texts = Texts([{"sim": 3, "prix": 1}, {"solde": 3, "prix": 1}, {"reseau": 2}])
    shares = texts.shares(frozenset({"sim", "prix"}))
    assert shares[0] > shares[1] > 0
    assert 2 not in shares
    assert all(0 <= share <= 1 for share in shares.values())


def test_words_nobody_holds_lower_the_share() -> None:
    texts = Texts([{"sim": 1}, {"solde": 1}])
    assert texts.shares(frozenset({"sim", "autre"}))[0] < texts.shares(frozenset({"sim"}))[0]


def test_nothing_to_search_finds_nothing() -> None:
    assert Texts([]).shares(frozenset({"sim"})) == {}
    assert Texts([{"sim": 1}]).shares(frozenset()) == {}
    assert Examples([], frozenset()).likeness(frozenset({"sim"})) == {}


def test_the_best_example_of_a_label_counts_and_light_words_do_not() -> None:
    told = [
        (0, frozenset({"sim", "combien"})),
        (0, frozenset({"puce"})),
        (1, frozenset({"solde", "combien"})),
    ]
    examples = Examples(told, frozenset({"combien"}))
    likeness = examples.likeness(frozenset({"sim", "combien"}))
    assert likeness[0] > 0.99
    assert likeness[0] > 3 * likeness[1]
    assert examples.likeness(frozenset({"combien"})) == {}
