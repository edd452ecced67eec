"""Drafts of the model, and the check that lets one become an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from langchain_core.messages import AnyMessage

from agent.calling import MOST_CALLS, Caller
from agent.drafts import cleaned
from agent.grounding import Grounding, inspect
from agent.prompting import Prompts
from agent.shield import pseudonymise
from agent.tools import run_tools, tool_schemas
from agent.wire import assistant
from agent.work import Work
from domain.answers import Answer, Origin
from domain.errors import ModelFailed, RateLimited
from monitoring.metrics import Metrics

MOST_SOURCES = 5
_MOST_CHARS = 2000  # of what a model wrote, when it is shown to it again
_MOST_ARGUMENTS = 4000


class Drafting:
    """Lets the model write, and sends a draft only when it says what the found records say."""

    def __init__(
        self, prompts: Prompts, caller: Caller | None, metrics: Metrics, today: Callable[[], date]
    ) -> None:
        self._prompts = prompts
        self._caller = caller
        self._metrics = metrics
        self._today = today
        self._tools = tool_schemas()

    async def write(self, work: Work, history: Sequence[AnyMessage]) -> Answer | None:
        """The model's answer; None when there is no model, when it failed, or when its draft was blocked."""
        if self._caller is None or not work.use_model or _is_old(work):
            return None
        work.prompt = self._prompts.conversation(
            history,
            question=work.text,
            language=work.language,
            known=pseudonymise(work.question.known),
            passages=work.told(),
        )
        return await self.repair(work)

    async def repair(self, work: Work) -> Answer | None:
        """What the model makes of the prompt as it stands; None like `write`."""
        if self._caller is None:
            return None
        try:
            draft = await self._draft(self._caller, work)
        except (ModelFailed, RateLimited):
            return None
        text = cleaned(draft, work.language)
        grounding, faults = self._checked(work, text)
        if not faults:
            return _answer(work, text, grounding.cited)
        work.spent.blocked += 1
        self._metrics.grounding_blocks.inc()
        work.prompt += self._prompts.repair_of(text[:_MOST_CHARS], faults)
        return None

    @staticmethod
    def may_repair(work: Work) -> bool:
        """Whether a draft was blocked and the model has another try."""
        return work.spent.blocked == 1 and work.spent.model_calls < MOST_CALLS

    def still_holds(self, work: Work, answer: Answer) -> bool:
        """Whether the records found now say what an earlier answer said."""
        # It may rest on what the model's own search found.
        work.found(p for p in map(work.retriever.get, answer.passage_ids) if p is not None)
        _, faults = self._checked(work, answer.text)
        return not faults

    def _checked(self, work: Work, text: str) -> tuple[Grounding, tuple[str, ...]]:
        grounding = inspect(
            text,
            work.told(),
            question=work.question.text,
            known_codes=work.retriever.codes(),
            today=self._today(),
        )
        return grounding, (*grounding.faults, *self._prompts.faults(text))

    async def _draft(self, caller: Caller, work: Work) -> str:
        """The loop of model and tools. A repair has everything it needs and gets no second search."""
        while True:
            said = await caller.ask(work, work.prompt, tools=self._tools)
            if not (said.calls or said.broken):
                return said.text
            if work.spent.blocked or any(len(str(c.arguments)) > _MOST_ARGUMENTS for c in said.calls):
                raise ModelFailed("the model asked for a tool where it may not")
            work.prompt += [
                assistant(said.text[:_MOST_CHARS], said.calls, said.broken),
                *run_tools(work, said),
            ]


def _answer(work: Work, text: str, cited: Sequence[str]) -> Answer:
    sources = tuple(dict.fromkeys((*cited, *work.passages)))[:MOST_SOURCES]
    found = work.retrieval is not None and work.retrieval.confident
    return Answer(
        text=text,
        language=work.language,
        origin=Origin.MODEL,
        passage_ids=sources,
        answered=found or bool(cited),
        topic=work.passages[sources[0]].topic if sources else "",
    )


def _is_old(work: Work) -> bool:
    """Whether the best row was checked too long ago: the composed answer tells its date, a draft may not."""
    found = work.retrieval
    return found is not None and bool(found.passages) and not found.passages[0].fresh
