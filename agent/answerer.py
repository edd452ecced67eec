"""The agent as the handlers see it: a question in, an answer out, whatever the model does."""

from __future__ import annotations

import asyncio
import logging

from langchain_core.messages import HumanMessage

from agent.calling import Caller
from agent.embedded import Embedded
from agent.graph import Graph, run_graph
from agent.language import detect
from agent.shield import pseudonymise
from agent.work import Work
from domain.answers import Answer, Question
from rag.library import Library
from transport.deadlines import Deadlines

logger = logging.getLogger(__name__)

_MODEL_SHARE = 0.8  # of the turn's time; the rest is for answering without the model


class Agent:
    """Answers questions over one graph. Holds nothing of a turn between turns."""

    def __init__(
        self,
        graph: Graph,
        library: Library,
        embedded: Embedded,
        caller: Caller | None,
        *,
        turn_timeout: float,
    ) -> None:
        self._graph = graph
        self._library = library
        self._embedded = embedded
        self._caller = caller
        self._turn_timeout = turn_timeout
        self._deadlines = Deadlines()

    async def answer(self, question: Question) -> Answer:
        """Answer within the turn's time limit. Raises only what the checkpointer raises."""
        work = self._work(question)
        asked = HumanMessage(work.text, id=question.message_id)
        try:
            with self._deadlines.within(self._turn_timeout):
                await run_graph(self._graph, str(question.key), asked, work)
        except TimeoutError:
            logger.warning("turn out of time", extra={"action": "turn_timeout"})
        return work.answer or self._composed(work)

    def _work(self, question: Question) -> Work:
        caller = self._caller
        return Work(
            question=question,
            text=pseudonymise(question.text),
            language=detect(question.text, default=question.language),
            retriever=self._library.retriever,
            version=self._library.version,
            use_model=caller is not None and question.allow_model and caller.allows(question.key),
            deadline=asyncio.get_running_loop().time() + self._turn_timeout * _MODEL_SHARE,
        )

    def _composed(self, work: Work) -> Answer:
        """An answer outside the graph, when its time was over: better than none, though not remembered."""
        retrieval = work.retrieval or work.retriever.find(work.question.text)
        return self._embedded.compose(retrieval, work.question.text, work.language)
