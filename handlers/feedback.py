"""Keeps what subscribers think of an answer."""

from __future__ import annotations

from config.texts import Texts
from domain.messages import Purpose, Reply
from handlers.outcome import Outcome, TurnContext
from monitoring.metrics import Metrics


class Feedback:
    """Stores a rating of the chat's newest exchange with the turn."""

    def __init__(self, texts: Texts, metrics: Metrics) -> None:
        self._texts = texts
        self._metrics = metrics

    def rate(self, context: TurnContext, *, useful: bool) -> Outcome:
        """Thank the subscriber; a bad rating also names the way to a person."""
        self._metrics.feedback.labels(useful=str(useful).lower()).inc()
        key = "commands.thanks_rating" if useful else "commands.sorry_rating"
        reply = Reply(self._texts.get(key, context.language), purpose=Purpose.NOTICE)
        return Outcome(replies=(reply,), rating=useful)
