"""No lie of a model reaches a subscriber, the truth does; `make eval` shows it on thousands of drafts."""

from __future__ import annotations

from tests.eval.drafts import MOST_REFUSED, both
from tests.eval.run import FOLDER
from tests.eval.score import read_items

COUNT = 40
CALLS_OF_A_LIE = 2  # the draft and its one repair


async def test_lies_are_held_back_and_the_truth_is_told() -> None:
    items = read_items([FOLDER / "dev.jsonl", FOLDER / "blind.jsonl"])
    lies, true = await both(items, COUNT)
    assert [draft.text for draft in lies.shown] == []
    assert lies.calls == CALLS_OF_A_LIE * COUNT
    assert len(true.shown) >= COUNT * (1 - MOST_REFUSED), [draft.text for draft in true.refused]
    assert true.calls >= COUNT
