"""What a tap means, and the same choice typed as a digit or by its label."""

from __future__ import annotations

from collections.abc import Sequence

from config.texts import Texts
from domain.messages import Choice, InboundMessage, Language, MessageKind

FEEDBACK_YES = "fb:yes"
FEEDBACK_NO = "fb:no"
SEAL_KEEP = "seal:keep"
SEAL_ERASE = "seal:erase"
MENU = ("internet", "appel", "solde", "money", "conseiller")
_MENU_PREFIX = "menu:"


def menu(texts: Texts, language: Language) -> tuple[Choice, ...]:
    """The main menu."""
    return tuple(Choice(_MENU_PREFIX + name, texts.get(f"menu.{name}", language)) for name in MENU)


def rating(texts: Texts, language: Language) -> tuple[Choice, ...]:
    """The two answers to "was this useful?"."""
    return (
        Choice(FEEDBACK_YES, texts.get("commands.useful", language)),
        Choice(FEEDBACK_NO, texts.get("commands.not_useful", language)),
    )


def chosen(message: InboundMessage, text: str, offered: Sequence[Choice]) -> str | None:
    """The id of the choice a message makes, or None when it is no choice.

    A tap counts whether or not its reply was the last one, since buttons stay on the screen; what it
    carries is only ever compared with ids of ours, never used as data. A digit counts among the last
    choices only.
    """
    if message.kind is MessageKind.CHOICE:
        return str(message.payload.get("choice_id") or "") or None
    typed = text.strip().casefold()
    if typed.isdecimal() and len(typed) == 1 and 1 <= int(typed) <= len(offered):
        return offered[int(typed) - 1].id
    return next((choice.id for choice in offered if choice.label.casefold() == typed), None)


def menu_question(choice_id: str, texts: Texts, language: Language) -> str | None:
    """The question behind a menu choice, or None when the id is no menu choice of ours."""
    key = f"menu.{choice_id.removeprefix(_MENU_PREFIX)}_question"
    if choice_id.startswith(_MENU_PREFIX) and key in texts:
        return texts.get(key, language)
    return None
