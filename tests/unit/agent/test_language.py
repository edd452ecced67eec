"""Which language a message is in."""

from __future__ import annotations

import pytest

from agent.language import detect
from domain.messages import Language

FR, HA, DJE, EN = Language.FRENCH, Language.HAUSA, Language.ZARMA, Language.ENGLISH


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Quel est le prix du forfait internet ?", FR),
        ("jve 1go smn c cmb", FR),
        ("slt cmt recharger", FR),
        ("Ina so in sayi data ta mako daya", HA),
        ("Nawa ne kudin kira?", HA),
        ("Yaya zan tura kudi?", HA),
        ("Ay ga ba internet jirbi iyye", DJE),
        ("Mate no ay ga te ka nooru samba?", DJE),
        ("Fofo, mate ni kani?", DJE),
        ("How do I check my balance?", EN),
        ("thanks a lot", EN),
        ("unlimited calls for a week please", EN),
        ("Pourquoi utiliser Airtel Money ?", FR),
        ("max par jr airtel money", FR),
        ("Na gode sosai", HA),
        ("Airtel Money ana biya?", HA),
        ("Kala han fo", DJE),
        ("Is Airtel Money safe?", EN),
    ],
)
def test_languages_are_told_apart(text: str, language: Language) -> None:
    assert detect(text, default=None) is language


@pytest.mark.parametrize("text", ["", "500", "*141*3#", "airtel", "🙂", "1 Go"])
def test_a_message_that_does_not_tell_keeps_the_known_language(text: str) -> None:
    assert detect(text, default=HA) is HA
    assert detect(text, default=None) is FR


def test_one_foreign_word_does_not_change_the_language() -> None:
    assert detect("bonjour, je veux le forfait na mako", default=None) is FR
    assert detect("ina son forfait illimité na wata", default=None) is HA
