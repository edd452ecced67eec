"""What long-term memory tells the agent about a subscriber, when a new session starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from domain.messages import Language
from domain.niger import local
from memory.base import LongTerm
from memory.records import Exchange, Profile

LOOK_BACK = 12  # newest exchanges looked at
TOPICS = 3
QUESTION_CHARS = 80
_DAY = 86_400.0
_LANGUAGES = {
    Language.FRENCH: "français",
    Language.HAUSA: "haoussa",
    Language.ZARMA: "zarma",
    Language.ENGLISH: "anglais",
}


class Known:
    """A few short French lines for the model's prompt."""

    def __init__(self, long_term: LongTerm, *, clock: Callable[[], float] = time.time) -> None:
        self._long_term = long_term
        self._clock = clock

    async def summary(self, profile: Profile) -> str:
        """Language, last questions, what was judged useless; "" when nothing is known or memory is sealed.

        The questions are the subscriber's own words, masked by intake: data, never instructions.
        """
        if profile.sealed:
            return ""
        exchanges = await self._long_term.history(profile.key, LOOK_BACK)
        return "\n".join(self._lines(profile, exchanges))

    def _lines(self, profile: Profile, exchanges: Sequence[Exchange]) -> Iterator[str]:
        if profile.language is not None:
            yield f"Langue préférée : {_LANGUAGES[profile.language]}."
        if not exchanges:
            return
        yield f"Dernier échange : {self._ago(exchanges[0].at)}."
        if topics := _distinct(exchanges):
            yield f"Dernières questions : {' ; '.join(topics)}."
        if useless := _distinct([e for e in exchanges if e.rating is False]):
            yield f"Réponse jugée inutile à : {useless[0]}."

    def _ago(self, at: float) -> str:
        days = int(max(0.0, self._clock() - at) // _DAY)
        if days > 1:
            return f"il y a {days} jours, le {local(at):%d/%m/%Y}"
        return "hier" if days else "aujourd'hui"


def _distinct(exchanges: Sequence[Exchange]) -> list[str]:
    """The newest different questions, on one short line each."""
    shown: dict[str, str] = {}
    for exchange in exchanges:
        text = " ".join(exchange.question.split()).replace("«", '"').replace("»", '"')
        if text and len(shown) < TOPICS:
            cut = text if len(text) <= QUESTION_CHARS else text[: QUESTION_CHARS - 1].rstrip() + "…"
            shown.setdefault(text.casefold(), f"« {cut} »")
    return list(shown.values())
