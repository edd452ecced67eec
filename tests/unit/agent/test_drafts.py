"""Drafts as a subscriber may read them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.drafts import MAX_CHARS, cleaned, shortened, without_links, without_markup
from domain.messages import Language
from rag.normalise import find_codes


def clean(text: str) -> str:
    return cleaned(text, Language.FRENCH)


@pytest.mark.parametrize(
    ("draft", "text"),
    [
        ("**500 F** : *400 Mo*", "500 F : 400 Mo"),
        ("### Forfaits\n* 400 Mo\n* 1 Go", "Forfaits\n- 400 Mo\n- 1 Go"),
        ("Composez `*141*3#`", "Composez\n*141*3#"),
        ("Composez \\*141\\*3\\#", "Composez\n*141*3#"),
        ("*141*3#\n*141*1*1#", "*141*3#\n*141*1*1#"),
        ("* 141 * 3 #", "*141*3#"),
        ("＊１４１＊３＃", "*141*3#"),
        ("*141*2# *141*3#", "*141*2#\n*141*3#"),
        ("Composez *141*3#. Merci", "Composez\n*141*3#\nMerci"),
        ("- 400 Mo à 500 F (*141*3#)", "- 400 Mo à 500 F\n*141*3#"),
        ("Code : *141*2# ou *141*2*1#", "Code :\n*141*2#\nou\n*141*2*1#"),
        ("*141*3#\n\nBonne journée", "*141*3#\n\nBonne journée"),
        ("__souligné__ et snake_case", "souligné et snake_case"),
        ("```\nligne\n```", "ligne"),
        ("Selon [1], 400 Mo [2].", "Selon, 400 Mo."),
        ("<think>hum</think>Bonjour", "Bonjour"),
        ("<think>sans fin", ""),
        ("<b>gras</b> <|im_end|>", "gras"),
        ("a\u200bb\u202ec\x00d", "abcd"),
        ("1\n\n\n\n2", "1\n\n2"),
        ("Le 121 ou <tel_1>, dossier <id>", "Le 121 ou ce numéro, dossier ce numéro"),
        ("5 < 7 et 7 > 5", "5 < 7 et 7 > 5"),
    ],
)
def test_markup_is_read_as_plain_text(draft: str, text: str) -> None:
    assert clean(draft) == text


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.com",
        "http://evil.com/a?b=c#d",
        "HTTPS://EVIL.COM",
        "www.evil.anything/x",
        "evil.com",
        "sub.evil.co/x",
        "t.me/x",
        "wa.me/227",
        "bit.ly/abc",
        "promo@evil.com",
        "https://airtel.ne@evil.com/",
        "https://airtel.ne.evil.com/",
        "https://evil.com/airtel.ne",
        "airtel.ne.evil.com",
        "javascript:alert(1)",
        "tel:+22790123456",
        "mailto:a@evil.com",
        "ftp://evil.com",
        "tg://resolve?domain=x",
        "@pirate",
        "/broadcast",
    ],
)
def test_links_are_stripped(link: str) -> None:
    assert without_links(f"avant {link} après") == "avant  après"


@pytest.mark.parametrize(
    "link",
    ["https://airtel.ne", "airtel.ne", "www.airtel.ne", "https://airtel.ne/tarifs", "support@airtel.ne"],
)
def test_the_operators_own_addresses_stay(link: str) -> None:
    assert without_links(f"Voir {link} svp") == f"Voir {link} svp"


@pytest.mark.parametrize(
    "text", ["24h/24 et 7j/7", "et/ou", "1,5 Go. Merci", "8h-20h", "n°194-07-2022", "c'est.à.dire"]
)
def test_what_is_no_link_stays(text: str) -> None:
    assert without_links(text) == text


def test_a_markdown_link_keeps_its_words_only() -> None:
    assert clean("Voir [le site](https://evil.com/x) svp") == "Voir le site svp"
    assert clean("[airtel](https://airtel.ne)") == "airtel https://airtel.ne"


def test_long_drafts_end_after_a_sentence() -> None:
    text = clean("Une phrase. " * 100)
    assert MAX_CHARS - 20 < len(text) <= MAX_CHARS
    assert text.endswith("phrase.")


def test_a_text_without_sentences_is_cut_between_words() -> None:
    text = shortened("*141*3# " * 200)
    assert len(text) <= MAX_CHARS
    assert set(find_codes(text)) == {"*141*3#"}
    assert text.endswith("#")
    assert shortened("x" * 1000) == ""


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("ab1. \n*_#`[](){}<>/:@|\\-étoile\u200b０＊"), max_size=400))
def test_anything_can_be_cleaned(text: str) -> None:
    assert len(clean(text)) <= MAX_CHARS


@pytest.mark.parametrize(
    "piece", ["*", "[", "](", "<think>", "a.", "*1", "__", "`", "1 ", "http://", "@", "a@", "#"]
)
def test_a_huge_draft_of_one_piece_is_no_trap(piece: str) -> None:
    assert len(clean(piece * 30_000)) <= MAX_CHARS


def test_markdown_leaves_codes_alone() -> None:
    text = "Pour *141*3# ou *141*1*1#, et #123# puis *121#"
    assert without_markup(text) == text
