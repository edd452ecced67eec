"""The three steps of a turn. Each reads the session and the turn's work, then says what comes next."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Literal, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langgraph.graph import END
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.runtime import Runtime
from langgraph.types import Command

from agent.calling import MOST_CALLS, Caller
from agent.canned import Canned
from agent.drafts import cleaned
from agent.embedded import Embedded
from agent.grounding import inspect
from agent.prompting import Prompts
from agent.shield import pseudonymise
from agent.tools import run_tools, tool_schemas
from agent.work import Work
from domain.answers import Answer, Origin, Utterance
from domain.errors import ModelFailed, RateLimited
from monitoring.metrics import Metrics
from rag.cache import AnswerCache, CacheKey
from rag.normalise import tokenise
from rag.passages import Passage

Embed = Callable[[str], Awaitable[Sequence[float] | None]]
MOST_SOURCES = 5
CONTACT = "T-SERVICE-CLIENT"
_LINES_FOR_RETRIEVAL = 8
_MOST_CHARS = 2000  # of what a model wrote, when it is shown to it again
_MOST_ARGUMENTS = 4000
_OWN_WORD = 4  # letters of the shortest word that may be about the subscriber
_ASIDE = "horssujet"  # the sense of words that are about anything but us


class Talk(TypedDict):
    """What a session remembers, as the nodes see it."""

    messages: list[AnyMessage]


class Nodes:
    """The steps, and what they work with."""

    def __init__(
        self,
        *,
        prompts: Prompts,
        canned: Canned,
        embedded: Embedded,
        caller: Caller | None,
        cache: AnswerCache | None,
        metrics: Metrics,
        today: Callable[[], date],
        embed: Embed | None = None,
    ) -> None:
        self._prompts = prompts
        self._canned = canned
        self._embedded = embedded
        self._caller = caller
        self._cache = cache
        self._metrics = metrics
        self._today = today
        self._embed = embed
        self._tools = tool_schemas()

    async def retrieve(
        self, state: Talk, runtime: Runtime[Work]
    ) -> Command[Literal["answer", "ground", "__end__"]]:
        """Answer without looking anything up, or find what the answer must rest on."""
        work = runtime.context
        history = earlier(state["messages"], work.question.message_id)
        seed = [] if history else _seed(work)
        lines = [_line(message) for message in (history or seed)[-_LINES_FOR_RETRIEVAL:]]
        update: dict[str, Any] = {}
        if seed:
            update["messages"] = [RemoveMessage(id=REMOVE_ALL_MESSAGES), *seed, *state["messages"]]
        work.first_exchange = not lines
        canned = self._canned.reply(
            work.question.text,
            flags=work.question.flags,
            language=work.language,
            history=lines,
            strict=work.question.channel_strict,
        )
        if canned is not None:
            return self._end(work, canned, update)
        await self._find(work, lines)
        return Command(update=update, goto="ground" if self._look_up(work) else "answer")

    async def answer(self, state: Talk, runtime: Runtime[Work]) -> Command[Literal["ground", "__end__"]]:
        """Let the model write a draft; without it, compose the answer from what was found."""
        work = runtime.context
        if self._caller is None or not work.use_model or _is_old(work):
            return self._compose(work)
        if not work.prompt:
            work.prompt = self._prompts.conversation(
                earlier(state["messages"], work.question.message_id),
                question=work.text,
                language=work.language,
                known=pseudonymise(work.question.known),
                passages=self._told(work),
            )
        try:
            work.draft = await self._draft(self._caller, work)
        except (ModelFailed, RateLimited):
            return self._compose(work)
        return Command(goto="ground")

    async def ground(self, state: Talk, runtime: Runtime[Work]) -> Command[Literal["answer", "__end__"]]:
        """Send a draft only when it says what the found records say; else one repair, then compose."""
        work = runtime.context
        if work.cached:  # it may rest on what the model's own search found
            work.found(p for p in map(work.retriever.get, work.cached.passage_ids) if p is not None)
        text = work.cached.text if work.cached else cleaned(work.draft, work.language)
        grounding = inspect(
            text,
            self._told(work),
            question=work.question.text,
            known_codes=work.retriever.codes(),
            today=self._today(),
        )
        faults = (*grounding.faults, *self._prompts.faults(text))
        if work.cached:
            return self._use_cached(work, work.cached, faults)
        if not faults:
            return self._end(work, self._of_model(work, text, grounding.cited))
        work.spent.blocked += 1
        self._metrics.grounding_blocks.inc()
        if work.spent.blocked > 1 or work.spent.model_calls >= MOST_CALLS:
            return self._compose(work)
        work.prompt += self._prompts.repair_of(text[:_MOST_CHARS], faults)
        return Command(goto="answer")

    def _told(self, work: Work) -> tuple[Passage, ...]:
        """What was found, and how to reach a person, which every answer may say."""
        contact = work.retriever.get(CONTACT)
        found = tuple(work.passages.values())
        return found if contact is None or contact.id in work.passages else (*found, contact)

    async def _find(self, work: Work, lines: Sequence[Utterance]) -> None:
        started = time.perf_counter()
        found = work.retriever.find(work.question.text, lines)
        if self._embed is not None and not found.confident:
            vector = await self._embed(work.text)
            if vector is not None:
                found = work.retriever.find(work.question.text, lines, vector=vector)
        work.retrieval = found
        work.found(found.passages)
        work.spent.retrieval_ms = (time.perf_counter() - started) * 1000

    def _look_up(self, work: Work) -> bool:
        """Whether the cache holds an answer; notes under which key this one may be kept."""
        found, question = work.retrieval, work.question
        with_model = self._caller is not None and question.allow_model
        personal = bool(question.flags) or work.text != question.text or (with_model and bool(question.known))
        if self._cache is None or found is None or found.inherited or personal or not found.normalised:
            return False
        version = f"{work.version}:{self._today()}"  # an offer may end at midnight
        # The cache goes to disk: words nobody knows, such as names, must not go with it.
        asked = hashlib.blake2b(found.normalised.encode("utf-8", "replace"), digest_size=16).hexdigest()
        work.cache_key = CacheKey(asked, work.language, version, with_model)
        work.cached = self._cache.get(work.cache_key)
        return work.cached is not None

    def _use_cached(
        self, work: Work, cached: Answer, faults: Sequence[str]
    ) -> Command[Literal["answer", "__end__"]]:
        if not faults:
            return self._end(work, cached)
        if self._cache is not None and work.cache_key is not None:
            self._cache.drop(work.cache_key)
        work.cached = None
        return Command(goto="answer")

    async def _draft(self, caller: Caller, work: Work) -> str:
        """The loop of model and tools. A repair has everything it needs and gets no second search."""
        while True:
            message = await caller.ask(work, work.prompt, tools=self._tools)
            if not (message.tool_calls or message.invalid_tool_calls):
                return message.text
            if work.spent.blocked or any(len(str(c["args"])) > _MOST_ARGUMENTS for c in message.tool_calls):
                raise ModelFailed("the model asked for a tool where it may not")
            work.prompt += [_short(message), *run_tools(work, message)]

    def _compose(self, work: Work) -> Command[Any]:
        """The embedded answer. It is kept only where no model could have given a better one."""
        if work.retrieval is None:
            raise RuntimeError("nothing was retrieved")
        answer = self._embedded.compose(work.retrieval, work.question.text, work.language)
        if self._caller is None or not work.question.allow_model:
            self._keep(work, answer)
        return self._end(work, answer)

    def _of_model(self, work: Work, text: str, cited: Sequence[str]) -> Answer:
        sources = tuple(dict.fromkeys((*cited, *work.passages)))[:MOST_SOURCES]
        found = work.retrieval is not None and work.retrieval.confident
        answer = Answer(
            text=text,
            language=work.language,
            origin=Origin.MODEL,
            passage_ids=sources,
            answered=found or bool(cited),
            topic=_topic(work.passages[sources[0]]) if sources else "",
        )
        if work.first_exchange:  # later ones may quote what this subscriber said before
            self._keep(work, answer)
        return answer

    def _keep(self, work: Work, answer: Answer) -> None:
        asks = work.handoff or work.remember or answer.handoff or answer.remember
        if self._cache is None or work.cache_key is None or asks or not answer.answered:
            return
        if not self._repeats(work, answer.text):
            self._cache.put(work.cache_key, answer)

    def _repeats(self, work: Work, text: str) -> bool:
        """Whether a text says again what only this subscriber said: words that no record has."""
        words = work.retrieval.reading.words if work.retrieval is not None else ()
        about_us = " ".join(
            w.text for w in words if w.number is not None or (w.senses and _ASIDE not in w.senses)
        )
        own = {word for word in tokenise(work.question.text) if len(word) >= _OWN_WORD}.difference(
            about_us.split()
        )
        repeated = own.intersection(tokenise(text))
        if not repeated:
            return False
        told = " ".join(f"{p.title} {p.text} {p.wording(work.language)}" for p in self._told(work))
        return not repeated <= set(tokenise(told))

    def _end(self, work: Work, answer: Answer, update: dict[str, Any] | None = None) -> Command[Any]:
        """The turn's answer, which also joins the session's messages."""
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
            topic=answer.topic or _first_topic(work, answer),
        )
        said = AIMessage(answer.text, id=f"{work.question.message_id}:answer")
        messages = [*(update or {}).get("messages", ()), said]
        return Command(update={"messages": messages}, goto=END)


def _is_old(work: Work) -> bool:
    """Whether the best row was checked too long ago: the composed answer tells its date, a draft may not."""
    found = work.retrieval
    return found is not None and bool(found.passages) and not found.passages[0].fresh


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
    return Utterance("user" if isinstance(message, HumanMessage) else "bot", message.text)


def _short(message: AIMessage) -> AIMessage:
    """A message with calls as the next request repeats it."""
    return AIMessage(
        message.text[:_MOST_CHARS],
        tool_calls=message.tool_calls,
        invalid_tool_calls=message.invalid_tool_calls,
    )


def _topic(passage: Passage) -> str:
    return passage.offer.category if passage.offer is not None else passage.id


def _first_topic(work: Work, answer: Answer) -> str:
    first = next((work.passages[i] for i in answer.passage_ids if i in work.passages), None)
    return _topic(first) if first is not None else ""
