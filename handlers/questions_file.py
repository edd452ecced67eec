"""The open questions as a file for the editors, as French Excel opens it: UTF-8 with a mark, semicolons.

Subscribers wrote these texts: what a spreadsheet would run as a formula is kept a text.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence

from config.texts import Texts
from domain.messages import Attachment
from domain.niger import day_of, local
from handlers.statistics import LANGUAGES
from memory.records import OpenQuestion

MOST = 5000
# Full-width signs count too: Excel folds them where East Asian input is set.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_UNSEEN = frozenset({"Cc", "Cf"})  # control and format characters; a formula may hide behind one


def questions_file(questions: Sequence[OpenQuestion], texts: Texts, now: float) -> Attachment:
    """One row per question. Some 10 ms of CPU per 1000 of them: call it in a thread."""
    day = day_of(now)
    table = io.StringIO(newline="")
    writer = csv.writer(table, delimiter=";", lineterminator="\r\n")
    writer.writerow(texts.get("admin.questions_columns").split(";"))
    writer.writerows(_row(question, texts) for question in questions)
    return Attachment(f"questions-{day.isoformat()}.csv", "text/csv", table.getvalue().encode("utf-8-sig"))


def _row(question: OpenQuestion, texts: Texts) -> tuple[object, ...]:
    last = local(question.last_at)
    return (
        question.id,
        _harmless(question.text),
        LANGUAGES.get(question.language, question.language),
        texts.get(f"admin.questions_{question.reason}"),
        question.count,
        last.strftime("%d/%m/%Y %H:%M"),
    )


def _harmless(text: str) -> str:
    """The text on one line, without signs nobody sees, never a formula."""
    seen = "".join(" " if unicodedata.category(sign) in _UNSEEN else sign for sign in text)
    line = " ".join(seen.split())
    return f"'{line}" if line.startswith(_FORMULA) else line
