"""Retrieval by the clock and against typos: `python -m benchmarks.retrieval`.

Every factual question of `tests/eval` is asked at the size of the shipped catalogue and at ten thousand
offers, then with a growing share of its long words misspelt (one letter lost, doubled, swapped, mistaken or
added).
"""

from __future__ import annotations

import random
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from domain.answers import Utterance
from rag.catalogue import Catalogue, Offer
from rag.knowledge import load_topics
from rag.lexicon import Lexicon
from rag.retriever import Retriever
from tests.eval.score import FACTUAL, Item, read_items

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
MANY = 10_000
LONG = 5  # letters from which a word counts as long
SHARES = (0.0, 0.3, 0.6, 1.0)
SEEDS = 3


def questions() -> list[Item]:
    """Those a passage must be found for."""
    items = read_items(sorted((ROOT / "tests" / "eval").glob("*.jsonl")))
    return [item for item in items if item.kind in FACTUAL]


def retriever_of(offers: Sequence[Offer]) -> Retriever:
    """The shipped topics and words over these offers."""
    topics, lexicon = load_topics(DATA / "knowledge"), Lexicon.load(DATA / "lexicon")
    return Retriever(Catalogue(offers), topics, lexicon, today=date.today)


def many(offers: Sequence[Offer], count: int, seed: int = 7) -> list[Offer]:
    """The shipped offers and made-up ones of the same kinds around them."""
    dice = random.Random(seed)
    made = list(offers)
    while len(made) < count:
        model = dice.choice(offers)
        made.append(
            replace(
                model,
                id=f"X-{len(made)}",
                aliases=(),
                price=dice.randrange(1, 500) * 50,
                data_mb=dice.randrange(1, 800) * 25 if model.data_mb else 0,
                validity_hours=dice.choice((1, 24, 48, 72, 168, 336, 720)),
            )
        )
    return made


def misspelt(text: str, share: float, dice: random.Random) -> str:
    """The text with this share of its long words wrong by one letter."""

    def spoil(match: re.Match[str]) -> str:
        return _typo(match[0], dice) if dice.random() < share else match[0]

    return re.sub(rf"[^\W\d_]{{{LONG},}}", spoil, text)


def _typo(word: str, dice: random.Random) -> str:
    i = dice.randrange(1, len(word) - 1)
    letter = dice.choice("abcdefghijklmnopqrstuvwxyz")
    return dice.choice(
        (
            word[:i] + word[i + 1 :],
            word[:i] + word[i + 1] + word[i] + word[i + 2 :],
            word[:i] + word[i] + word[i:],
            word[:i] + letter + word[i + 1 :],
            word[:i] + letter + word[i:],
        )
    )


def found(retriever: Retriever, item: Item, text: str) -> bool:
    """Whether an expected passage is among the first two."""
    talk = [Utterance(line["role"], line["text"]) for line in item.context]
    passages = retriever.find(text, talk).passages[:2]
    return bool(set(item.expected) & {name for p in passages for name in (p.id, *p.aliases)})


def times(retriever: Retriever, items: Sequence[Item]) -> list[float]:
    """Milliseconds of each question, asked for the first time."""
    out: list[float] = []
    for item in items:
        talk = [Utterance(line["role"], line["text"]) for line in item.context]
        started = time.perf_counter()
        retriever.find(item.text, talk)
        out.append((time.perf_counter() - started) * 1000)
    return sorted(out)


def main() -> None:
    """Print both tables."""
    items = questions()
    offers = Catalogue.load(DATA / "catalogue").offers
    print(f"{len(items)} questions\n")
    print("| offers | built in ms | median ms | p95 ms | max ms |\n|---|---|---|---|---|")
    for catalogue in (offers, many(offers, MANY)):
        started = time.perf_counter()
        retriever = retriever_of(catalogue)
        built = (time.perf_counter() - started) * 1000
        taken = times(retriever, items)
        median, p95 = statistics.median(taken), taken[int(len(taken) * 0.95)]
        print(f"| {len(catalogue)} | {built:.0f} | {median:.2f} | {p95:.2f} | {taken[-1]:.1f} |")
    retriever = retriever_of(offers)
    print("\n| long words misspelt | hit@2 |\n|---|---|")
    for share in SHARES:
        hits = [
            found(retriever, item, misspelt(item.text, share, dice))
            for seed in range(SEEDS)
            for dice in (random.Random(seed),)
            for item in items
        ]
        print(f"| {share:.0%} | {100 * sum(hits) / len(hits):.1f} % |")


if __name__ == "__main__":
    main()
