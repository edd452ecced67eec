"""From a question and its history to passages."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from domain.answers import Utterance
from rag.library import Library
from rag.retriever import Retriever
from tests.unit.rag.knowledge_base import TODAY, catalogue_text, copy_of_data, offer_row, shipped


def ids(text: str, *history: str, retriever: Retriever | None = None) -> list[str]:
    talk = [Utterance("user" if i % 2 == 0 else "bot", line) for i, line in enumerate(history)]
    return [p.id for p in (retriever or shipped()).find(text, talk).passages]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Combien coûte une carte SIM ?", "T-SIM"),
        ("je veux envoyer 5000 F à ma mère par Airtel Money", "T-AM-ENVOI"),
        ("Zan iya tura kudi ga wanda bashi da Airtel Money?", "T-AM-CODE"),
        ("frai de retré", "T-AM-FRAIS"),
        ("can I move three million with Airtel Money", "T-AM-PLAFOND"),
        ("Acheter un forfait pour mon ami via Airtel Money", "T-AM-CREDIT"),
        ("La 4G à Agadez ?", "T-COUVERTURE"),
        ("bonjour, je veux 1 Go pour la semaine", "NET-1000-7J"),
        ("c'est quoi *436# ?", "T-AM-INTL-ENVOI"),
    ],
)
def test_topics_and_offers_do_not_mix_up(text: str, first: str) -> None:
    assert ids(text)[0] == first


@pytest.mark.parametrize(
    ("text", "history", "expected"),
    [
        ("Et pour un mois ?", ("Internet pour une semaine ?", "500 F : 400 Mo, 7 jours"), "NET-2000-30J"),
        ("Le code ?", ("3 Go la semaine", "2000 F : 3 Go, 7 jours"), "NET-2000-7J"),
        ("And to Burkina?", ("How can I send cash to Benin?", "Dial *436#"), "T-AM-INTL-ENVOI"),
        ("Et par mois ?", ("Quel est le plafond Airtel Money par jour ?", "2 000 000 F"), "T-AM-PLAFOND"),
        ("na wata fa?", ("Data na mako nawa?", "500 F"), "NET-2000-30J"),
    ],
)
def test_a_follow_up_leans_on_the_talk(text: str, history: tuple[str, ...], expected: str) -> None:
    assert ids(text, *history)[0] == expected


def test_a_follow_up_keeps_the_validity_of_the_offer_not_that_of_its_bonus() -> None:
    told = (
        "5000 F : 6 Go, valable 30 jours\n"
        "Bonus 100 % si acheté lundi, mercredi, vendredi (valable 7 jours).\nComposez :\n*141*3#"
    )
    assert ids("et à 2000 F ?", "5000 f internet", told)[0] == "NET-2000-30J"


@pytest.mark.parametrize("courtesy", ["", "merci, ", "ok ", "d'accord, ", "na gode, ", "saabu, ", "thanks, "])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("et mon solde ?", "T-SOLDE"),
        ("balance dina fa?", "T-SOLDE"),
        ("and my balance?", "T-SOLDE"),
        ("et la carte SIM ?", "T-SIM"),
        ("et pour recharger ?", "T-RECHARGE"),
        ("les frais de retrait ?", "T-AM-FRAIS"),
        ("et pour un mois ?", "NET-2000-30J"),
        ("et le code ?", "NET-1000-7J"),
    ],
)
def test_a_courtesy_in_front_changes_nothing(courtesy: str, text: str, expected: str) -> None:
    talk = ("Je veux 1 Go pour une semaine", "1000 F : 1 Go, 7 jours. *141*3#")
    assert ids(courtesy + text, *talk)[0] == expected


def test_a_topic_after_an_offer_still_leans_on_the_topic_before() -> None:
    talk = (
        "Le plafond Airtel Money ?",
        "2 000 000 F par jour.",
        "3 Go la semaine",
        "2000 F : 3 Go, 7 jours.",
    )
    assert ids("et le plafond par mois ?", *talk)[0] == "T-AM-PLAFOND"


def test_only_a_follow_up_is_marked_as_inherited() -> None:
    talk = [Utterance("user", "Internet pour une semaine ?"), Utterance("bot", "500 F : 400 Mo")]
    assert shipped().find("Et pour un mois ?", talk).inherited
    assert not shipped().find("Combien coûte une carte SIM neuve chez Airtel ?", talk).inherited
    assert not shipped().find("Combien coûte une carte SIM ?").inherited


def test_the_same_meaning_in_other_words_has_one_key() -> None:
    keys = {
        shipped().find(t).normalised for t in ("jve forfé net 500f", "Je veux un forfait internet à 500 F !")
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    "text", ["Qui a écrit Les Misérables ?", "asdf qwer", "", "?!?", "🙂", "How tall is the tower?"]
)
def test_what_nobody_told_us_is_not_confident(text: str) -> None:
    assert not shipped().find(text).confident


def test_aliases_codes_and_hoaxes() -> None:
    retriever = shipped()
    passage = retriever.get("APP-3000-7J-ILL")
    assert passage is not None
    assert passage.id == "ILL-3000-7J"
    assert retriever.get("NOPE") is None
    assert {"*141*3#", "*436*1*1*1#", "*121#"} <= retriever.codes()
    assert retriever.codes().isdisjoint(retriever.hoaxes)


def test_an_expired_offer_is_not_told_and_an_unchecked_one_is_marked(tmp_path: Path) -> None:
    rows = (
        offer_row(id="OLD", price_fcfa="777", valid_to="2026-11-01"),
        offer_row(id="STALE", price_fcfa="888", last_checked="2024-01-01"),
    )
    data = copy_of_data(tmp_path)
    (data / "catalogue" / "more.csv").write_text(catalogue_text(*rows), encoding="utf-8")
    retriever = Library.load(data, today=lambda: TODAY).retriever
    assert "OLD" not in ids("internet 777 F", retriever=retriever)
    (stale, *_) = retriever.find("internet 888 F").passages
    assert (stale.id, stale.fresh) == ("STALE", False)


def test_tomorrow_is_asked_again_without_a_reload(tmp_path: Path) -> None:
    data = copy_of_data(tmp_path)
    row = offer_row(id="PROMO", price_fcfa="777", valid_to="2026-11-25")
    (data / "catalogue" / "promo.csv").write_text(catalogue_text(row), encoding="utf-8")
    days = [date(2026, 11, 25)]
    retriever = Library.load(data, today=lambda: days[0]).retriever
    assert ids("internet 777 F", retriever=retriever)[0] == "PROMO"
    days[0] = date(2026, 11, 26)
    assert "PROMO" not in ids("internet 777 F", retriever=retriever)
