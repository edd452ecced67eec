"""Builds the agent out of its parts: the one place that knows them all."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date

from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.answerer import Agent
from agent.breaker import Breaker
from agent.budget import Budget
from agent.calling import Caller, Completes
from agent.canned import Canned
from agent.drafting import Drafting
from agent.embedded import Embedded
from agent.graph import build_graph
from agent.kept_answers import KeptAnswers
from agent.nodes import Embed, Nodes
from agent.prompting import Prompts
from config.texts import Texts
from domain.niger import day_of
from monitoring.metrics import Metrics
from rag.cache import AnswerCache
from rag.library import Library


def build_agent(
    *,
    library: Library,
    texts: Texts,
    metrics: Metrics,
    checkpointer: BaseCheckpointSaver[str],
    model: Completes | None = None,
    breaker: Breaker | None = None,
    budget: Budget | None = None,
    cache: AnswerCache | None = None,
    embed: Embed | None = None,
    max_history_tokens: int = 3000,
    max_session_messages: int = 50,
    turn_timeout: float = 30.0,
    clock: Callable[[], float] = time.time,
) -> Agent:
    """The agent. Without a model it answers from the knowledge alone."""
    caller = None
    if model is not None:
        caller = Caller(model, breaker or Breaker(metrics.breaker_open), budget, metrics)
    embedded = Embedded(texts)

    def today() -> date:
        return day_of(clock())

    nodes = Nodes(
        canned=Canned(texts, lambda: library.retriever),
        embedded=embedded,
        drafting=Drafting(Prompts.load(), caller, metrics, today),
        kept=KeptAnswers(cache, today, with_model=model is not None),
        embed=embed,
    )
    graph = build_graph(nodes, checkpointer, max_tokens=max_history_tokens, max_messages=max_session_messages)
    return Agent(graph, library, embedded, caller, turn_timeout=turn_timeout)
