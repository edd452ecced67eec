"""Grounding: no invented figure passes, no true one is refused, however it is written."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.figures import read
from agent.grounding import check, inspect
from config.settings import ROOT
from rag.catalogue import Offer
from rag.library import Library
from rag.passages import Passage, offer_passage
from tests.unit.agent.drafts_of_offers import FIELDS, invented, true_claim, written

TODAY = date(2026, 11, 25)
LANGUAGES = ("fr", "ha", "en")


@pytest.fixture(scope="module")
def library() -> Library:
    return Library.load(ROOT / "data", today=lambda: TODAY)


@pytest.fixture(scope="module")
def offers(library: Library) -> list[Passage]:
    ids = ("NET-500-7J", "NET-1000-7J", "APP-500-7J", "ILL-1000-48H", "NUI-NET-500")
    return [_found(library, i) for i in ids]


def _found(library: Library, passage_id: str) -> Passage:
    passage = library.retriever.get(passage_id)
    assert passage is not None
    return passage


def _faults(draft: str, passages: list[Passage], library: Library, question: str = "") -> tuple[str, ...]:
    codes = library.retriever.codes()
    return check(draft, passages, question=question, known_codes=codes, today=TODAY)


def _sample(library: Library, rng: random.Random) -> tuple[Offer, list[Passage]]:
    """An offer, found among four others."""
    chosen = rng.sample(library.retriever._catalogue.offers, 5)
    passages = [offer_passage(o, fresh=True) for o in chosen]
    return chosen[0], passages


def test_a_thousand_true_drafts_are_let_through(library: Library) -> None:
    rng = random.Random(20261125)
    blocked = []
    for i in range(1000):
        offer, passages = _sample(library, rng)
        draft = written(true_claim(offer, rng), LANGUAGES[i % 3], rng)
        if faults := _faults(draft, passages, library):
            blocked.append((offer.id, draft, faults))
    assert blocked == []


def test_a_thousand_invented_drafts_are_refused(library: Library) -> None:
    rng = random.Random(20261126)
    leaked = []
    for i in range(1000):
        offer, passages = _sample(library, rng)
        claim = invented(true_claim(offer, rng), FIELDS[i % len(FIELDS)], rng)
        draft = written(claim, LANGUAGES[i % 3], rng)
        if not _faults(draft, passages, library, question="je veux un forfait"):
            leaked.append((offer.id, FIELDS[i % len(FIELDS)], draft))
    assert leaked == []


def test_the_price_of_one_offer_with_the_content_of_another_is_refused(library: Library) -> None:
    rng = random.Random(20261127)
    leaked = []
    for i in range(300):
        offer, passages = _sample(library, rng)
        other = next((p.offer for p in passages[1:] if p.offer and p.offer.price != offer.price), None)
        if other is None or any(
            p.offer and p.offer.price == other.price and p.offer.data_mb == offer.data_mb for p in passages
        ):
            continue
        mixed = written(replace(true_claim(offer, rng), price=other.price), LANGUAGES[i % 3], rng)
        if not _faults(mixed, passages, library):
            leaked.append((offer.id, other.id, mixed))
    assert leaked == []


@pytest.mark.parametrize("language", ["fr", "ha", "dje", "en"])
def test_every_knowledge_text_stands_on_itself(library: Library, language: str) -> None:
    for topic_id in library.retriever._topics:
        passage = _found(library, topic_id)
        assert _faults(passage.wording(language), [passage], library) == (), topic_id


@pytest.mark.parametrize(
    "draft",
    [
        "Composez *141*9#",
        "Composez ＊１４１＊９＃",
        "Composez * 1 4 1 * 9 #",
        "Composez étoile 141 étoile 9 dièse",
        "Composez étoile cent quarante et un étoile neuf dièse",
        "Dial star one four one star nine hash",
        "Composez \u2217141\u22179\u266f",
        "Composez *\u200b141\u200b*9#",
        "Composez *141*9",
        "Composez 141*9#",
        "Composez *١٤١*٩#",
        "Composez *️⃣1️⃣4️⃣1️⃣*️⃣9️⃣#️⃣",
        "Tapez le 141 puis choisissez 9",
        "Appelez le 1 5 5 5",
        "Appelez le 90 12 34 56",
        "WhatsApp : +227-90-12-34-56",
        "Le forfait coûte 450",
        "Prix : 450",
        "Il coûte quatre cent cinquante francs",
        "Il coûte ４５０ F",
        "Il coûte 4 5 0 F",
        "Il coûte dala 90",
        "Il coûte 2 euros",
        "5 Go pour vous",
        "cinq gigas pour vous",
        "1 Go et demi",
        "½ Go",
        "10G d'internet",
        "valable trois semaines",
        "valable 72h",
        "valable kwana 3",
        "bonus de 50 %",
        "bonus de cinquante pour cent",
        "45 minutes d'appel",
        "minti 45",
        "40 SMS offerts",
        "Ouvert de 7h à 19h",
        "Ouvert 24h/24",
        "Depuis le 3 mars 2024",
        "Réduction de 15 pourcent",
        "Composez étoile, un quatre un, étoile, neuf, dièse",
        "Composez étoile 141 étoile 9 croisillon",
        "Composez étoile 141\nétoile 9 dièse",
        "Composez &#42;141&#42;9&#35;",
        "Composez *l41*9#",
        "Appelez le neuf zéro un deux trois quatre cinq six",
        "Appelez le 9-0-1-2-3-4-5-6",
        "Il coûte 5OO F",
        "un demi giga",
        "Forfait hebdomadaire : 1,2 Go à 500 F",
        "Monthly bundle: 400 MB for 500 F",
        "400 Mo à 500 F pendant une quinzaine",
        "400 Mo et appels illimités à 500 F",
        "Valable jusqu'au 31 décembre",
        "9" * 5000,
        f".{'9' * 400} mille",
        "1 000 000 000 000 000 F",
        "Il coûte 1.5 million de francs",
        "Tapez 555",
        "Composez le 141 puis le 7",
        "Il coûte jikka hudu",
        "zangu taaci F",
        "Prix: ５００ euros",
    ],
)
def test_what_stands_nowhere_is_refused(draft: str, offers: list[Passage], library: Library) -> None:
    assert _faults(draft, offers, library)


@pytest.mark.parametrize(
    "draft",
    [
        "400 Mo pour 500 F, valable 7 jours.\n*141*3#",
        "Pour 500 F : 400 Mo d'internet ou 75 minutes d'appel, 7 jours.",
        "Le forfait à 500 F donne 400 Mo, celui à 1000 F donne 1 Go, les deux pendant une semaine.",
        "Trois forfaits conviennent, de 500 à 1 000 F.",
        "1. 400 Mo à 500 F\n2. 1 Go à 1000 F\nCode : *141*3#",
        "* 400 Mo à 500 F\n* 1 Go à 1000 F",
        "**500 F** : *400 Mo*, `*141*3#`",
        "De minuit à 5h : 1,2 Go à 500 F",
        "Bonus de 100 % le lundi, valable 48h.",
        "Tarif vérifié le 22/11/2026 : 400 Mo à 500 F",
        "Le réseau 4G couvre la ville.",
        "SMS illimités et appels illimités vers Airtel, 500 Mo, 48h : 1000 F",
        "Je n'ai pas trouvé.",
        "Forfait hebdomadaire à 500 F : 400 Mo",
        "Weekly bundle: 400 MB for 500 F",
        "Nous avons des forfaits illimités, internet et de nuit.",
        "Pas d'appels illimités à 500 F pour 7 jours.",
        "Étoile, cent quarante et un, étoile, trois, dièse",
        "ETOILE 141 ETOILE 3 CROISILLON",
        "Le forfait de cinq cents francs vous donne quatre cents mégas pour sept jours",
        "Volume : 400 Mo\nValidité : 7 jours\nPrix : 500 F\n\nVolume : 1 Go\nDurée : 7 jours\nPrix : 1000 F",
        "500 F\n400 Mo\n7 jours\n\n1000 F\n1 Go\n7 jours",
        "",
    ],
)
def test_what_the_records_say_is_let_through(draft: str, offers: list[Passage], library: Library) -> None:
    assert _faults(draft, offers, library) == ()


@pytest.mark.parametrize(
    ("question", "draft", "grounded"),
    [
        ("j'ai 700 F", "Avec vos 700 F, prenez 400 Mo à 500 F.", True),
        ("j'ai 700 F", "Avec 700 F : 400 Mo à 500 F, 7 jours.", True),
        ("j'ai 700 F", "400 Mo à 700 F, 7 jours.", False),
        ("j'ai 700 F", "Prenez 400 Mo avec vos 700 F.", True),
        ("ina da 700 F", "Za ka samu 400 Mo da 700 F", False),
        ("ina da 700 F", "Da 700 F, za ka iya sayen 400 Mo na 500 F", True),
        ("10 Go à 700 F ?", "Il n'y a pas de forfait de 10 Go à 700 F.", True),
        ("10 Go à 700 F ?", "Oui, 10 Go à 700 F.", False),
        ("10 Go à 700 F ?", "Vous voulez 10 Go à 700 F : composez *141*3#", False),
        ("10 Go da 700 F ?", "Ga 10 Go na 700 F, danna *141*3#", False),
        ("*150# c'est vrai ?", "Non, *150# n'existe pas.", False),
        ("*121# c'est vrai ?", "Oui, *121# est vrai.", True),
        ("mon numéro est le 90123456", "Appelez le 90123456", False),
    ],
)
def test_what_the_subscriber_said(
    question: str, draft: str, grounded: bool, offers: list[Passage], library: Library
) -> None:
    assert (_faults(draft, offers, library, question) == ()) is grounded


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("0159 *#.,-'éFGoxh\n٣９😀²½①étoileuncent/:%"), max_size=120))
def test_any_text_can_be_read(text: str) -> None:
    reading = read(text)
    digits = sum(c.isdecimal() for c in text)
    assert digits == 0 or reading.segments or reading.codes or reading.strays


def test_a_code_of_another_offer_is_refused(library: Library) -> None:
    passages = [_found(library, "NET-500-7J"), _found(library, "APP-500-7J")]
    assert _faults("75 min à 500 F, 7 jours.\n*141*1*3#", passages, library) == ()
    assert _faults("75 min à 500 F, 7 jours.\n*141*3#", passages, library)


def test_an_offer_that_ended_or_grew_old_grounds_nothing(library: Library) -> None:
    passage = _found(library, "NET-500-7J")
    assert passage.offer is not None
    ended = replace(passage, offer=replace(passage.offer, valid_to=date(2026, 11, 24)))
    old = replace(passage, fresh=False)
    draft = "400 Mo à 500 F, 7 jours"
    assert _faults(draft, [passage], library) == ()
    assert _faults(draft, [ended], library)
    assert _faults(draft, [old], library)


def test_the_passages_a_draft_speaks_of_come_first(offers: list[Passage], library: Library) -> None:
    grounding = inspect(
        "1 Go à 1000 F pour 7 jours", offers, question="", known_codes=frozenset(), today=TODAY
    )
    assert grounding.cited == ("NET-1000-7J",)


@pytest.mark.parametrize(
    "text",
    [
        "Il coûte cinq cents francs.",
        "Ouvert de midi à minuit.",
        "C'est un forfait mensuel.",
        "Il dure une demi-heure.",
        "Appelez le neuf zéro un deux.",
        "A daily bundle.",
        "Valable ½ heure.",
        "Kwana biyu.",
    ],
)
def test_a_claim_without_figures_is_read_all_the_same(text: str) -> None:
    assert read(text).segments


def test_plain_words_claim_nothing() -> None:
    assert read("Bonne journée à vous.\nMerci de votre confiance !").segments == ()
