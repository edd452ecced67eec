"""The answer without a model: composed from the found rows, in the subscriber's language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from config.texts import Texts
from domain.answers import Answer, Origin
from domain.messages import Language
from rag.catalogue import Offer
from rag.passages import Passage, volume
from rag.retriever import Retrieval

MOST_CHARS = 600
_MOST_OFFERS = 4
_SAME_PRICE_OFFERS = 6  # all offers of one exact price may be told together
_SECOND_TOPIC = 0.75  # a second topic this close to the first is told too
_SECOND_OF_WEAK = 0.55  # ... and one less close when the first is not sure
_SURE = 2.4
_DAYS = {
    "ha": {"lundi": "Litinin (lundi)", "mercredi": "Laraba (mercredi)", "vendredi": "Juma'a (vendredi)"},
    "dje": {"lundi": "Atinni (lundi)", "mercredi": "Alarba (mercredi)", "vendredi": "Alzuma (vendredi)"},
    "en": {"lundi": "Monday", "mercredi": "Wednesday", "vendredi": "Friday"},
}


class Embedded:
    """Composes answers from passages; invents nothing, repeats nothing the subscriber wrote."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def compose(self, retrieval: Retrieval, text: str, language: Language) -> Answer:
        """The answer to `text` from what was found. `answered` is False when nothing fits."""
        if not retrieval.plausible:
            return self._nothing(language)
        first = retrieval.passages[0]
        if first.kind == "offer":
            body = self._offers(retrieval, language)
        else:
            body = self._topics(retrieval, language)
        if not retrieval.confident:
            body = self._doubtful(body, language, guessed=first.kind != "offer" or retrieval.exact)
        return Answer(
            text=body,
            language=language,
            origin=Origin.EMBEDDED,
            passage_ids=tuple(p.id for p in retrieval.passages),
            answered=retrieval.confident,
            topic=first.offer.category if first.offer else first.id,
        )

    def _nothing(self, language: Language) -> Answer:
        return Answer(
            text=self._texts.get("answers.nothing", language),
            language=language,
            origin=Origin.EMBEDDED,
            answered=False,
            topic="nothing",
        )

    def _doubtful(self, body: str, language: Language, *, guessed: bool) -> str:
        """The way to a person below; above, that it is a guess, unless the body says so already."""
        start, end = (self._texts.get(f"answers.{key}", language) for key in ("unsure", "unsure_end"))
        return f"{start}\n{body}\n{end}" if guessed else f"{body}\n{end}"

    def _topics(self, retrieval: Retrieval, language: Language) -> str:
        first, *rest = retrieval.passages
        best, *scores = retrieval.scores
        parts = [self._topic(first, language)]
        close = best * (_SECOND_TOPIC if best >= _SURE else _SECOND_OF_WEAK)
        for other, score in zip(rest[:2], scores, strict=False):
            if other.kind == "topic" and score >= close:
                extra = self._topic(other, language)
                if len(parts[0]) + len(extra) + 2 <= MOST_CHARS:
                    parts.append(extra)
                break
        return "\n\n".join(parts)

    def _topic(self, passage: Passage, language: Language) -> str:
        wording = passage.wording(language)
        return wording if passage.fresh else f"{wording}\n{self._texts.get('answers.undated', language)}"

    def _offers(self, retrieval: Retrieval, language: Language) -> str:
        passages = [p for p in retrieval.passages if p.offer is not None]
        told = passages[: self._how_many(retrieval, passages)]
        while len(told) > 1 and len(self._listed(retrieval, told, language)) > MOST_CHARS:
            told = told[:-1]
        return self._listed(retrieval, told, language)

    @staticmethod
    def _how_many(retrieval: Retrieval, passages: Sequence[Passage]) -> int:
        slots = retrieval.slots
        if slots.cheapest or slots.biggest or slots.longest or retrieval.slots.hint_offers:
            return 2
        prices = {p.offer.price for p in passages if p.offer}
        return _SAME_PRICE_OFFERS if len(prices) == 1 else _MOST_OFFERS

    def _listed(self, retrieval: Retrieval, told: Sequence[Passage], language: Language) -> str:
        lines: list[str] = []
        if not retrieval.exact:
            lines.append(self._texts.get("answers.nearest", language))
        lines.extend(self._lines(told, language))
        stale = next((p for p in told if not p.fresh), None)
        if stale is not None and stale.offer is not None:
            lines.append(self._age(stale.offer, language))
        if retrieval.total_offers > len(told) and not retrieval.slots.cheapest:
            more = self._texts.get("answers.more", language)
            if len("\n".join([*lines, more])) <= MOST_CHARS:
                lines.append(more)
        return "\n".join(lines)

    def _lines(self, told: Sequence[Passage], language: Language) -> Iterator[str]:
        """Each offer, and its codes once after the last offer that shares them."""
        offers = [p.offer for p in told if p.offer is not None]
        many = len(offers) > 1
        for i, offer in enumerate(offers):
            yield ("• " if many else "") + self._offer(offer, language)
            if not many and offer.bonus:
                yield self._bonus(offer, language)
            if i + 1 == len(offers) or offers[i + 1].codes != offer.codes:
                yield self._texts.get("answers.codes", language)
                yield f" {self._texts.get('answers.or', language)} ".join(offer.codes)

    def _offer(self, offer: Offer, language: Language) -> str:
        return f"{_francs(offer.price)} F : {', '.join(self._bits(offer, language))}"

    def _bits(self, offer: Offer, language: Language) -> Iterator[str]:
        def say(key: str, **values: object) -> str:
            return self._texts.get(f"answers.{key}", language, **values)

        if offer.data_mb:
            yield volume(offer.data_mb)
        if offer.unlimited_onnet:
            yield say("unlimited")
        for kind, minutes in _minutes(offer):
            yield say(kind, minutes=minutes)
        if offer.unlimited_sms:
            yield say("sms_unlimited")
        elif offer.sms:
            yield say("sms", sms=offer.sms)
        if offer.time_window:
            yield say("window", window=offer.time_window)
        if offer.time_window not in offer.validity_label or not offer.time_window:
            yield say("validity", label=self._duration(offer.validity_hours, language))

    def _duration(self, hours: int, language: Language) -> str:
        if hours % 24 == 0 and hours > 48:
            return self._texts.get("answers.day", language, days=hours // 24)
        return self._texts.get("answers.hours", language, hours=hours)

    def _bonus(self, offer: Offer, language: Language) -> str:
        bonus = offer.bonus
        if bonus is None:
            return ""
        names = _DAYS.get(language, {})
        days = ", ".join(names.get(day, day) for day in bonus.days)
        label = self._duration(bonus.hours, language)
        return self._texts.get("answers.bonus", language, percent=bonus.percent, days=days, label=label)

    def _age(self, offer: Offer, language: Language) -> str:
        if offer.last_checked is None:
            return self._texts.get("answers.undated", language)
        return self._texts.get("answers.dated", language, day=offer.last_checked.strftime("%d/%m/%Y"))


def _minutes(offer: Offer) -> Iterator[tuple[str, int]]:
    if offer.minutes_onnet and offer.minutes_onnet != offer.minutes_allnet:
        yield "minutes_airtel", offer.minutes_onnet
    if offer.minutes_allnet:
        yield "minutes_all", offer.minutes_allnet
    if offer.minutes_unspecified:
        yield "minutes_unsaid", offer.minutes_unspecified


def _francs(price: int) -> str:
    """10000 -> "10 000"; four figures stay together, as people write them."""
    return f"{price:,}".replace(",", " ") if price >= 10_000 else str(price)
