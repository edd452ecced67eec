"""The real bot, killed under WhatsApp load: nothing acknowledged is lost, receipts keep copies away."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.whatsapp_kills import run


async def test_kills_under_load_lose_nothing(tmp_path: Path) -> None:
    outcome = await run(tmp_path, 2, settle=2.0)
    assert outcome.lost == 0
    assert outcome.acknowledged > 10
    assert outcome.most_copies == 1  # a resend comes after a minute without receipt, beyond this test
    assert outcome.disordered == 0
    assert not outcome.faults
