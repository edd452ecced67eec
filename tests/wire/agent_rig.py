"""The real agent over the real knowledge, its model a fake server on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import count
from typing import Any

import aiohttp
from langchain_core.messages import AnyMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from agent.answerer import Agent
from agent.breaker import Breaker
from agent.budget import Budget
from agent.building import build_agent
from agent.model import ChatModel
from config.settings import ROOT
from config.texts import Texts
from domain.answers import Answer, Question
from domain.messages import ChatKey
from monitoring.metrics import Metrics
from rag.cache import AnswerCache
from rag.library import Library
from tests.fakes.openai import FakeOpenAI, Script, Step

TODAY = date(2026, 11, 25)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
QUESTION = "j'ai 500 F, je veux internet pour la semaine"
TRUE_DRAFT = "Avec 500 F : 400 Mo, valable 7 jours.\n*141*3#"


@lru_cache(maxsize=1)
def library() -> Library:
    return Library.load(ROOT / "data", today=lambda: TODAY)


@lru_cache(maxsize=1)
def texts() -> Texts:
    return Texts.load(ROOT / "data" / "texts")


@dataclass
class Rig:
    agent: Agent
    server: FakeOpenAI
    metrics: Metrics
    saver: BaseCheckpointSaver[str]
    cache: AnswerCache | None
    _ids: Iterable[int] = field(default_factory=lambda: count(1))

    async def ask(self, text: str = QUESTION, *, chat: str = "1", **question: Any) -> Answer:
        message_id = question.pop("message_id", f"web:{next(iter(self._ids))}")
        return await self.agent.answer(Question(ChatKey("web", "page", chat), message_id, text, **question))

    async def state(self, chat: str = "1") -> list[AnyMessage]:
        config = {"configurable": {"thread_id": str(ChatKey("web", "page", chat))}}
        found = await self.saver.aget_tuple(config)  # type: ignore[arg-type]  # a plain dict is a config
        messages: list[AnyMessage] = found.checkpoint["channel_values"]["messages"] if found else []
        return messages

    def calls(self) -> int:
        return len(self.server.bodies)

    async def until_called(self, calls: int) -> None:
        """Wait for the model server to be asked that often."""
        async with asyncio.timeout(30):
            while self.calls() < calls:  # noqa: ASYNC110  # the fake server is polled, it tells nobody
                await asyncio.sleep(0.005)

    def last_user_message(self) -> str:
        return str(
            next(m for m in reversed(self.server.bodies[-1]["messages"]) if m["role"] == "user")["content"]
        )

    def tool_results(self) -> list[str]:
        return [str(m["content"]) for m in self.server.bodies[-1]["messages"] if m["role"] == "tool"]


@asynccontextmanager
async def agent_rig(
    script: Iterable[Step] | Script = (),
    *,
    attempt_timeout: float = 5.0,
    turn_timeout: float = 10.0,
    cached: bool = False,
    budget: Budget | None = None,
    breaker: Breaker | None = None,
    saver: BaseCheckpointSaver[str] | None = None,
    with_model: bool = True,
    max_history_tokens: int = 3000,
    knowledge: Library | None = None,
) -> AsyncIterator[Rig]:
    metrics = Metrics()
    saver = saver or InMemorySaver()
    cache = AnswerCache(metrics, size=50, ttl=3600, clock=lambda: NOON) if cached else None
    async with aiohttp.ClientSession() as http, FakeOpenAI(script) as server:
        model = ChatModel.build(
            http, model="fake", base_url=server.url, key=None, timeout=attempt_timeout, max_tokens=300
        )
        agent = build_agent(
            library=knowledge or library(),
            texts=texts(),
            metrics=metrics,
            checkpointer=saver,
            model=model.completions if with_model else None,
            breaker=breaker or Breaker(metrics.breaker_open),
            budget=budget,
            cache=cache,
            max_history_tokens=max_history_tokens,
            max_session_messages=50,
            turn_timeout=turn_timeout,
            clock=lambda: NOON,
        )
        yield Rig(agent, server, metrics, saver, cache)
