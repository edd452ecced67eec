"""A chat that floods is refused cheaply and told once; everybody else is answered."""

from __future__ import annotations

from pathlib import Path

from config.settings import ROOT
from config.texts import Texts
from tests.acceptance.flood_runs import flood_run
from tests.acceptance.flooder import CHAT
from tests.acceptance.history import normal, rows_of


async def test_a_flood_is_acknowledged_and_answered_by_one_notice(tmp_path: Path) -> None:
    outcome = await flood_run(tmp_path, rate=150.0, seconds=2.0, others=2, pause=1.0)
    assert outcome.flood["statuses"] == {"200": 300}
    assert outcome.before.seconds
    assert outcome.during.seconds
    # The bucket lets twenty in at once and one more in three seconds; quick texts share a turn.
    assert 1 <= outcome.flood_turns <= 25
    notice = normal(Texts.load(ROOT / "data" / "texts").get("pipeline.slow_down"))
    told = [row.text for row in rows_of(tmp_path / "memory.db")[str(CHAT)] if row.turn is None]
    assert told == [notice]
