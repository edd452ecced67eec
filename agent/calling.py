"""Calls of the model with everything around them: breaker, budget, time limit, one retry, figures.

This is the only retry layer. A turn makes at most MOST_CALLS calls and survives one failure; the second
ends the model's part of the turn, and the embedded answerer takes over.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agent.breaker import Breaker
from agent.budget import Budget
from agent.trimming import TOKENS_PER_MESSAGE, estimate_tokens
from agent.wire import Completion, Message
from agent.work import Work
from domain.errors import ModelFailed, ModelRefused, RateLimited
from domain.messages import ChatKey
from monitoring.metrics import Metrics

logger = logging.getLogger(__name__)

MOST_CALLS = 8
MOST_FAILURES = 2
LONGEST_WAIT = 3.0  # a subscriber waits no longer for a server that says when: the catalogue answers now
_RETRY_PAUSE = (0.1, 0.4)


class Completes(Protocol):
    """A chat model: `agent.model.Completions`, loaded on demand because of what its module imports."""

    async def complete(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]], until: float
    ) -> Completion:
        """One attempt, ended at loop time `until`. Raises ModelFailed, RateLimited or ModelRefused."""
        ...


class OutOfCalls(ModelFailed):
    """The turn has used up its calls."""


class Caller:
    """Asks the model on behalf of turns."""

    def __init__(self, model: Completes, breaker: Breaker, budget: Budget | None, metrics: Metrics) -> None:
        self._model = model
        self._breaker = breaker
        self._budget = budget
        self._metrics = metrics

    def allows(self, key: ChatKey) -> bool:
        """Whether this chat may use the model now, as far as money goes."""
        return self._budget is None or self._budget.allows(key)

    async def ask(
        self, work: Work, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]]
    ) -> Completion:
        """One answer of the model, after at most one retry. Raises ModelFailed, RateLimited, ModelRefused."""
        while True:
            if work.spent.model_calls >= MOST_CALLS:
                raise OutOfCalls("the turn has used up its model calls")
            if not self._breaker.acquire():
                self._metrics.model_calls.labels(outcome="held").inc()
                raise ModelFailed("the breaker is open")
            try:
                return await self._attempt(work, messages, tools)
            except ModelRefused:
                raise
            except (RateLimited, ModelFailed) as error:
                if not await self._waited(work, error):
                    raise

    async def _waited(self, work: Work, error: RateLimited | ModelFailed) -> bool:
        """Wait before the retry; False when there is to be none."""
        seconds = error.seconds if isinstance(error, RateLimited) else random.uniform(*_RETRY_PAUSE)
        work.spent.failures += 1
        logger.warning("model call failed: %s", error, extra={"action": "model_failed"})
        left = work.deadline - asyncio.get_running_loop().time()
        if work.spent.failures >= MOST_FAILURES or seconds > min(LONGEST_WAIT, left):
            return False  # raised there: a frame that holds the error it raises is garbage to be searched for
        await asyncio.sleep(seconds + random.uniform(0.02, 0.1))
        return True

    async def _attempt(
        self, work: Work, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]
    ) -> Completion:
        started = time.perf_counter()
        work.spent.model_calls += 1
        outcome = "failed"
        try:
            said = await self._model.complete(messages, tools=tools, until=work.deadline)
            self._breaker.succeeded()
            outcome = "ok"
        except RateLimited as error:
            outcome = "limited"
            self._breaker.failed()
            self._breaker.hold(error.seconds)
            raise
        except ModelRefused as error:
            outcome = "refused"
            (self._breaker.abandoned if error.ours else self._breaker.failed)()
            raise
        except ModelFailed:
            self._breaker.failed()
            raise
        except BaseException:  # cancelled, or a fault of ours: the probe must not stay taken
            outcome = "abandoned"
            self._breaker.abandoned()
            raise
        finally:
            work.spent.model_ms += (time.perf_counter() - started) * 1000
            self._metrics.model_calls.labels(outcome=outcome).inc()
        self._count(work, messages, said)
        return said

    def _count(self, work: Work, messages: Sequence[Message], said: Completion) -> None:
        prompt, written = said.prompt_tokens, said.completion_tokens
        if not prompt + written:  # the server does not say: an estimate keeps the budget honest
            prompt = sum(estimate_tokens(m["content"] or "") + TOKENS_PER_MESSAGE for m in messages)
            written = estimate_tokens(said.text)
        work.spent.prompt_tokens += prompt
        work.spent.completion_tokens += written
        self._metrics.tokens.labels(direction="prompt").inc(prompt)
        self._metrics.tokens.labels(direction="completion").inc(written)
        if self._budget is not None:
            self._budget.spend(work.question.key, prompt + written)
