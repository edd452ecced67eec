"""The order of work in memory, against a model that looks at everything every time."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from memory.lanes import Item, Lanes

CHATS = st.sampled_from("abcd")


class LanesMachine(RuleBasedStateMachine):
    """Rows come, are taken, delayed, done and put back at random."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.lanes = Lanes(lambda: self.now)
        self.rows: dict[str, dict[int, float]] = defaultdict(dict)
        self.owned: set[str] = set()
        self.done: list[tuple[str, int]] = []
        self.next_id = 1

    @rule(chat=CHATS, wait=st.sampled_from([0.0, 1.0, 5.0]))
    def add(self, chat: str, wait: float) -> None:
        self.rows[chat][self.next_id] = self.now + wait
        self.lanes.add(chat, Item(self.next_id, self.now + wait, self.now))
        self.next_id += 1

    @rule(limit=st.integers(1, 3))
    def take(self, limit: int) -> None:
        due = {
            chat: rows[min(rows)]
            for chat, rows in self.rows.items()
            if rows and chat not in self.owned and rows[min(rows)] <= self.now
        }
        taken = self.lanes.take(limit)
        assert len(taken) == min(limit, len(due))
        assert set(taken) <= set(due)
        assert sorted(due[chat] for chat in taken) == sorted(due.values())[: len(taken)]
        for chat in taken:
            assert next(iter(self.lanes.items(chat))).id == min(self.rows[chat])
            self.lanes.own(chat, ord(chat))
        self.owned.update(taken)

    @rule(chat=CHATS)
    def finish(self, chat: str) -> None:
        if chat in self.owned and self.rows[chat]:
            head = min(self.rows[chat])
            del self.rows[chat][head]
            self.lanes.remove(chat, [head])
            self.done.append((chat, head))
        self.release(chat)

    @rule(chat=CHATS)
    def release(self, chat: str) -> None:
        assert self.lanes.owned_by(chat, ord(chat)) == (chat in self.owned)
        self.lanes.release(chat, ord(chat))
        self.owned.discard(chat)

    @rule(chat=CHATS, wait=st.sampled_from([0.0, 3.0]))
    def delay(self, chat: str, wait: float) -> None:
        if self.rows[chat]:
            head = min(self.rows[chat])
            self.rows[chat][head] = self.now + wait
            self.lanes.delay(chat, head, self.now + wait)

    @rule()
    def replay(self) -> None:
        if self.done:
            chat, number = self.done.pop()
            self.rows[chat][number] = self.now
            self.lanes.put_back(chat, [Item(number, self.now, self.now)])

    @rule(chat=CHATS)
    def clear(self, chat: str) -> None:
        self.rows[chat].clear()
        self.lanes.clear(chat)

    @rule(seconds=st.sampled_from([0.5, 1.0, 10.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def nothing_is_forgotten(self) -> None:
        assert self.lanes.depth == sum(len(rows) for rows in self.rows.values())
        for chat in "abcd":
            assert [item.id for item in self.lanes.items(chat)] == sorted(self.rows[chat])
        waiting = sum(
            1
            for chat, rows in self.rows.items()
            if rows and chat not in self.owned and rows[min(rows)] <= self.now
        )
        assert len(list(self.lanes.claimable_since())) == waiting


LanesMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestLanes = LanesMachine.TestCase
