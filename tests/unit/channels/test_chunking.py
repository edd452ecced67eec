"""Cutting long texts: borders, protected spans, three parts and the rest."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.chunking import Limits, PartWords, split_reply, split_text, ussd_codes
from domain.messages import Attachment, Choice, Reply

WORDS = PartWords(more="Tapez SUITE pour lire la suite.", empty="Vide.")
SMALL = Limits(soft=20, hard=60)
TOKENS = (
    "*141*3#",
    "#121#",
    "*555*90123456*100#",
    "1 000 F",
    "1\u202f000\u202fF",
    "12\u00a0500 FCFA",
    "90 12 34 56",
    "+227 90 12 34 56",
    "https://www.airtel.ne/offres?a=1",
    "service@ne.airtel.com",
)
FILLER = ("forfait", "internet.", "semaine !", "à", "\n", "\n\n", "e\u0301te\u0301", "👍🏽", "Go", "?")


def squeeze(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_short_text_stays_one_part() -> None:
    assert split_text("  Bonjour.\n\nAu revoir. ", Limits()) == (("Bonjour.\n\nAu revoir.",), "")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("a" * 25 + "\n\n" + "b" * 10 + "\n" + "c" * 50, "a" * 25),
        ("a" * 25 + "\n" + "b. " * 5 + "c" * 50, "a" * 25),
        ("a" * 25 + ". " + "b b " + "c" * 60, "a" * 25 + "."),
        ("a" * 25 + " " + "c" * 60, "a" * 25),
        ("c" * 100, "c" * 60),
        ("a\n\n" + "b" * 30 + " " + "c" * 60, "a\n\n" + "b" * 30),
    ],
    ids=["blank line", "newline", "sentence", "space", "no border", "too early border"],
)
def test_best_border_wins(text: str, first: str) -> None:
    assert split_text(text, SMALL)[0][0] == first


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("offset", range(30, 66))
def test_token_at_the_limit_is_never_cut(token: str, offset: int) -> None:
    text = "x" * 24 + " " + "y" * (offset - 25) + " " + token + " " + "z" * 40
    parts, rest = split_text(text, SMALL)
    assert any(token in part for part in (*parts, rest))


@pytest.mark.parametrize("token", TOKENS)
def test_token_without_any_border_is_never_cut(token: str) -> None:
    parts, rest = split_text("·" * 55 + token + "·" * 70, SMALL)
    assert sum(part.count(token) for part in (*parts, rest)) == 1


@given(st.lists(st.sampled_from(TOKENS + FILLER), min_size=1, max_size=120), st.integers(40, 200))
@example(["👍🏽"] * 100, 41)
def test_nothing_is_lost_nor_cut(pieces: list[str], hard: int) -> None:
    text = " ".join(pieces)
    parts, rest = split_text(text, Limits(soft=hard // 3, hard=hard))
    assert len(parts) <= 3
    assert all(0 < len(part) <= hard for part in parts)
    assert squeeze("".join(parts) + rest) == squeeze(text)
    whole = "\n".join((*parts, rest))
    for code in {text[start:end] for start, end in ussd_codes(text)}:
        assert whole.count(code) == text.count(code)


@given(st.text(max_size=400), st.integers(40, 90))
def test_any_text_keeps_every_letter(text: str, hard: int) -> None:
    parts, rest = split_text(text, Limits(soft=20, hard=hard), more=WORDS.more)
    assert all(0 < len(part) <= hard for part in parts)
    shown = "".join(parts)
    if rest:
        assert shown.endswith(WORDS.more)
        shown = shown[: -len(WORDS.more)]
    assert squeeze(shown + rest) == squeeze(text)


def test_rest_waits_behind_the_third_part_and_can_be_cut_again() -> None:
    text = "\n\n".join(f"Paragraphe {number}. " + "mot " * 10 for number in range(12))
    split = split_reply(Reply(text), Limits(soft=40, hard=120), WORDS)
    assert len(split.parts) == 3
    assert split.parts[2].text.endswith("\n\n" + WORDS.more)
    assert split.rest.startswith("Paragraphe ")
    again = split_reply(Reply(split.rest), Limits(soft=40, hard=120), WORDS)
    assert again.parts[0].text.startswith(split.rest[:12])


def test_choices_ride_on_the_last_part() -> None:
    choices = (Choice("a", "Solde"),)
    split = split_reply(Reply("mot " * 40, choices=choices), SMALL, WORDS)
    assert [part.choices for part in split.parts] == [(), (), choices]


def test_long_text_goes_before_its_file() -> None:
    file = Attachment("export.json", "application/json", b"{}")
    assert len(split_reply(Reply("court", attachment=file), SMALL, WORDS).parts) == 1
    split = split_reply(Reply("mot " * 300, attachment=file), SMALL, WORDS)
    assert [part.attachment for part in split.parts] == [None, None, file]
    assert split.rest


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_empty_text_becomes_a_sentence(text: str) -> None:
    assert [part.text for part in split_reply(Reply(text), SMALL, WORDS).parts] == ["Vide."]


@given(st.text(alphabet="*#0123 a", max_size=60))
def test_codes_are_those_of_the_pattern(text: str) -> None:
    assert list(ussd_codes(text)) == [match.span() for match in re.finditer(r"[*#][\d*#]+#", text)]


@pytest.mark.timeout(20)  # quadratic scans would take minutes
@pytest.mark.parametrize("letters", ["*", "#*", "a", "1 ", "a.", "\n", "a@", "w", " "])
def test_hostile_texts_are_cut_in_linear_time(letters: str) -> None:
    text = letters * (400_000 // len(letters)) + "x"
    parts, rest = split_text(text, Limits())
    assert len(squeeze("".join(parts) + rest)) == len(squeeze(text))
    assert not list(ussd_codes(text + "#")) or "*" in letters
