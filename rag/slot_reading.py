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
_OR = frozenset({"ou", "oubien"})
_LINKS = frozenset({"et", "ou", "a", "and", "or", "to", "da", "ko", "wala"})
_TALK = 10  # hours of calls up to which they are minutes to talk, not a validity


@dataclass
class _Draft:
    prices: list[tuple[int, Bound]] = field(default_factory=list)
    validities: list[tuple[int, int]] = field(default_factory=list)  # hours, and the place of the word
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
    services, without = _services(draft, reading)
    _adopt_loose(draft, senses)
    _sort_hours(draft, senses, services)
    price, price_bound = draft.prices[0] if draft.prices else (None, Bound.EXACT)
    data, data_bound = draft.data[0] if draft.data else (None, Bound.EXACT)
    minutes, minutes_bound = draft.minutes[0] if draft.minutes else (None, Bound.EXACT)
    unlimited = "illimite" in senses
    return Slots(
        price=price,
        price_bound=price_bound,
        validity=draft.validities[0][0] if draft.validities else None,
        validities=_alternatives(draft, words),
        data=data,
        data_bound=data_bound,
        minutes=minutes,
        minutes_bound=minutes_bound,
        services=frozenset(services),
        any_service=len(services) > 1 and _either(words, "internet", "appel"),
        without=without,
        unlimited=unlimited,
        unlimited_sms=unlimited and "sms" in senses and "appel" not in senses,
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


def _services(draft: _Draft, reading: Reading) -> tuple[set[str], frozenset[str]]:
    """The services asked for, and those refused ("sans internet", "internet uniquement")."""
    words, senses = reading.words, reading.senses
    refused = {s for i, w in enumerate(words) if "sans" in w.senses for s in _beside(words, i, (1, 2))}
    services = {s for s in senses & _SERVICES if s not in refused}
    if draft.data or senses & {"go", "mo"}:
        services.add("internet")
    if draft.minutes or ("minute" in senses and "internet" not in services):
        services.add("appel")
    for i, word in enumerate(words):
        if "seulement" in word.senses and (only := _beside(words, i, (1, 2, -1))):
            refused |= {"internet", "appel"} - only - services
    return services, frozenset(refused - services)


def _beside(words: Sequence[Word], i: int, steps: Sequence[int]) -> set[str]:
    """The service named right beside a word, over one word of no meaning at most."""
    for step in steps:
        j = i + step
        if not 0 <= j < len(words):
            continue
        if found := set(words[j].senses) & _SERVICES:
            return found
        if words[j].senses or words[j].number is not None:
            continue
    return set()


def _sort_hours(draft: _Draft, senses: frozenset[str], services: set[str]) -> None:
    """Hours may be minutes of calls ("une heure d'appel"), a time of the night, or a length of time."""
    if draft.minutes and draft.minutes[0][0] == 60 and "internet" in senses and "appel" not in senses:
        draft.minutes.clear()  # an hour online, not sixty minutes of calls
        draft.validities = draft.validities or [(1, 0)]
        services.discard("appel")
    if not draft.validities:
        return
    hours = draft.validities[0][0]
    if "nuit" in senses and hours < 24:
        draft.validities.clear()
    elif hours <= _TALK and services == {"appel"} and not draft.minutes:
        draft.minutes.append((hours * 60, Bound.EXACT))
        draft.validities.clear()


def _either(words: Sequence[Word], one: str, other: str) -> bool:
    """Whether two meanings are offered as a choice: "appel ou internet"."""
    at = [i for i, word in enumerate(words) if {one, other} & set(word.senses)]
    return len(at) > 1 and any(_OR & set(word.senses) for word in words[at[0] : at[-1]])


def _alternatives(draft: _Draft, words: Sequence[Word]) -> tuple[int, ...]:
    """Several validities of which any will do: "semaine ou mois"."""
    places = [at for _, at in draft.validities]
    if len(places) < 2 or not any(_OR & set(word.senses) for word in words[min(places) : max(places)]):
        return ()
    return tuple(dict.fromkeys(hours for hours, _ in draft.validities))


def _place(draft: _Draft, words: Sequence[Word], i: int, number: float) -> None:
    """Bind a number to the unit beside it: the one before in Hausa and Zarma, else the one behind."""
    before = _unit(words, i - 1) if i - 1 not in draft.bound_words else ""
    after = _unit(words, i + 1)
    first = bool(before) and words[i - 1].language not in _NUMBER_FIRST
    if after in _HOURS and before in _MEGABYTES:
        first = True  # "giga 5 na mako": the week begins a new thought
    bound = _bound(words, i)
    for unit, at in ((before, i - 1), (after, i + 1)) if first else ((after, i + 1), ("", i)):
        if unit and _take(draft, unit, number, bound, at):
            draft.bound_words.add(at)
            return
    neutral = before in _MEGABYTES or before in {"minute", "dala", "jikka", "franc"}
    if neutral and _take(draft, before, number, bound, i - 1):
        draft.bound_words.add(i - 1)
        return
    if number >= 50 and _shares_francs(words, i):
        draft.prices.append((round(number), bound))
    elif number.is_integer():
        draft.loose.append((int(number), bound))


def _shares_francs(words: Sequence[Word], i: int) -> bool:
    """ "2000 ou 5000 F": the unit of the second figure is that of the first."""
    linked = i + 3 < len(words) and words[i + 1].text.split()[0] in _LINKS
    return linked and words[i + 2].number is not None and _unit(words, i + 3) == "franc"


def _unit(words: Sequence[Word], i: int) -> str:
    if not 0 <= i < len(words) or not words[i].senses:
        return ""
    sense = words[i].senses[0]
    return sense if sense in _HOURS or sense in _MEGABYTES or sense in _FRANCS or sense == "minute" else ""


def _take(draft: _Draft, unit: str, number: float, bound: Bound, at: int) -> bool:
    if unit in _MEGABYTES:
        draft.data.append((round(number * _MEGABYTES[unit]), bound))
    elif unit in _FRANCS:
        draft.prices.append((round(number * _FRANCS[unit]), bound))
    elif unit == "minute":
        draft.minutes.append((round(number), bound))
    elif unit in _HOURS and 0 < number <= _MOST[unit]:
        draft.validities.append((round(number * _HOURS[unit]), at))
    else:
        return False
    return True


def _bound(words: Sequence[Word], i: int) -> Bound:
    """How the figure is meant, from the words before it."""
    for word in words[max(0, i - 3) : i]:
        strict = "strict" in word.senses
        if "aumoins" in word.senses:
            return Bound.ABOVE if strict else Bound.AT_LEAST
        if "auplus" in word.senses or "maximum" in word.senses:
            return Bound.BELOW if strict else Bound.AT_MOST
        if "entre" in word.senses:
            return Bound.BETWEEN
    if i + 2 < len(words) and ("maximum" in words[i + 1].senses or "maximum" in words[i + 2].senses):
        return Bound.AT_MOST
    return Bound.EXACT


def _bare_validity(draft: _Draft, words: Sequence[Word]) -> None:
    """A unit of time without a figure is one of it: "par semaine", "na wata"."""
    figures = bool(draft.validities)
    for i, word in enumerate(words):
        for sense in word.senses:
            if sense in _BARE and i not in draft.bound_words and not _asked(words, i):
                draft.validities.append((_BARE[sense], i))
    if figures and not _alternatives(draft, words):
        del draft.validities[1:]


def _asked(words: Sequence[Word], i: int) -> bool:
    """Whether a length of time is what is asked: "combien de jours", "how many days", "kwana nawa"."""
    if i + 1 < len(words) and "jour" in words[i].senses and "combien" in words[i + 1].senses:
        return words[i].language not in _NUMBER_FIRST
    before = words[i - 1] if i else None
    if before is not None and before.text in {"de", "d"} and i > 1:
        return "combien" in words[i - 2].senses
    return before is not None and "combien" in before.senses and before.text.endswith((" de", " many"))


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
