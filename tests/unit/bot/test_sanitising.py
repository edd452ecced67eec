"""What strangers send becomes storable, and what subscribers write stays as they wrote it."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sanitising import MAX_NAME, clean_payload, clean_sender, clean_text
from domain.messages import Sender

LETTERS = st.text(st.characters(), max_size=60)


@pytest.mark.parametrize(
    "text",
    [
        "J'ai 500 F, je veux internet pour la semaine",
        "Ina so in sayi data ta sati ɗaya: ƙasa, ɓoye, 'yan",
        "Tapez *141*3#\n\nMerci 🙏🏿",
        "Dala 1 000\tF",
    ],
)
def test_honest_text_is_untouched(text: str) -> None:
    assert clean_text(text, 4000) == text


def test_composed_and_decomposed_read_the_same() -> None:
    assert clean_text("e\u0301te\u0301", 100) == "été"


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("a\x00b", "ab"),
        ("\u202eabc\u200b\ufeff", "abc"),
        ("\ud83d\ude00", "😀"),  # a pair that arrived as two halves
        ("half \ud83d!", "half \ufffd!"),
        ("one\r\ntwo\u2028three", "one\ntwo\nthree"),
        ("z" + "\u0301" * 50, "ź\u0301\u0301"),
    ],
)
def test_poison_is_taken_out(dirty: str, clean: str) -> None:
    assert clean_text(dirty, 100) == clean


@given(LETTERS, st.integers(1, 50))
@settings(max_examples=300)
def test_result_is_storable_short_and_stable(text: str, limit: int) -> None:
    cleaned = clean_text(text, limit)
    cleaned.encode()
    assert len(cleaned) <= limit
    assert "\x00" not in cleaned
    assert clean_text(cleaned, limit) == unicodedata.normalize("NFC", cleaned)[:limit]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | LETTERS
    | st.binary(max_size=5)
    | st.just(object()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LETTERS, inner, max_size=4),
    max_leaves=30,
)


@given(JSON)
@settings(max_examples=300)
def test_any_payload_becomes_json(value: Any) -> None:
    text = json.dumps(clean_payload(value), allow_nan=False, ensure_ascii=False)
    text.encode()
    for number in _numbers(json.loads(text)):
        assert -(2**63) <= number < 2**63


def test_payload_is_bounded_in_depth_and_width() -> None:
    deep: Any = "bottom"
    for _ in range(100_000):
        deep = [deep]
    assert len(json.dumps(clean_payload(deep))) < 100
    wide = {str(number): number for number in range(10_000)}
    assert len(clean_payload(wide)) == 100


def test_names_of_people_are_claims() -> None:
    sender = clean_sender(
        Sender("7", name="  " + "A" * 999 + "\x00", phone="+227 90\u202e", locale="fr\n" * 99)
    )
    assert len(sender.name) <= MAX_NAME
    assert sender.phone == "+227 90"
    assert len(sender.locale or "") <= 32


def _numbers(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in _numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [value] if isinstance(value, int) else []
