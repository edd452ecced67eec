"""The two steps of a turn. Each reads the session and the turn's work, then says what comes next."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, RemoveMessage
from langgraph.graph import END
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.runtime import Runtime
from langgraph.types import Command

from agent.canned import Canned
from agent.drafting import Drafting
from agent.embedded import Embedded
from agent.kept_answers import KeptAnswers
from agent.shield import pseudonymise
from agent.wire import text_of
from agent.work import Work
from domain.answers import Answer, Utterance

Embed = Callable[[str], Awaitable[Sequence[float] | None]]
_LINES_FOR_RETRIEVAL = 8
_NOTHING: list[BaseMessage] = []


class Talk(TypedDict):
    """What a session remembers, as the nodes see it."""

    messages: list[AnyMessage]


class Nodes:
    """The steps, and what they work with."""

    def __init__(
        self,
        *,
        canned: Canned,
        embedded: Embedded,
        drafting: Drafting,
        kept: KeptAnswers,
        embed: Embed | None = None,
    ) -> None:
        self._canned = canned
        self._embedded = embedded
        self._drafting = drafting
        self._kept = kept
        self._embed = embed

    async def answer(self, state: Talk, runtime: Runtime[Work]) -> Command[Literal["repair", "__end__"]]:
        """Canned reply, or retrieve, then an answer kept from before, the model's, or one composed."""
        work = runtime.context
        history, before = earlier(state["messages"], work.question.message_id), _NOTHING
        if not history and (history := _seed(work)):
            before = [RemoveMessage(id=REMOVE_ALL_MESSAGES), *history, *state["messages"]]
        lines = [_line(message) for message in history[-_LINES_FOR_RETRIEVAL:]]
        work.first_exchange = not lines
        answer = self._canned_reply(work, lines)
        if answer is None:
            await self._retrieve(work, lines)
            answer = self._kept_answer(work) or await self._drafting.write(work, history)
            if answer is None and self._drafting.may_repair(work):
                return Command(update={"messages": before}, goto="repair")
        return self._end(work, answer or self._embedded_answer(work), before)

    async def repair(self, state: Talk, runtime: Runtime[Work]) -> Command[Literal["__end__"]]:
        """Let the model correct, once, a draft that said what no record says; else compose."""
        work = runtime.context
        return self._end(work, await self._drafting.repair(work) or self._embedded_answer(work))

    def _canned_reply(self, work: Work, lines: Sequence[Utterance]) -> Answer | None:
        question = work.question
        return self._canned.reply(
            question.text,
            flags=question.flags,
            language=work.language,
            history=lines,
            strict=question.channel_strict,
        )

    async def _retrieve(self, work: Work, lines: Sequence[Utterance]) -> None:
        started = time.perf_counter()
        found = work.retriever.find(work.question.text, lines)
        if self._embed is not None and not found.confident:
            vector = await self._embed(work.text)
            if vector is not None:
                found = work.retriever.find(work.question.text, lines, vector=vector)
        work.retrieval = found
        work.found(found.passages)
        work.spent.retrieval_ms = (time.perf_counter() - started) * 1000

    def _kept_answer(self, work: Work) -> Answer | None:
        answer = self._kept.find(work)
        if answer is not None and not self._drafting.still_holds(work, answer):
            self._kept.drop(work)
            return None
        work.from_cache = answer is not None
        return answer

    def _embedded_answer(self, work: Work) -> Answer:
        """Composed from what was found, without a model."""
        if work.retrieval is None:
            raise RuntimeError("nothing was retrieved")
        return self._embedded.compose(work.retrieval, work.question.text, work.language)

    def _end(self, work: Work, answer: Answer, before: Sequence[BaseMessage] = ()) -> Command[Any]:
        """The turn's answer, which also joins the session's messages."""
        self._kept.keep(work, answer)
        spent = work.spent
        work.answer = replace(
            answer,
            tool_calls=spent.tool_calls,
            model_calls=spent.model_calls,
            prompt_tokens=spent.prompt_tokens,
            completion_tokens=spent.completion_tokens,
            blocked=spent.blocked,
            retrieval_ms=spent.retrieval_ms,
            model_ms=spent.model_ms,
            handoff=answer.handoff or work.handoff,
            remember=answer.remember or work.remember,
            topic=answer.topic or work.topic_of(answer.passage_ids),
        )
        said = AIMessage(answer.text, id=f"{work.question.message_id}:answer")
        return Command(update={"messages": [*before, said]}, goto=END)


def earlier(messages: Sequence[AnyMessage], message_id: str) -> list[AnyMessage]:
    """What was said before this question: a turn that is run again must not read its own answer."""
    for i, message in enumerate(messages):
        if message.id == message_id:
            return list(messages[:i])
    return list(messages)


def _seed(work: Work) -> list[AnyMessage]:
    """The talk that came with the question."""
    seed: list[AnyMessage] = []
    for i, line in enumerate(work.question.context):
        kind = HumanMessage if line.role == "user" else AIMessage
        seed.append(kind(pseudonymise(line.text), id=f"{work.question.message_id}:context:{i}"))
    return seed


def _line(message: AnyMessage) -> Utterance:
    return Utterance("user" if isinstance(message, HumanMessage) else "bot", text_of(message))
