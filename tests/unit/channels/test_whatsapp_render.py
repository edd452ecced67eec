"""Plain text as WhatsApp shows it unchanged: codes fenced and alone, no marks of formatting, labels cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.chunking import ussd_codes
from channels.whatsapp_render import cut, numbered, render_flat, render_text, titles, utf16_length
from domain.messages import Choice


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Composez *444#", "Composez\n```*444#```"),
        ("*141*3#", "```*141*3#```"),
        ("Faites *121# puis *141*3#.", "Faites\n```*121#```\npuis\n```*141*3#```"),
        ("Code (*121#) : solde", "Code\n```*121#```\nsolde"),
        ("*555*<numero>*100#", "```*555*<numero>*100#```"),
        ("*Gras* et _italique_ et ~barré~", "Gras et italique et barré"),
        ("`code` ```bloc```", "code bloc"),
        ("mon_nom_de_fichier", "mon_nom_de_fichier"),
        ("2 * 3 = 6", "2 x 3 = 6"),
        ("https://a.ne/x_*y*_~z", "https://a.ne/x_*y*_~z"),
        ("a\n\n\nb", "a\n\n\nb"),
    ],
)
def test_rendering(text: str, shown: str) -> None:
    assert render_text(text) == shown


@given(st.text(alphabet="*#0123 a\n.(`)_~<é", max_size=80))
def test_codes_survive_byte_for_byte_alone_on_their_line(text: str) -> None:
    lines = render_text(text).split("\n")
    codes = [text[start:end] for start, end in ussd_codes(text)]
    fenced = [line.removeprefix("```").removesuffix("```") for line in lines if line.startswith("```")]
    joined = "\n".join(fenced)
    assert all(code in joined for code in codes)


@given(st.text(alphabet=st.sampled_from("*_~`a 9\n"), max_size=60))
def test_no_mark_of_formatting_is_left_outside_codes(text: str) -> None:
    for line in render_text(text).split("\n"):
        if not line.startswith("```"):
            assert not set(line) & set("*~`")


def test_a_template_variable_is_one_line() -> None:
    flat = render_flat("Solde :\n\n*121#\tmerci", 100)
    assert flat == "Solde : ```*121#``` merci"
    assert utf16_length(render_flat("mot " * 400, 100)) <= 100


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("Parler à un conseiller", 20, "Parler à un conseil…"),
        ("court", 20, "court"),
        ("👍🏽" * 10, 9, "👍🏽👍🏽…"),
        ("🇳🇪🇳🇪🇳🇪", 8, "🇳🇪…"),
        ("e\u0301" * 10, 6, "e\u0301e\u0301…"),
    ],
)
def test_cutting_keeps_graphemes_whole(text: str, limit: int, shown: str) -> None:
    assert cut(text, limit) == shown


@given(st.text(max_size=60), st.integers(2, 30))
def test_cut_text_fits(text: str, limit: int) -> None:
    assert utf16_length(cut(text, limit)) <= limit


def test_titles_that_double_are_left_out() -> None:
    choices = (
        Choice("a", "Forfait Internet jour"),
        Choice("b", "Forfait Internet journée"),
        Choice("a", "Autre"),
    )
    assert [title for _, title in titles(choices, 20)] == ["Forfait Internet jo…"]


def test_choices_can_be_typed() -> None:
    three = (Choice("a", "Solde"), Choice("b", "Forfaits"), Choice("c", "Conseiller"))
    assert numbered(three, "Que voulez-vous ?") == "1 Solde / 2 Forfaits / 3 Conseiller"
    assert numbered(three, "1. Solde\n2. Forfaits") == ""
    many = tuple(Choice(str(n), f"Choix {n}") for n in range(5))
    assert numbered(many, "x").split("\n")[4] == "5 Choix 4"
