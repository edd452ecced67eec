"""Daily token budgets, over a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.budget import NAMESPACE, Budget
from domain.messages import ChatKey
from memory.opening import open_store
from memory.sqlite import SqliteStore

ONE, OTHER = ChatKey("web", "page", "1"), ChatKey("web", "page", "12")


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "memory.db", clock=clock) as opened:
        yield opened


def budget(
    store: SqliteStore, clock: Clock, alerts: list[str], *, daily: int = 100, chat: int = 40
) -> Budget:
    return Budget(
        store.notes,
        daily=daily,
        per_chat=chat,
        on_alert=lambda rule, _: alerts.append(rule),
        clock=clock,
        flush_seconds=30,
    )


async def test_limits_per_chat_and_in_all(store: SqliteStore, clock: Clock) -> None:
    alerts: list[str] = []
    subject = budget(store, clock, alerts)
    subject.spend(ONE, 39)
    assert subject.allows(ONE)
    subject.spend(ONE, 1)
    assert not subject.allows(ONE)
    assert subject.allows(OTHER)
    subject.spend(OTHER, 39)
    subject.spend(ChatKey("web", "page", "3"), 21)
    assert not subject.allows(OTHER)
    assert not subject.allows(OTHER)
    assert alerts == ["llm_chat_budget", "llm_daily_budget"]  # once each


async def test_zero_is_no_limit(store: SqliteStore, clock: Clock) -> None:
    subject = budget(store, clock, [], daily=0, chat=0)
    subject.spend(ONE, 10**9)
    assert subject.allows(ONE)


async def test_a_new_day_begins_at_zero(store: SqliteStore, clock: Clock) -> None:
    alerts: list[str] = []
    subject = budget(store, clock, alerts)
    for _ in range(2):
        subject.spend(ONE, 40)
        assert not subject.allows(ONE)
        clock.now += 86400
        assert subject.allows(ONE)
    assert alerts == ["llm_chat_budget"] * 2


async def test_counts_survive_a_restart_without_naming_anybody(store: SqliteStore, clock: Clock) -> None:
    subject = budget(store, clock, [])
    subject.spend(ONE, 40)
    await subject.save_when_due()
    assert await store.notes.items(NAMESPACE) == {}
    clock.now += 31
    await subject.save_when_due()
    kept = await store.notes.items(NAMESPACE)
    assert sorted(kept.values()) == [40, 40]
    assert str(ONE) not in str(kept)
    again = budget(store, clock, [])
    await again.load()
    assert not again.allows(ONE)
    assert again.allows(OTHER)


async def test_nonsense_counts_nothing(store: SqliteStore, clock: Clock) -> None:
    subject = budget(store, clock, [])
    subject.spend(ONE, 0)
    subject.spend(ONE, -5)
    await subject.save()
    assert await store.notes.items(NAMESPACE) == {}
