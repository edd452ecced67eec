"""Durations, chats and masks of admin commands, and the data of the picture."""

from __future__ import annotations

import pytest

from config.settings import ROOT
from config.texts import Texts
from domain.errors import BadInput
from domain.messages import ChatKey
from handlers.admin import duration, masked, read_chat, read_duration
from handlers.statistics import chart_data
from memory.records import TurnFacts
from monitoring.charts import draw

TEXTS = Texts.load(ROOT / "data" / "texts")
HERE = ChatKey("telegram", "1", "5")


@pytest.mark.parametrize(("text", "seconds"), [("30min", 1800), ("2h", 7200), ("1j", 86_400), ("15m", 900)])
def test_durations_are_read(text: str, seconds: float) -> None:
    assert read_duration(text, TEXTS) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2 h", "2x", "99999h", "²h"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_duration(text, TEXTS)


def test_a_mute_never_lasts_longer_than_a_month() -> None:
    assert read_duration("9999j", TEXTS) == 30 * 86_400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (40, "40 s"), (60, "1 min"), (3600, "1 h"), (90_000, "25 h"), (200_000, "2 j")],
)
def test_durations_are_said(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_chat_is_a_key_or_an_id_of_the_same_channel() -> None:
    assert read_chat("whatsapp:9:227901", HERE, TEXTS) == ChatKey("whatsapp", "9", "227901")
    assert read_chat("77", HERE, TEXTS) == ChatKey("telegram", "1", "77")
    with pytest.raises(BadInput):
        read_chat("@name", HERE, TEXTS)


def test_a_mask_shows_four_signs() -> None:
    assert masked("22790123456") == "…3456"


def _facts(at: float, ms: float, language: str = "fr") -> TurnFacts:
    return TurnFacts(at, "web", language, "embedded", "internet", True, 1, 0, 1, 0, ms)


def test_a_day_has_24_hours_of_niamey_and_the_newest_is_last() -> None:
    now = 1_795_600_000.0
    data = chart_data(
        [_facts(now - 60, 10), _facts(now - 3600 * 23, 30, "ha")],
        [("solde", 2)],
        now=now,
        hours=24,
        title="x",
    )
    assert len(data.slots) == 24
    assert data.turns[-1] == 1
    assert sum(data.turns) == 2
    assert data.languages == {"français": 1, "hausa": 1}
    assert draw(data).startswith(b"\x89PNG")


def test_a_week_has_7_days_and_an_empty_one_can_be_drawn() -> None:
    data = chart_data([], [], now=1_795_600_000.0, hours=168, title="vide")
    assert len(data.slots) == 7
    assert draw(data).startswith(b"\x89PNG")
