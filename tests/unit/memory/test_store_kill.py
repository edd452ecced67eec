"""kill -9 at every step of a message's way: nothing acknowledged is lost, nothing is half done."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.settings import ROOT
from memory.opening import open_store
from memory.records import SendState
from tests.contract.stores import AMINA
from tests.unit.memory.dying import STEPS

PENDING, IN_DOUBT, SENT = SendState.PENDING, SendState.IN_DOUBT, SendState.SENT


@dataclass(frozen=True)
class Left:
    """What must be found: attempts of the turn to come (0: none), states of the parts, exchanges."""

    attempt: int
    parts: tuple[SendState, ...] = ()

    @property
    def exchanges(self) -> int:
        return 1 if self.parts else 0


EXPECTED = {
    "accepting": Left(0),
    "accepted": Left(1),
    "claimed": Left(2),
    "committing": Left(2),
    "committed": Left(0, (PENDING, PENDING)),
    "sending": Left(0, (IN_DOUBT, PENDING)),
    "settling": Left(0, (IN_DOUBT, PENDING)),
    "settled": Left(0, (SENT, PENDING)),
}


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at(step: str, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.unit.memory.dying", str(path), step, cwd=ROOT
    )
    assert await child.wait() == -signal.SIGKILL

    left = EXPECTED[step]
    troubles: list[str] = []
    async with open_store(path, on_trouble=troubles.append) as store:
        turns = await store.inbox.claim(10, wait=0)
        assert [turn.attempt for turn in turns] == ([left.attempt] if left.attempt else [])
        parts = await store.outbox.after(AMINA, 0, 10)
        assert tuple(part.state for part in parts) == left.parts
        assert len(await store.long_term.history(AMINA, 10)) == left.exchanges
        assert (await store.sessions.counts()).total == left.exchanges
    assert troubles == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
