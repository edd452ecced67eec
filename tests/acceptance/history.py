"""Judges what a run left behind: what was asked, what the database holds, what reached the phones. Pure.

Every chat asks the same questions, and so did a chat in a run without faults. Its replies are the truth: each
chat must hold them once each and in order, and each phone must have shown each at most twice, in order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

MOST_COPIES = 5
# What so many copies of a row cost: a second one is foreseen, a third is a fault.
EXTRA = (0.0, 0.0, 0.01, 0.6, 0.7, 0.8)
VISIBLE = frozenset({"dead", "failed"})  # stands in the operators' list of dead letters


@dataclass(frozen=True, slots=True)
class Row:
    """One reply in the outbox; `turn` is None for an apology of a parked turn or a notice."""

    turn: int | None
    text: str
    state: str


@dataclass
class Verdict:
    """Counts over all chats; `faults` says in words what went wrong first."""

    acknowledged: int = 0
    replies: int = 0
    received: int = 0
    lost: int = 0
    parked: int = 0
    duplicates: int = 0
    most_copies: int = 0
    disorder: int = 0
    doubled_turns: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.disorder or self.doubled_turns) and self.most_copies <= 2

    def fault(self, text: str) -> None:
        if len(self.faults) < 10:
            self.faults.append(text)


def rows_of(database: Path) -> dict[str, list[Row]]:
    """The outbox of a stopped bot, by chat, in order."""
    connection = sqlite3.connect(database)
    try:
        query = "SELECT chat, turn_id, body, state FROM outbox ORDER BY id"
        found: dict[str, list[Row]] = {}
        for chat, turn, body, state in connection.execute(query):
            found.setdefault(chat.rpartition(":")[2], []).append(
                Row(turn, normal(orjson.loads(body)["text"]), state)
            )
        return found
    finally:
        connection.close()


def count_of(database: Path, query: str) -> int:
    """One number out of the database of a stopped bot."""
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


def normal(text: str) -> str:
    """A text without the differences that rendering makes."""
    return " ".join(text.split())


def turns_of(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    """The replies of each turn, in order."""
    turns: list[tuple[int | None, list[str]]] = []
    for row in rows:
        if row.turn is None or not turns or turns[-1][0] != row.turn:
            turns.append((row.turn, []))
        turns[-1][1].append(row.text)
    return [tuple(texts) for _, texts in turns]


def judge(
    truth: Sequence[tuple[str, ...]],
    asked: Mapping[str, int],
    rows: Mapping[str, Sequence[Row]],
    received: Mapping[str, Sequence[str]],
    apologies: Collection[str],
    notices: Collection[str] = (),
) -> Verdict:
    """Compare each chat with the truth. `asked` is how many messages of each chat were acknowledged.

    An apology is what a parked turn says; a notice belongs to no turn.
    """
    verdict = Verdict(acknowledged=sum(asked.values()))
    aside, sorry = ({normal(text) for text in texts} for texts in (notices, apologies))
    for chat, count in asked.items():
        held = rows.get(chat, ())
        said = turns_of(row for row in held if row.turn is not None or row.text not in aside)
        _judge_turns(verdict, chat, truth[:count], said, sorry)
        _judge_copies(verdict, chat, held, [normal(text) for text in received.get(chat, ())])
    return verdict


def _judge_turns(
    verdict: Verdict,
    chat: str,
    truth: Sequence[tuple[str, ...]],
    turns: Sequence[tuple[str, ...]],
    apologies: Collection[str],
) -> None:
    parked = sum(len(turn) == 1 and turn[0] in apologies for turn in turns)
    verdict.parked += parked
    verdict.replies += sum(map(len, turns))
    verdict.lost += max(0, len(truth) - len(turns))
    verdict.doubled_turns += max(0, len(turns) - len(truth))
    if len(truth) != len(turns):
        verdict.fault(f"chat {chat}: {len(truth)} messages, {len(turns)} turns")
    if parked:
        return  # what follows a parked turn may differ in content: it did not happen for the session
    for number, (wanted, got) in enumerate(zip(truth, turns, strict=False)):
        if wanted != got:
            verdict.disorder += 1
            verdict.fault(f"chat {chat}, turn {number}: {wanted!r} became {got!r}")
            return


def _judge_copies(verdict: Verdict, chat: str, rows: Sequence[Row], received: Sequence[str]) -> None:
    copies, strange = aligned(rows, received)
    for text in strange:
        verdict.disorder += 1
        verdict.fault(f"chat {chat}: {text[:60]!r} out of order")
    verdict.received += len(received)
    verdict.duplicates += sum(count - 1 for count in copies if count > 1)
    verdict.most_copies = max(verdict.most_copies, *copies, 0)
    for row, count in zip(rows, copies, strict=True):
        if row.state in VISIBLE:
            verdict.parked += 1
        elif not count:
            verdict.lost += 1
            verdict.fault(f"chat {chat}: {row.text[:60]!r} is {row.state} but never arrived")


def aligned(rows: Sequence[Row], received: Sequence[str]) -> tuple[list[int], list[str]]:
    """How often each row arrived, and what fits nowhere: the kindest reading that keeps the order.

    Dynamic programming over (rows passed, texts read); each state keeps its cost and the step that led there.
    """
    width = len(received) + 1
    cost = [[float(read) for read in range(width)]]
    steps: list[list[int]] = [[-1] * width]  # how many texts the row took; -1 for a text that fits nowhere
    for row in rows:
        missing = 0.0 if row.state in VISIBLE else 1.0
        best, step = [0.0] * width, [0] * width
        for read in range(width):
            best[read], step[read] = cost[-1][read] + missing, 0
            taken = 1
            while taken <= min(read, MOST_COPIES) and received[read - taken] == row.text:
                price = cost[-1][read - taken] + EXTRA[taken]
                if price < best[read]:
                    best[read], step[read] = price, taken
                taken += 1
            if read and best[read - 1] + 1.0 < best[read]:
                best[read], step[read] = best[read - 1] + 1.0, -1
        cost.append(best)
        steps.append(step)
    return _traced(steps, rows, received)


def _traced(
    steps: Sequence[Sequence[int]], rows: Sequence[Row], received: Sequence[str]
) -> tuple[list[int], list[str]]:
    copies, strange = [0] * len(rows), []
    row, read = len(rows), len(received)
    while row or read:
        taken = steps[row][read] if row else -1
        if taken < 0:
            read -= 1
            strange.append(received[read])
        else:
            row -= 1
            read -= taken
            copies[row] = taken
    return copies, strange[::-1]
