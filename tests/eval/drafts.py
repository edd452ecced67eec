"""The second run of `make eval`: a model that lies in every draft, then one that tells the truth.

The bot is `python -m bot ask`, its model a fake server. Questions are those about offers; a draft speaks of
an offer the bot found for its question. A lie is one figure or code that stands nowhere in what was found.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from agent.drafts import cleaned
from agent.shield import mask
from domain.messages import Language
from rag.catalogue import Offer
from rag.library import Library
from rag.passages import Passage
from tests.eval.answering import DATA
from tests.eval.score import Item
from tests.fakes.openai import Body, FakeOpenAI, Step, answer
from tests.unit.agent.drafts_of_offers import FIELDS, invented, true_claim, written

MOST_REFUSED = 0.01  # of true drafts
_SECONDS = 60.0  # for one answer, the start of the bot included
_TRIES = 8  # to find a figure that stands nowhere
_GROUPED = re.compile(r"(?<=\d)(?:[^\S\n]|\.)(?=\d{3})")  # "1 000"


@dataclass(frozen=True, slots=True)
class Draft:
    """What the model writes when asked this."""

    item: Item
    text: str
    lie: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the drafts: `shown` are those a subscriber would have read, `calls` the model's."""

    drafts: int
    shown: tuple[Draft, ...]
    refused: tuple[Draft, ...]
    calls: int


class Author:
    """Writes drafts, the same ones for the same seed."""

    def __init__(self, library: Library, items: Sequence[Item], *, seed: int) -> None:
        self._retriever = library.retriever
        self._items = [item for item in items if item.kind == "offer" and not item.context]
        self._random = random.Random(seed)

    def true(self) -> Iterator[Draft]:
        """Endless."""
        for item, language, offer, _ in self._asked():
            claim = true_claim(offer, self._random)
            yield Draft(item, written(claim, language, self._random))

    def lies(self) -> Iterator[Draft]:
        """Endless, each kind of figure by turns."""
        number = 0
        for item, language, offer, passages in self._asked():
            field = FIELDS[number % len(FIELDS)]
            claim = true_claim(offer, self._random)
            for _ in range(_TRIES):
                lying = invented(claim, field, self._random)
                if not _stands_in(getattr(lying, field), (item.text, *_texts(passages))):
                    number += 1
                    yield Draft(item, written(lying, language, self._random), lie=field)
                    break

    def _asked(self) -> Iterator[tuple[Item, str, Offer, Sequence[Passage]]]:
        while True:
            item = self._random.choice(self._items)
            passages = self._retriever.find(mask(item.text)[0]).passages
            offers = [passage.offer for passage in passages if passage.offer is not None]
            if offers:
                language = item.language if item.language in {"ha", "en"} else "fr"
                yield item, language, self._random.choice(offers), passages


def _texts(passages: Sequence[Passage]) -> Iterator[str]:
    for passage in passages:
        yield from (passage.title, passage.text, *(text for _, text in passage.texts))


def _stands_in(value: int | str, texts: Sequence[str]) -> bool:
    """Whether the figure, or as many days, stands in one of the texts."""
    figures = {re.sub(r"\D", "", str(value))}
    if isinstance(value, int) and value % 24 == 0:
        figures.add(str(value // 24))
    joined = (_GROUPED.sub("", text) for text in texts)
    return any(figures & set(re.findall(r"\d+", text)) for text in joined)


class _Told:
    """A model that answers whatever it was told to."""

    def __init__(self) -> None:
        self.text = ""
        self.calls = 0

    def __call__(self, _: Body) -> Step:
        self.calls += 1
        return answer(self.text)


class Trial:
    """A running bot whose model writes what it is told to."""

    def __init__(self, bot: Process, model: _Told) -> None:
        self._bot = bot
        self._model = model

    @classmethod
    @asynccontextmanager
    async def opened(cls) -> AsyncIterator[Trial]:
        model = _Told()
        async with FakeOpenAI(model, record=False) as server:
            bot = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "ask", stdin=PIPE, stdout=PIPE, env=_environment(server.url)
            )
            try:
                yield cls(bot, model)
            finally:
                if bot.stdin is not None:
                    bot.stdin.close()
                await asyncio.wait_for(bot.wait(), _SECONDS)

    async def judge(self, drafts: Iterator[Draft], count: int) -> Outcome:
        """Have `count` drafts written and see what the bot says instead, or not."""
        shown: list[Draft] = []
        refused: list[Draft] = []
        calls = self._model.calls
        while len(shown) + len(refused) < count:
            draft, before = next(drafts), self._model.calls
            self._model.text = draft.text
            said = await _ask(self._bot, draft.item)
            if self._model.calls == before:  # answered before any model: says nothing about drafts
                continue
            same = said == cleaned(draft.text, Language.FRENCH)
            (shown if same else refused).append(draft)
        return Outcome(count, tuple(shown), tuple(refused), self._model.calls - calls)


def _environment(model: str) -> Mapping[str, str]:
    return {
        **os.environ,
        "OPENAI_API_KEY": "unused",
        "OPENAI_BASE_URL": model,
        "OPENAI_EMBEDDINGS_MODEL": "",
        "LLM_DAILY_TOKEN_BUDGET": "0",
        "RAG_CACHE_ENABLED": "false",
    }


async def _ask(bot: Process, item: Item) -> str:
    if bot.stdin is None or bot.stdout is None:
        raise RuntimeError("no pipe to the bot")
    bot.stdin.write(json.dumps({"id": item.id, "text": item.text}, ensure_ascii=False).encode() + b"\n")
    line = await asyncio.wait_for(bot.stdout.readline(), _SECONDS)
    if not line:
        raise RuntimeError(f"the bot stopped at {item.id}")
    return str(json.loads(line)["answer_text"])


async def both(items: Sequence[Item], count: int) -> tuple[Outcome, Outcome]:
    """The liar's outcome and the truthful one's."""
    library = await asyncio.to_thread(Library.load, DATA)
    async with Trial.opened() as trial:
        lies = await trial.judge(Author(library, items, seed=20261126).lies(), count)
        return lies, await trial.judge(Author(library, items, seed=20261125).true(), count)


def table(lies: Outcome, true: Outcome) -> str:
    """As Markdown."""
    rows = (
        ("with an invented figure or code", lies, "0 shown"),
        ("true", true, "at most 1 % refused"),
    )
    head = "| drafts of a fake model | n | shown | refused | goal |\n|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| {name} | {found.drafts} | {len(found.shown)} | {len(found.refused)} | {goal} |"
        for name, found, goal in rows
    )
