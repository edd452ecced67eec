"""Running incidents: asked for by every turn, read from the store now and then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from config.settings import ROOT
from config.texts import Texts
from domain.messages import ChatKey, InboundMessage, Language, MessageKind, Sender
from handlers.incident import KEPT_SECONDS, Incidents
from handlers.outcome import TurnContext
from memory.records import Profile, SessionRecord, StoredMessage, Turn

ADMIN = ChatKey("telegram", "7", "1")


class CountingNotes:
    """Notes in memory that count how often all of them are read."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.reads = 0

    async def get(self, namespace: str, name: str) -> Any | None:
        return self.values.get(name)

    async def put(
        self, namespace: str, values: Mapping[str, Any], *, expires_at: float | None = None
    ) -> None:
        self.values |= values

    async def delete(self, namespace: str, names: Sequence[str] | None = None) -> int:
        return sum(self.values.pop(name, None) is not None for name in names or ())

    async def items(self, namespace: str) -> Mapping[str, Any]:
        self.reads += 1
        return dict(self.values)


class Ticks:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def typed(text: str) -> TurnContext:
    message = InboundMessage(ADMIN, "1", MessageKind.COMMAND, text, Sender("1"), 0.0, 0.0)
    turn = Turn(ADMIN, (StoredMessage(1, message),), 1, 1)
    return TurnContext(turn, text, SessionRecord(ADMIN, 0.0, 0.0), Profile(ADMIN), 0.0, Language.FRENCH)


@pytest.fixture
def notes() -> CountingNotes:
    return CountingNotes()


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def incidents(notes: CountingNotes, ticks: Ticks) -> Incidents:
    texts = Texts.load(ROOT / "data" / "texts")
    return Incidents(texts, notes, fold=str.lower, signs=frozenset({"réseau"}), ticks=ticks)


async def test_turns_share_one_reading(incidents: Incidents, notes: CountingNotes, ticks: Ticks) -> None:
    for _ in range(3):
        assert await incidents.about("pas de réseau") is None
    assert notes.reads == 1
    notes.values["zinder"] = {"zone": "Zinder", "text": "coupure", "until": 1e9}  # by another process
    assert await incidents.about("pas de réseau à Zinder") is None
    ticks.now += KEPT_SECONDS
    assert "coupure" in str(await incidents.about("pas de réseau à Zinder"))


async def test_what_an_admin_changes_is_told_at_once(incidents: Incidents) -> None:
    assert await incidents.about("pas de réseau") is None
    await incidents.handle(typed("/incident Zinder coupure de fibre 3h"))
    assert "coupure de fibre" in str(await incidents.about("pas de réseau"))
    await incidents.handle(typed("/incident fin Zinder"))
    assert await incidents.about("pas de réseau") is None
