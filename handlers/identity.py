"""Seals old memory when the identity behind a chat changes, until the subscriber confirms.

A recycled number or a swapped SIM must not show its new owner what the old one asked.
"""

from __future__ import annotations

from dataclasses import replace

from config.texts import Texts
from domain.messages import Choice, Reply
from handlers import choices
from handlers.outcome import Outcome, TurnContext

_CHANGES = frozenset({"identity_changed", "number_changed", "user_changed"})


class Identity:
    """Answers notices of the platform about the chat itself."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def changed(self, context: TurnContext) -> Outcome:
        """Seal on a change of identity, end the session so that nothing of it is shown; never reply."""
        event = context.last.payload.get("event")
        if event in _CHANGES:
            return Outcome(profile=replace(context.profile, sealed=True), end_session=True)
        if event in {"blocked", "unblocked"}:
            return Outcome(profile=replace(context.profile, reachable=event == "unblocked"))
        return Outcome()

    def ask(self, context: TurnContext, answer: Outcome) -> Outcome:
        """Answer the question, and ask once a session whether the old talks were theirs."""
        if not context.new_session:
            return answer
        language = context.language
        offered = (
            Choice(choices.SEAL_KEEP, self._texts.get("commands.seal_keep", language)),
            Choice(choices.SEAL_ERASE, self._texts.get("commands.seal_erase", language)),
        )
        return answer.saying(Reply(self._texts.get("commands.sealed", language), choices=offered))

    def decide(self, context: TurnContext, *, keep: bool) -> Outcome:
        """Unseal, or erase everything. Only a sealed profile can be decided on."""
        if not context.profile.sealed:
            return Outcome(replies=(Reply(self._texts.get("commands.no_more", context.language)),))
        if not keep:
            reply = Reply(self._texts.get("commands.new_session", context.language))
            return Outcome(replies=(reply,), erase=True)
        reply = Reply(self._texts.get("commands.seal_kept", context.language))
        return Outcome(replies=(reply,), profile=replace(context.profile, sealed=False))
