"""Builds what thinks: the LangGraph agent, the sessions and their state.

The running bot imports this module when it serves already (`bot/answering.py`): LangGraph and LangChain take
longer to import than everything else together, the OpenAI SDK as long again.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.breaker import Breaker
from agent.building import build_agent
from agent.calling import Completes
from bot.assembly import Core
from config.settings import Settings
from domain.answers import Answerer
from memory.checkpointer import Checkpointer
from memory.encryption import StateCipher
from memory.serializer import StateSerializer
from memory.session_manager import SessionManager


@dataclass(frozen=True, slots=True)
class Mind:
    """What turns a question into an answer and remembers the talk."""

    agent: Answerer
    states: Checkpointer
    sessions: SessionManager


def build_mind(core: Core) -> Mind:
    """The mind on an open core. Reads and writes nothing yet, so any thread may build it."""
    settings, metrics = core.settings, core.metrics
    states = Checkpointer(
        core.store.checkpoints,
        StateSerializer(cipher=_cipher(settings)),
        cache_bytes=settings.memory_cache_bytes,
        clock=core.clock,
        on_trouble=lambda text: core.alerting.report("TROUBLE", text),
    )
    agent = build_agent(
        library=core.library,
        texts=core.texts,
        metrics=metrics,
        checkpointer=states,
        model=_model(core),
        breaker=Breaker(metrics.breaker_open),
        budget=core.budget,
        cache=core.cache,
        embed=core.embedder.of_question if core.embedder else None,
        max_history_tokens=settings.max_history_tokens,
        max_session_messages=settings.max_session_messages,
        turn_timeout=settings.llm_turn_timeout,
        clock=core.clock,
    )
    timeout = settings.session_timeout
    return Mind(
        agent, states, SessionManager(core.store, timeout=timeout, forget=states.forget, clock=core.clock)
    )


def _cipher(settings: Settings) -> StateCipher | None:
    if settings.memory_encryption_key is None:
        return None
    old = settings.memory_encryption_old_key
    return StateCipher(
        settings.memory_encryption_key.get_secret_value(), old.get_secret_value() if old else None
    )


def _model(core: Core) -> Completes | None:
    settings = core.settings
    if not settings.model_enabled:
        return None
    from agent.model import ChatModel  # only who has a model waits for the OpenAI SDK

    return ChatModel.build(
        core.http,
        model=settings.openai_model,
        base_url=settings.openai_base_url,
        key=settings.openai_api_key,
        timeout=settings.llm_timeout,
        max_tokens=settings.llm_max_tokens,
    ).completions
