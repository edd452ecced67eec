"""Letters, glued units, thousands, codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.normalise import find_codes, fold, sound, tokenise


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("J'ai 10 000F, 125mega svp !!!", ["j", "ai", "10000", "f", "125", "mega", "svp"]),
        ("forfait 1.000.000 FCFA", ["forfait", "1000000", "fcfa"]),
        ("pass 7j 500f", ["pass", "7", "jours", "500", "f"]),
        ("1h ou 24h", ["1", "heures", "ou", "24", "heures"]),
        ("75mn tt rezo", ["75", "minutes", "tt", "rezo"]),
        ("20 000, j'ai", ["20000", "j", "ai"]),
        ("la 4G et 10g", ["la", "4", "generation", "et", "10", "giga"]),
        ("1,2 Go", ["1.2", "go"]),
        ("1,2g", ["1.2", "giga"]),
        ("jai 1500 g besoin net", ["jai", "1500", "g", "besoin", "net"]),
        ("net < 300f", ["net", "moins", "de", "300", "f"]),
        ("5k par mois", ["5000", "par", "mois"]),
        ("suuuuper", ["super"]),
        ("dala arba'in", ["dala", "arbain"]),
        ("écrire à x@airtel.ne", ["ecrire", "a"]),
        ("composer *141*3# ou # 121 #", ["composer", "ou"]),
        ("５ Ｇｏ", ["5", "go"]),
        ("", []),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert tokenise(text) == tokens


def test_hausa_and_zarma_letters_lose_their_hooks() -> None:
    assert fold("Ɗan kuɗi ƙasa ɓata ŋ’") == "dan kudi kasa bata n'"


@pytest.mark.parametrize("text", ["*141*3#", "le * 141 * 3 #!", "＊141＊3＃"])
def test_codes_are_found_in_any_spacing(text: str) -> None:
    assert find_codes(text) == ("*141*3#",)


def test_words_written_by_ear_share_a_sound() -> None:
    assert sound("telefon") == sound(fold("téléphone"))
    assert sound("forfait") != sound("solde")


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_plain_text_folds_as_it_does_beside_other_letters(text: str) -> None:
    assert fold(f"É {text}") == f"e {fold(text)}".strip()
