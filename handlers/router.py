"""Chooses who answers a turn: by what was sent, then by what it says."""

from __future__ import annotations

from collections.abc import Mapping

from config.texts import Texts
from domain.messages import MessageKind, Reply
from handlers import choices
from handlers.feedback import Feedback
from handlers.identity import Identity
from handlers.outcome import Handler, Outcome, TurnContext

# An edit is never a second turn, a reaction asks nothing, and groups are left by their channel.
_SILENT = frozenset({MessageKind.EDITED, MessageKind.REACTION, MessageKind.GROUP})
# Kinds whose caption, if any, is a question like any other.
_CAPTIONED = frozenset({MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.DOCUMENT})
_EXCUSES = {
    MessageKind.IMAGE: "commands.image",
    MessageKind.VIDEO: "commands.image",
    MessageKind.DOCUMENT: "commands.document",
    MessageKind.STICKER: "commands.sticker",
    MessageKind.LOCATION: "commands.location",
    MessageKind.CONTACT: "commands.contact",
    MessageKind.UNSUPPORTED: "commands.unsupported",
}
_MORE = frozenset({"suite", "la suite", "more", "ci gaba"})


class Router:
    """The one handler that the turn calls; passes each turn to the handler it belongs to."""

    def __init__(
        self,
        texts: Texts,
        *,
        chat: Handler,
        voice: Handler,
        commands: Mapping[str, Handler],
        feedback: Feedback,
        identity: Identity,
    ) -> None:
        self._texts = texts
        self._chat = chat
        self._voice = voice
        self._commands = commands
        self._feedback = feedback
        self._identity = identity

    async def handle(self, context: TurnContext) -> Outcome:
        """Answer the turn, or stay silent where an answer would be wrong."""
        if context.profile.blocked or context.kind in _SILENT:
            return Outcome()
        if context.kind is MessageKind.SYSTEM:
            return self._identity.changed(context)
        if context.kind is MessageKind.COMMAND:
            return await self._command(context)
        if context.kind is MessageKind.VOICE:
            return await self._voice.handle(context)
        if context.kind in _EXCUSES and not (context.kind in _CAPTIONED and context.text.strip()):
            return self._say(context, _EXCUSES[context.kind])
        return await self._text(context)

    async def _command(self, context: TurnContext) -> Outcome:
        name = context.text.split(maxsplit=1)[0].lower().removeprefix("/").partition("@")[0]
        handler = self._commands.get(name)
        if handler is None:
            return self._say(context, "commands.unknown_command")
        return await handler.handle(context)

    async def _text(self, context: TurnContext) -> Outcome:
        typed = context.text.strip()
        if context.session.rest and typed.casefold() in _MORE:
            return Outcome(replies=(Reply(context.session.rest),))
        choice = choices.chosen(context.last, typed, context.session.choices)
        if choice is not None:
            return await self._choice(context, choice)
        if not typed:
            return self._say(context, "commands.empty")
        if context.profile.sealed:
            return self._identity.ask(context, await self._chat.handle(context))
        return await self._chat.handle(context)

    async def _choice(self, context: TurnContext, choice: str) -> Outcome:
        if choice in {choices.FEEDBACK_YES, choices.FEEDBACK_NO}:
            return self._feedback.rate(context, useful=choice == choices.FEEDBACK_YES)
        if choice in {choices.SEAL_KEEP, choices.SEAL_ERASE}:
            return self._identity.decide(context, keep=choice == choices.SEAL_KEEP)
        question = choices.menu_question(choice, self._texts, context.language) or context.text
        return await self._chat.handle(context.asking(question))

    def _say(self, context: TurnContext, key: str) -> Outcome:
        return Outcome(replies=(Reply(self._texts.get(key, context.language)),))
