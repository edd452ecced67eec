"""Replies as messages of the platform: one wherever it fits, within every limit, codes whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.chunking import PartWords, ussd_codes
from channels.whatsapp_compose import (
    BODY_UNITS,
    Fields,
    Template,
    Words,
    compose,
    compose_file,
    compose_template,
    split,
    upload_name,
)
from channels.whatsapp_render import utf16_length
from domain.messages import Attachment, Choice, Reply
from tests.fakes.whatsapp_rules import faults

WORDS = Words(PartWords(more="Tapez SUITE.", empty="Vide."), choose="Choisir", choices="Choisissez :")


def choices(count: int, label: str = "Choix numéro") -> tuple[Choice, ...]:
    return tuple(Choice(f"id:{number}", f"{label} {number}") for number in range(1, count + 1))


def faults_of(fields: Fields) -> list[str]:
    body = {"messaging_product": "whatsapp", "to": "22790000001", **fields}
    return list(faults(body, {"77": object()}))


def spoken(fields: Fields) -> str:
    content = fields[fields["type"]]
    body = content["body"]
    return str(body["text"] if fields["type"] == "interactive" else body)


def test_plain_answer_is_one_text_without_preview() -> None:
    fields = compose(Reply("Votre solde :\n*121#"), WORDS)
    assert fields == {"type": "text", "text": {"body": "Votre solde :\n```*121#```", "preview_url": False}}


def test_three_choices_are_buttons_that_can_be_typed_too() -> None:
    fields = compose(Reply("Utile ?", choices=(Choice("fb:yes", "Oui"), Choice("fb:no", "Non"))), WORDS)
    interactive = fields["interactive"]
    assert interactive["type"] == "button"
    assert interactive["body"]["text"] == "Utile ?\n\n1 Oui / 2 Non"
    assert [button["reply"] for button in interactive["action"]["buttons"]] == [
        {"id": "fb:yes", "title": "Oui"},
        {"id": "fb:no", "title": "Non"},
    ]


def test_up_to_ten_choices_are_a_list() -> None:
    interactive = compose(Reply("Menu", choices=choices(10)), WORDS)["interactive"]
    assert interactive["type"] == "list"
    assert len(interactive["action"]["sections"][0]["rows"]) == 10
    assert interactive["action"]["button"] == "Choisir"


def test_a_long_label_stands_whole_in_the_description() -> None:
    labels = choices(4, "Forfait Internet du week-end numéro")
    rows = compose(Reply("Menu", choices=labels), WORDS)["interactive"]["action"]["sections"][0]["rows"]
    assert rows[0]["description"] == "Forfait Internet du week-end numéro 1"


@pytest.mark.parametrize("count", [11, 25])
def test_more_choices_than_rows_are_numbered_lines(count: int) -> None:
    fields = compose(Reply("Menu", choices=choices(count)), WORDS)
    assert fields["type"] == "text"
    assert f"{count} Choix numéro {count}" in spoken(fields)


def test_choices_under_a_long_text_do_not_cost_a_second_message() -> None:
    reply = Reply("Un mot. " * 200, choices=choices(3))
    parts = split(reply, WORDS).parts
    assert len(parts) == 1
    fields = compose(parts[0], WORDS)
    assert fields["type"] == "text"
    assert "3 Choix numéro 3" in spoken(fields)


def test_numbered_lines_give_way_to_a_text_that_just_fits_above_buttons() -> None:
    text = ("mot " * 254).strip()
    fields = compose(Reply(text, choices=choices(3)), WORDS)
    assert fields["type"] == "interactive"
    assert spoken(fields) == text


def test_plain_resend_uses_no_buttons() -> None:
    fields = compose(Reply("Utile ?", choices=choices(2)), WORDS, plain=True)
    assert fields["type"] == "text"
    assert "2 Choix numéro 2" in spoken(fields)


@pytest.mark.parametrize("text", ["", " \n ", "***"])
def test_no_text_says_something(text: str) -> None:
    assert spoken(compose(split(Reply(text), WORDS).parts[0], WORDS)) == "Vide."
    asked = split(Reply(text, choices=choices(2)), WORDS).parts[0]
    assert spoken(compose(asked, WORDS)).startswith(("Choisissez :", "1 Choix"))


def test_choices_without_title_or_with_doubles_are_never_sent_as_buttons() -> None:
    odd = (Choice("a", " "), Choice("b", "Oui"), Choice("c", "oui"), Choice("", "Non"))
    fields = compose(Reply("?", choices=odd[:3]), WORDS)
    assert [button["reply"]["id"] for button in fields["interactive"]["action"]["buttons"]] == ["b"]
    assert compose(Reply("?", choices=(odd[0],)), WORDS)["type"] == "text"


def test_files_carry_a_short_text_and_follow_a_long_one() -> None:
    file = Attachment("courbe.png", "image/png", b"x")
    parts = split(Reply("La semaine :", attachment=file), WORDS).parts
    assert [compose_file(part, file, "77") for part in parts] == [
        {"type": "image", "image": {"id": "77", "caption": "La semaine :"}}
    ]
    parts = split(Reply("Un mot. " * 300, attachment=file), WORDS).parts
    assert [part.attachment for part in parts] == [None, file]
    assert compose_file(parts[-1], file, "77") == {"type": "image", "image": {"id": "77"}}


def test_codes_too_many_for_a_caption_go_before_the_file() -> None:
    file = Attachment("courbe.png", "image/png", b"x")
    text = "*141*3# " * 120  # fits a caption as typed, not as shown
    parts = split(Reply(text, attachment=file), WORDS).parts
    assert [part.attachment for part in parts] == [None, file]
    assert spoken(compose(parts[0], WORDS)).count("*141*3#") == 120


@pytest.mark.parametrize(
    ("name", "media_type", "told"),
    [
        ("mes-donnees.txt", "text/plain", ("mes-donnees.txt", "text/plain")),
        ("export.json", "application/json", ("export.json.txt", "text/plain")),
        ("tours.csv", "text/csv", ("tours.csv.txt", "text/plain")),
        ("guide.pdf", "application/pdf", ("guide.pdf", "application/pdf")),
    ],
)
def test_files_travel_as_types_the_platform_takes(name: str, media_type: str, told: tuple[str, str]) -> None:
    file = Attachment(name, media_type, b"x")
    assert upload_name(file) == told
    assert compose_file(Reply("x"), file, "77")["document"]["filename"] == told[0]


def test_a_template_holds_the_whole_answer_on_one_line() -> None:
    fields = compose_template(Reply("Voici :\n*141*3#", choices=choices(2)), Template("late_answer", "fr"))
    assert not faults_of(fields)
    text = fields["template"]["components"][0]["parameters"][0]["text"]
    assert text.startswith("Voici : ```*141*3#```")
    assert fields["template"]["language"] == {"code": "fr"}


_PIECES = st.sampled_from(
    (
        "*141*3#",
        "#121#",
        "*1#",
        "*555*90123456*100#",
        "Forfait",
        "1 000 F",
        "à",
        "\n",
        "\n\n",
        "👍🏽",
        "_x_",
        "\ud800",
    )
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(_PIECES, max_size=60),
    st.integers(1, 40),
    st.integers(0, 12),
    st.booleans(),
)
def test_every_message_keeps_the_limits_and_every_code(
    pieces: list[str], times: int, count: int, plain: bool
) -> None:
    text = " ".join(pieces * times)
    cut_up = split(Reply(text, choices=choices(count)), WORDS)
    assert 1 <= len(cut_up.parts) <= 3
    bodies = []
    for part in cut_up.parts:
        fields = compose(part, WORDS, plain=plain)
        assert not faults_of(fields)
        bodies.append(spoken(fields))
        assert utf16_length(bodies[-1]) <= BODY_UNITS
    wire = "\n".join([*bodies, cut_up.rest])
    for code in {text[start:end] for start, end in ussd_codes(text)}:
        assert wire.count(code) >= text.count(code)
