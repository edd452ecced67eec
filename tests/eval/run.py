"""`make eval`: asks every question of `tests/eval/*.jsonl` through `python -m bot ask`, prints the table.

Then the drafts of a fake model, invented and true, and what became of them (`--drafts 0`: not).
`--in-process` leaves the process out for the questions; `--failures` lists what failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.eval import drafts
from tests.eval.answering import DATA, Answering
from tests.eval.score import Item, Said, Scorer, Verdict, rate, read_items, table

FOLDER = Path(__file__).parent
DRAFTS = 1000


def ask_in_process(items: Sequence[Item]) -> list[Said]:
    """Through shield, canned answers, retrieval and embedded answer."""
    answering = Answering.load()
    said: list[Said] = []
    for item in items:
        started = time.perf_counter()
        answer = answering.answer(item.text, item.context)
        said.append(Said(answer.text, answer.passage_ids, (time.perf_counter() - started) * 1000))
    return said


def ask_process(items: Sequence[Item]) -> list[Said]:
    """Through `python -m bot ask`: one JSON line in, one out."""
    command = [sys.executable, "-m", "bot", "ask"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bot:
        if bot.stdin is None or bot.stdout is None:
            raise RuntimeError("no pipe to the bot")
        said: list[Said] = []
        for item in items:
            started = time.perf_counter()
            question = {"id": item.id, "text": item.text, "context": list(item.context)}
            bot.stdin.write(json.dumps(question, ensure_ascii=False) + "\n")
            bot.stdin.flush()
            line = bot.stdout.readline()
            if not line:
                raise RuntimeError(f"the bot stopped at {item.id}")
            answer = json.loads(line)
            taken = (time.perf_counter() - started) * 1000
            said.append(Said(answer["answer_text"], tuple(answer.get("retrieved_ids", ())), taken))
        bot.stdin.close()
    return said


def evaluate(items: Sequence[Item], said: Sequence[Said]) -> list[Verdict]:
    """One verdict per question."""
    scorer = Scorer.of(DATA)
    return [scorer.verdict(item, answer) for item, answer in zip(items, said, strict=True)]


def show_answers(verdicts: Sequence[Verdict], *, failures: bool) -> None:
    """The table, the failures when asked, the times."""
    sys.stdout.write(table(verdicts) + "\n")
    if failures:
        for verdict in verdicts:
            if verdict.faults or verdict.hit is False:
                item = verdict.item
                faults = ", ".join(verdict.faults) or "passage not among the first two"
                sys.stdout.write(f"{item.id} {item.language} {item.kind} {item.text!r}: {faults}\n")
    median = statistics.median(verdict.milliseconds for verdict in verdicts)
    passed = rate([verdict.passed for verdict in verdicts])
    sys.stdout.write(f"\n{passed:.1f} % pass, median {median:.2f} ms a question\n")


def show_drafts(items: Sequence[Item], count: int, *, failures: bool) -> None:
    """What became of drafts with a lie and of true ones."""
    lies, true = asyncio.run(drafts.both(items, count))
    sys.stdout.write(f"\n{drafts.table(lies, true)}\n")
    if failures:
        for draft in (*lies.shown, *true.refused):
            sys.stdout.write(f"{draft.item.id} {draft.item.text!r}: {draft.lie or 'true'} {draft.text!r}\n")


def main() -> None:
    """Both runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", type=Path, default=sorted(FOLDER.glob("*.jsonl")))
    parser.add_argument("--in-process", action="store_true")
    parser.add_argument("--failures", action="store_true")
    parser.add_argument("--drafts", type=int, default=DRAFTS, help="of each kind")
    options = parser.parse_args()
    items = read_items(options.sets)
    verdicts = evaluate(items, (ask_in_process if options.in_process else ask_process)(items))
    show_answers(verdicts, failures=options.failures)
    if options.drafts:
        show_drafts(items, options.drafts, failures=options.failures)


if __name__ == "__main__":
    main()
