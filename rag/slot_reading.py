"""From the words of a question to its slots: which figure is a price, a volume, a validity or minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.lexicon import Reading, Word
from rag.slots import Bound, Slots

_HOURS = {"heure": 1, "jour": 24, "semaine": 168, "mois": 720}
_BARE = {"uneheure": 1, "jour": 24, "semaine": 168, "quinzaine": 360, "mois": 720}
_MOST = {"heure": 72, "jour": 90, "semaine": 8, "mois": 12}
_MEGABYTES = {"go": 1000.0, "mo": 1.0}
_FRANCS = {"franc": 1.0, "dala": 5.0, "jikka": 1000.0}
_NUMBER_FIRST = frozenset({"fr", "en", "fr-sms", ""})
_PLACES = frozenset(
    {"reseau", "couverture", "ville", "lieu", "airtel", "telephone", "debit", "comment", "quoi"}
)
_SERVICES = frozenset({"internet", "appel", "sms"})


@dataclass
class _Draft:
    prices: list[tuple[int, Bound]] = field(default_factory=list)
    validity: int | None = None
    data: list[tuple[int, Bound]] = field(default_factory=list)
    minutes: list[tuple[int, Bound]] = field(default_factory=list)
    loose: list[tuple[int, Bound]] = field(default_factory=list)
    bound_words: set[int] = field(default_factory=set)


def read_slots(reading: Reading) -> Slots:
    """The slots of one question, without history."""
    draft = _Draft()
    words = reading.words
    for i, word in enumerate(words):
        if word.number is not None:
            _place(draft, words, i, word.number)
    _bare_validity(draft, words)
    senses = reading.senses
    if "4g" in senses and not senses & _PLACES:
        _generation(draft, words)
    services = set(senses & _SERVICES)
    if draft.data or senses & {"go", "mo"}:
        services.add("internet")
    if draft.minutes or ("minute" in senses and "internet" not in services):
        services.add("appel")
    _adopt_loose(draft, senses)
    if draft.minutes and draft.minutes[0][0] == 60 and "internet" in senses and "appel" not in senses:
        draft.minutes.clear()  # an hour online, not sixty minutes of calls
        draft.validity = draft.validity or 1
        services.discard("appel")
    price, price_bound = draft.prices[0] if draft.prices else (None, Bound.EXACT)
    data, data_bound = draft.data[0] if draft.data else (None, Bound.EXACT)
    minutes, minutes_bound = draft.minutes[0] if draft.minutes else (None, Bound.EXACT)
    return Slots(
        price=price,
        price_bound=price_bound,
        validity=draft.validity,
        data=data,
        data_bound=data_bound,
        minutes=minutes,
        minutes_bound=minutes_bound,
        services=frozenset(services),
        unlimited="illimite" in senses,
        night="nuit" in senses,
        all_networks="tousreseaux" in senses,
        on_network="versairtel" in senses,
        cheapest="moinscher" in senses,
        biggest="plusgrand" in senses or ("maximum" in senses and "internet" in services),
        longest="pluslong" in senses,
        prices=tuple(p for p, _ in draft.prices),
        loose=tuple(n for n, _ in draft.loose),
        codes=reading.codes,
        offer_word="forfait" in senses,
        terms=tuple(sorted(senses)),
    )


def _place(draft: _Draft, words: Sequence[Word], i: int, number: float) -> None:
    """Bind a number to the unit beside it: the one before in Hausa and Zarma, else the one behind."""
    before = _unit(words, i - 1) if i - 1 not in draft.bound_words else ""
    after = _unit(words, i + 1)
    first = bool(before) and words[i - 1].language not in _NUMBER_FIRST
    if after in _HOURS and before in _MEGABYTES:
        first = True  # "giga 5 na mako": the week begins a new thought
    bound = _bound(words, i)
    for unit, at in ((before, i - 1), (after, i + 1)) if first else ((after, i + 1), ("", i)):
        if unit and _take(draft, unit, number, bound):
            draft.bound_words.add(at)
            return
    neutral = before in _MEGABYTES or before in {"minute", "dala", "jikka", "franc"}
    if neutral and _take(draft, before, number, bound):
        draft.bound_words.add(i - 1)
        return
    if number.is_integer():
        draft.loose.append((int(number), bound))


def _unit(words: Sequence[Word], i: int) -> str:
    if not 0 <= i < len(words) or not words[i].senses:
        return ""
    sense = words[i].senses[0]
    return sense if sense in _HOURS or sense in _MEGABYTES or sense in _FRANCS or sense == "minute" else ""


def _take(draft: _Draft, unit: str, number: float, bound: Bound) -> bool:
    if unit in _MEGABYTES:
        draft.data.append((round(number * _MEGABYTES[unit]), bound))
    elif unit in _FRANCS:
        draft.prices.append((round(number * _FRANCS[unit]), bound))
    elif unit == "minute":
        draft.minutes.append((round(number), bound))
    elif unit in _HOURS and 0 < number <= _MOST[unit]:
        draft.validity = draft.validity or round(number * _HOURS[unit])
    else:
        return False
    return True


def _bound(words: Sequence[Word], i: int) -> Bound:
    """How the figure is meant, from the two words before it."""
    for word in words[max(0, i - 3) : i]:
        if "aumoins" in word.senses:
            return Bound.AT_LEAST
        if "auplus" in word.senses or "maximum" in word.senses:
            return Bound.AT_MOST
    if i + 2 < len(words) and ("maximum" in words[i + 1].senses or "maximum" in words[i + 2].senses):
        return Bound.AT_MOST
    return Bound.EXACT


def _bare_validity(draft: _Draft, words: Sequence[Word]) -> None:
    """A unit of time without a figure is one of it: "par semaine", "na wata"."""
    if draft.validity is not None:
        return
    for i, word in enumerate(words):
        for sense in word.senses:
            if sense in _BARE and i not in draft.bound_words:
                draft.validity = _BARE[sense]
                return


def _generation(draft: _Draft, words: Sequence[Word]) -> None:
    """ "5g" beside no place and no network is a volume."""
    for word in words:
        if "4g" in word.senses and word.text[0].isdigit():
            draft.data.append((int(word.text[0]) * 1000, Bound.EXACT))


def _adopt_loose(draft: _Draft, senses: frozenset[str]) -> None:
    """A figure without unit that looks like a price is one, when no other price is named."""
    if draft.prices or "numero" in senses:
        return
    for number, bound in list(draft.loose):
        if number >= 50 and number % 50 == 0 and number <= 100_000:
            draft.prices.append((number, bound))
            draft.loose.remove((number, bound))
