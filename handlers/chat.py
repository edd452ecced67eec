"""A question in words: asks the agent, and keeps what long-term memory needs of the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from config.texts import Texts
from domain.answers import Answer, Answerer, Origin, Question, Utterance
from domain.messages import ChatKey, Choice, Reply
from handlers import choices
from handlers.outcome import Outcome, TurnContext
from memory.records import Exchange, Profile
from monitoring.metrics import Metrics

# Every third answered question of a session asks whether the answer was useful: each one would tire a
# subscriber on a cheap phone.
RATING_EVERY = 3

Known = Callable[[Profile], Awaitable[str]]
Incident = Callable[[str], Awaitable[str | None]]
AskForPerson = Callable[[ChatKey, str], None]


class Chat:
    """Turns a question into an outcome.

    `known` summarises long-term memory for a new session; `incident` tells of a network incident that the
    question may be about; `ask_for_person` tells the admins that a subscriber wants a person; `anonymise`
    takes phone numbers out of what is kept.
    """

    def __init__(
        self,
        texts: Texts,
        answerer: Answerer,
        metrics: Metrics,
        *,
        known: Known,
        incident: Incident,
        ask_for_person: AskForPerson,
        anonymise: Callable[[str], str],
    ) -> None:
        self._texts = texts
        self._answerer = answerer
        self._metrics = metrics
        self._known = known
        self._incident = incident
        self._ask_for_person = ask_for_person
        self._anonymise = anonymise

    async def handle(self, context: TurnContext) -> Outcome:
        """Answer the turn's text."""
        answer = await self._answerer.answer(await self._question(context))
        self._count(answer)
        if answer.handoff:
            self._ask_for_person(context.key, context.text)
        incident = await self._incident(context.text)
        text = f"{incident}\n\n{answer.text}" if incident else answer.text
        return Outcome(
            replies=(Reply(text, choices=self._choices(context, answer)),),
            session=replace(
                context.session,
                documents=context.session.documents + len(answer.passage_ids),
                tool_calls=context.session.tool_calls + answer.tool_calls,
                language=answer.language,
            ),
            profile=replace(context.profile, language=answer.remember) if answer.remember else None,
            exchange=self._exchange(context, answer, text),
            answer=answer,
        )

    async def _question(self, context: TurnContext) -> Question:
        last = context.last
        asks_memory = context.new_session and not context.first_contact
        known = await self._known(context.profile) if asks_memory else ""
        return Question(
            key=context.key,
            message_id=f"{last.key.channel}:{last.external_id}",
            text=context.text,
            language=context.profile.language,
            known=known,
            context=tuple(Utterance(**line) for line in last.payload.get("context", ())),
            flags=tuple(sorted(context.flags)),
            channel_strict=context.key.channel == "whatsapp",
        )

    def _choices(self, context: TurnContext, answer: Answer) -> tuple[Choice, ...]:
        if answer.choices or answer.origin is Origin.CANNED or not answer.answered:
            return answer.choices
        if context.session.messages % RATING_EVERY:
            return ()
        return choices.rating(self._texts, answer.language)

    def _count(self, answer: Answer) -> None:
        self._metrics.answers.labels(origin=answer.origin, language=answer.language).inc()
        if answer.handoff:
            self._metrics.handoffs.inc()

    def _exchange(self, context: TurnContext, answer: Answer, text: str) -> Exchange:
        return Exchange(
            key=context.key,
            at=context.now,
            session_started_at=context.session.created_at,
            question=self._anonymise(context.text),
            answer=text,
            language=answer.language,
            origin=answer.origin,
            passage_ids=answer.passage_ids,
            answered=answer.answered,
        )
