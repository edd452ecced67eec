"""Answers composed from rows: short, complete, codes on their own line, in four languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.embedded import MOST_CHARS, Embedded
from config.texts import Texts
from domain.answers import Answer, Origin, Utterance
from domain.messages import Language
from rag.library import Library
from rag.normalise import find_codes
from rag.retriever import Retriever
from tests.unit.rag.knowledge_base import DATA, TODAY, catalogue_text, copy_of_data, offer_row, shipped

EMBEDDED = Embedded(Texts.load(DATA / "texts"))


def answer(text: str, language: Language = Language.FRENCH, retriever: Retriever | None = None) -> Answer:
    return EMBEDDED.compose((retriever or shipped()).find(text), text, language)


def test_one_offer_tells_everything_once() -> None:
    said = answer("internet 500 F la semaine")
    assert said.text.splitlines() == [
        "500 F : 400 Mo, valable 7 jours",
        "Bonus 100 % si acheté lundi, mercredi, vendredi (valable 48h).",
        "Composez :",
        "*141*3#",
    ]
    assert (said.origin, said.answered, said.passage_ids[0]) == (Origin.EMBEDDED, True, "NET-500-7J")


def test_an_offer_with_two_codes_names_both_on_one_line() -> None:
    assert "*141*2# ou *141*2*2#" in answer("illimité 3000 F semaine").text.splitlines()


@pytest.mark.parametrize("language", list(Language))
def test_figures_stay_readable_in_every_language(language: Language) -> None:
    text = answer("illimité 3000 F semaine", language).text
    for bit in ("3000 F", "2 Go", "60 min", "*141*2#"):
        assert bit in text
    assert re.search(r"7 (jours|days)", text)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(
    "question",
    [
        *("forfaits internet", "forfait 500 F", "appels", "internet semaine", "illimité", "forfait"),
        *(
            "plafond airtel money",
            "frais de retrait",
            "envoyer de l'argent",
            "recevoir de l'étranger",
            "bonus",
        ),
    ],
)
def test_an_answer_is_short_and_never_the_whole_catalogue(question: str, language: Language) -> None:
    text = answer(question, language).text
    assert len(text) <= MOST_CHARS
    assert len(set(re.findall(r"\d+ F\b", text))) <= 8
    for line in text.splitlines():
        if find_codes(line):
            assert re.fullmatch(r"[*#\d]+( (ou|ko|wala|or) [*#\d]+)*", line), line


def test_only_true_codes_are_told() -> None:
    for question in ("forfaits", "airtel money", "solde", "illimité mois", "sim", "appeler la nuit"):
        assert set(find_codes(answer(question).text)) <= shipped().codes()


def test_a_wish_nobody_fulfils_is_said() -> None:
    assert answer("internet 7 Go").text.startswith("Pas d'offre exactement")


def test_what_nobody_knows_shows_the_way_out() -> None:
    said = answer("zzz qqq")
    assert not said.answered
    assert "121" in said.text
    assert said.passage_ids == ()


def test_a_doubtful_match_is_offered_as_a_guess_and_counts_as_unanswered() -> None:
    said = answer("commerces ?")
    assert not said.answered
    assert said.text.startswith("Je ne suis pas sûr")
    assert "121" in said.text


def test_an_old_tariff_is_dated(tmp_path: Path) -> None:
    data = copy_of_data(tmp_path)
    rows = (
        offer_row(id="OLD", price_fcfa="888", last_checked="2024-01-31"),
        offer_row(price_fcfa="777", last_checked=""),
    )
    (data / "catalogue" / "more.csv").write_text(catalogue_text(*rows), encoding="utf-8")
    retriever = Library.load(data, today=lambda: TODAY).retriever
    assert "31/01/2024" in answer("internet 888 F", retriever=retriever).text
    assert "non vérifiée" in answer("internet 777 F", retriever=retriever).text
    assert "Information" not in answer("internet 500 F semaine", retriever=retriever).text


def test_the_subscribers_words_are_never_repeated() -> None:
    assert "zorglub" not in answer("forfait internet zorglub 500 F").text


def test_a_follow_up_is_answered_in_its_context() -> None:
    talk = [Utterance("user", "illimité 24h"), Utterance("bot", "500 F : appels illimités, 24h. *141*2#")]
    found = shipped().find("et pour deux jours ?", talk)
    assert "1000 F" in EMBEDDED.compose(found, "et pour deux jours ?", Language.FRENCH).text
