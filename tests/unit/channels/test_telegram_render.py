"""Rendering: what is read stays what was written, codes copy on a tap, and Telegram can parse it all."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.chunking import ussd_codes
from channels.telegram_render import html, keyboard, printable, typed_choices
from domain.messages import Choice, Reply
from tests.fakes.telegram_markup import check_markup, parse_html

PIECES = (
    "*141*3#",
    "#121#",
    "*",
    "#",
    "<b>",
    "</code>",
    "&amp;",
    "&",
    "&#42;",
    "<",
    ">",
    "500 F",
    "\n",
    '"',
    "é",
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=12).map("".join)
CODE = re.compile(r"[*#][\d*#]+#", re.ASCII)


@given(TEXTS)
@example("*141*3#")
@example("a<*141#>b&*#")
@example("**##1#")
def test_rendering_loses_nothing(text: str) -> None:
    plain, entities = parse_html(html(text))
    assert plain == text
    assert [content for _, content in entities] == [text[start:end] for start, end in ussd_codes(text)]
    assert {tag for tag, _ in entities} <= {"code"}


@given(TEXTS)
def test_every_code_is_marked_byte_for_byte(text: str) -> None:
    marked = [content for _, content in parse_html(html(text))[1]]
    assert marked == CODE.findall(text)


@given(st.text(st.characters(codec=None), max_size=30))
def test_half_emojis_never_reach_the_wire(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert len(shown) == len(text)


def test_buttons_for_choices_and_codes() -> None:
    reply = Reply(
        "Tapez *141*3# ou *141*3# ou #121#", choices=(Choice("fb:yes", "Oui"), Choice("fb:no", "Non"))
    )
    found = keyboard(reply)
    assert found is not None
    assert found["inline_keyboard"] == [
        [{"text": "1. Oui", "callback_data": "fb:yes"}],
        [{"text": "2. Non", "callback_data": "fb:no"}],
        [
            {"text": "📋 *141*3#", "copy_text": {"text": "*141*3#"}},
            {"text": "📋 #121#", "copy_text": {"text": "#121#"}},
        ],
    ]
    assert keyboard(Reply("Bonjour")) is None


@given(
    TEXTS,
    st.lists(
        st.builds(Choice, st.text(st.characters(codec=None), max_size=70), st.text(max_size=80)), max_size=8
    ),
)
def test_whatever_the_choices_telegram_takes_the_buttons(text: str, choices: list[Choice]) -> None:
    fitting = [c for c in choices if c.id.isprintable()]
    found = keyboard(Reply(text, choices=tuple(fitting)))
    check_markup(found)


def test_a_choice_that_cannot_travel_keeps_the_numbers_of_the_others() -> None:
    reply = Reply(
        "?", choices=(Choice("a", "Un"), Choice("x" * 65, "Deux"), Choice("", "Trois"), Choice("d", "Quatre"))
    )
    found = keyboard(reply)
    assert found is not None
    assert [row[0]["text"] for row in found["inline_keyboard"]] == ["1. Un", "4. Quatre"]
    assert typed_choices(reply) == "?\n\n1. Un\n4. Quatre"


def test_many_codes_give_few_buttons() -> None:
    found = keyboard(Reply(" ".join(f"*1{number}#" for number in range(20)) + f" *{'1' * 300}#"))
    assert found is not None
    assert sum(len(row) for row in found["inline_keyboard"]) == 6


@pytest.mark.parametrize("text", ["<x>", "a < b > c & d", "</code>*141#<code>", "&lt;b&gt;"])
def test_what_looks_like_markup_is_text(text: str) -> None:
    assert parse_html(html(text))[0] == text
