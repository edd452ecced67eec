"""Which figure is what, and what a follow-up inherits."""

from __future__ import annotations

import pytest

from rag.slot_reading import read_slots
from rag.slots import Bound, Slots
from tests.unit.rag.knowledge_base import shipped

LEXICON = shipped().lexicon


def slots(text: str) -> Slots:
    return read_slots(LEXICON.read(text))


@pytest.mark.parametrize(
    ("text", "price", "validity", "data", "minutes"),
    [
        ("data à 1000 F, valable sept jours", 1000, 168, None, None),
        ("1h net 350f", 350, 1, None, None),
        ("pass internet d'une heure à 200", 200, 1, None, None),
        ("jve 125mega c combien", None, None, 125, None),
        ("1,2 go la nuit", None, None, 1200, None),
        ("75 minutes tous réseaux", None, None, None, 75),
        ("Giga biyar na sati nawa ne?", None, 168, 5000, None),
        ("mako daya giga uku", None, 168, 3000, None),
        ("gb 3 semaine", None, 168, 3000, None),
        ("dala arba'in data", 200, None, None, None),
        ("jikka daya da rabi kira na wata", 1500, 720, None, None),
        ("Dala zangu internet jirbi iyye", 500, 168, None, None),
        ("200f 1h konecté", 200, 1, None, None),
        ("naviguer soixante minutes", None, 1, None, None),
        ("forfait 5g semaine", None, 168, 5000, None),
        ("la 4G à Zinder", None, None, None, None),
        ("five hundred francs for a day of internet", 500, 24, None, None),
    ],
)
def test_figures_find_their_unit(
    text: str, price: int | None, validity: int | None, data: int | None, minutes: int | None
) -> None:
    found = slots(text)
    assert (found.price, found.validity, found.data, found.minutes) == (price, validity, data, minutes)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("internet à moins de 500 F", Bound.BELOW),
        ("internet sans dépasser 500 F", Bound.AT_MOST),
        ("au moins 500 F", Bound.AT_LEAST),
        ("internet 500 F", Bound.EXACT),
        ("data under 500 francs", Bound.BELOW),
        ("internet de plus de 500 F", Bound.ABOVE),
    ],
)
def test_bounds(text: str, bound: Bound) -> None:
    assert slots(text).price_bound is bound


def test_kinds_are_read_in_every_language() -> None:
    assert slots("kira mara iyaka").unlimited
    assert slots("internet ciini").night
    assert slots("cheapest data").cheapest
    assert slots("le plus gros forfait internet").biggest
    assert slots("appels tt rezo").all_networks
    assert slots("forfait net + apel").services == {"internet", "appel"}


def test_a_follow_up_keeps_what_it_does_not_say() -> None:
    before = slots("pass internet 500 F semaine")
    after = slots("et à 1000 francs ?").inherit(before)
    assert (after.price, after.validity, after.services) == (1000, 168, frozenset({"internet"}))


def test_a_new_validity_only_prefers_the_old_price() -> None:
    after = slots("et pour un mois ?").inherit(slots("internet 500 F semaine"))
    assert (after.price, after.hint_price, after.validity) == (None, 500, 720)
    assert after.services == {"internet"}


def test_cheaper_means_below_the_price_told_before() -> None:
    after = slots("moins cher ?").inherit(slots("internet 2000 F semaine"))
    assert (after.price, after.price_bound, after.validity) == (2000, Bound.BELOW, 168)


def test_calls_by_night_stay_by_night_when_the_length_changes() -> None:
    assert slots("et pour un mois ?").inherit(slots("appels de nuit 500 F")).night
    assert not slots("et pour un mois ?").inherit(slots("internet de nuit 500 F")).night


@pytest.mark.parametrize(
    "text",
    ["valable combien de jours ?", "cb de jr", "how many days?", "data ta kwana nawa", "jirbi marge no"],
)
def test_a_length_that_is_asked_is_not_told(text: str) -> None:
    assert slots(text).validity is None


def test_a_question_about_the_length_keeps_the_whole_offer() -> None:
    after = slots("c'est valable combien de jours ?").inherit(slots("illimité à 3000 F"))
    assert (after.price, after.unlimited) == (3000, True)


@pytest.mark.parametrize("text", ["2000 F, semaine ou mois ?", "2000 francs, weekly or monthly internet?"])
def test_lengths_to_choose_from(text: str) -> None:
    assert slots(text).validities == (168, 720)


def test_services_to_choose_from() -> None:
    assert slots("500 F appel ou internet").any_service
    assert not slots("500 F appel et internet").any_service


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("appels 48 heures sans internet", "internet"),
        ("internet uniquement, 10000 F", "appel"),
        ("calls without data", "internet"),
        ("only calls", "internet"),
    ],
)
def test_a_service_refused(text: str, without: str) -> None:
    read = slots(text)
    assert read.without == {without}
    assert without not in read.services


def test_hours_of_calls_are_minutes_and_hours_of_the_night_are_no_length() -> None:
    assert (slots("une heure d'appel").minutes, slots("une heure d'appel").validity) == (60, None)
    assert slots("internet une heure").validity == 1
    assert slots("10 go de minuit à 5h").validity is None


def test_a_range_and_a_shared_unit() -> None:
    read = slots("entre 2000 et 5000 F pour internet")
    assert (read.price_bound, read.prices) == (Bound.BETWEEN, (2000, 5000))
    assert slots("2000 ou 5000 F").prices == (2000, 5000)


def test_unlimited_sms_beside_counted_minutes() -> None:
    assert slots("1000 minutes et sms illimités").unlimited_sms
    assert not slots("appels et sms illimités").unlimited_sms
