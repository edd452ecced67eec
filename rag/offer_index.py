"""Finds offers by slots: the largest weight of wishes that some offer fulfils together.

Each wish is a set of offers, from a posting list or a sorted column, so ten thousand offers cost set
intersections and no loop over rows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from heapq import nsmallest
from typing import NamedTuple

from rag.catalogue import Offer
from rag.slots import Bound, Slots

Members = frozenset[int]


@dataclass(frozen=True, slots=True)
class Found:
    """The offers, best first; `weight` of the fulfilled wishes, `exact` when none was relaxed."""

    offers: tuple[Offer, ...] = ()
    weight: float = 0.0
    exact: bool = True
    total: int = 0


# Ways to fulfil one wish, best first: what each is worth, and who fulfils it so.
Wish = tuple[tuple[float, Members], ...]


class _Fulfilled(NamedTuple):
    """Offers that fulfil some of the wishes together, and how much that weighs."""

    members: Members
    weight: float = 0.0
    exact: bool = True


class _Column:
    """One figure of all offers: by value, and sorted for bounds and neighbours."""

    def __init__(self, pairs: Iterable[tuple[int, int]]) -> None:
        groups: dict[int, set[int]] = {}
        for value, offer in pairs:
            groups.setdefault(value, set()).add(offer)
        self._groups = {value: frozenset(group) for value, group in groups.items()}
        self._values = sorted(groups)

    def exact(self, value: int) -> Members:
        return self._groups.get(value, frozenset())

    def between(self, low: int, high: int) -> Members:
        span = self._values[bisect_left(self._values, low) : bisect_right(self._values, high)]
        return frozenset().union(*(self._groups[value] for value in span))

    def at_least(self, value: int) -> Members:
        return self.between(value, self._values[-1]) if self._values else frozenset()

    def bounded(self, value: int, bound: Bound) -> Members | None:
        """What lies on the asked side of a value; None where exactly the value is asked."""
        if bound in {Bound.AT_MOST, Bound.BELOW}:
            return self.between(0, value - (bound is Bound.BELOW))
        if bound in {Bound.AT_LEAST, Bound.ABOVE}:
            return self.at_least(value + (bound is Bound.ABOVE))
        return None

    def near(self, value: int) -> Members:
        """The neighbours on both sides."""
        i = bisect_left(self._values, value)
        return frozenset().union(*(self._groups[v] for v in self._values[max(0, i - 1) : i + 1]))


class OfferIndex:
    """All offers of a catalogue, searchable by slots. Immutable."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self._offers = tuple(offers)
        every = list(enumerate(self._offers))
        self._price = _Column((o.price, i) for i, o in every)
        self._validity = _Column((o.validity_hours, i) for i, o in every if "nuit" not in o.validity_label)
        self._data = _Column((o.data_mb, i) for i, o in every if o.data_mb)
        self._minutes = _Column((m, i) for i, o in every for m in o.minutes)
        self._allnet = _Column((o.minutes_allnet, i) for i, o in every if o.minutes_allnet)
        self._has = {name: frozenset(i for i, o in every if test(o)) for name, test in _TESTS.items()}
        self._every = frozenset(range(len(self._offers)))
        self._sellable: tuple[date, Members] = (date.min, frozenset())
        self._codes: dict[str, set[int]] = {}
        for i, offer in every:
            for code in offer.codes:
                self._codes.setdefault(code, set()).add(i)

    def __len__(self) -> int:
        return len(self._offers)

    def find(self, slots: Slots, today: date, limit: int) -> Found:
        """The offers on sale that fulfil most of what is asked."""
        wishes = self._wishes(slots)
        if not wishes:
            return Found()
        members, weight, exact = _most(wishes, self._on_sale(today))
        best = nsmallest(limit, members, key=lambda i: rank(self._offers[i], slots))
        return Found(tuple(self._offers[i] for i in best), weight, exact, len(members))

    def offers_at(self, prices: Iterable[int]) -> tuple[Offer, ...]:
        """The offers of these prices."""
        return tuple(self._offers[i] for price in sorted(prices) for i in sorted(self._price.exact(price)))

    def _on_sale(self, today: date) -> Members:
        if self._sellable[0] != today:
            sold = frozenset(i for i, offer in enumerate(self._offers) if offer.on_sale(today))
            self._sellable = (today, sold)
        return self._sellable[1]

    def _wishes(self, slots: Slots) -> list[Wish]:
        wishes = [*self._figure_wishes(slots), *self._kind_wishes(slots)]
        if slots.codes:
            known = frozenset().union(*(self._codes.get(code, ()) for code in slots.codes))
            wishes.append(((2.0, known),))
        if not wishes and (slots.offer_word or slots.cheapest or slots.biggest or slots.longest):
            wishes.append(((0.7, self._every),))
        return wishes

    def _figure_wishes(self, slots: Slots) -> list[Wish]:
        wishes: list[Wish] = []
        if slots.price is not None:
            wishes.append(self._price_wish(slots))
        if slots.data is not None:
            wishes.append(_figure(self._data, slots.data, slots.data_bound, 1.6))
        if slots.minutes is not None:
            column = self._minutes
            if slots.all_networks and self._allnet.exact(slots.minutes):
                column = self._allnet
            wishes.append(_figure(column, slots.minutes, slots.minutes_bound, 1.6))
        if slots.validity is not None:
            near = self._validity.near(slots.validity)
            named = slots.validities or (slots.validity,)
            exact = frozenset().union(*(self._validity.exact(hours) for hours in named))
            wishes.append(((0.9, exact), (0.35, near)))
        return wishes

    def _price_wish(self, slots: Slots) -> Wish:
        price = slots.price or 0
        if len(slots.prices) > 1:
            low, high = min(slots.prices), max(slots.prices)
            if slots.price_bound is Bound.BETWEEN:
                return ((1.3, self._price.between(low, high)),)
            named = frozenset().union(*(self._price.exact(p) for p in slots.prices))
            return ((1.3, named), (0.7, self._price.between(low, high)))
        within = self._price.between(0, price)
        if (bounded := self._price.bounded(price, slots.price_bound)) is not None:
            # "moins de 100 F" where nothing is below: what costs just that much is the nearest
            return ((1.3, bounded), (0.9, bounded | self._price.exact(price)))
        return ((1.3, self._price.exact(price)), (0.7, within), (0.2, self._price.near(price)))

    def _kind_wishes(self, slots: Slots) -> list[Wish]:
        having = [self._has[service] for service in sorted(slots.services)]
        if slots.any_service:
            having = [frozenset().union(*having)]
        wishes: list[Wish] = [((1.0, members),) for members in having]
        wishes.extend(((1.2, self._every - self._has[service]),) for service in sorted(slots.without))
        if slots.unlimited:
            wishes.append(((1.5, self._unlimited(slots)), (0.5, self._has["illimite"])))
        if slots.night:
            wishes.append(((1.7, self._has["nuit"]),))
        if slots.all_networks and slots.minutes is None:
            wishes.append(((0.8, self._has["tousreseaux"]),))
        if slots.on_network and not slots.unlimited:
            wishes.append(((0.4, self._has["versairtel"]),))
        return wishes

    def _unlimited(self, slots: Slots) -> Members:
        if slots.unlimited_sms:
            return self._has["smsillimite"]
        return self._has["appelillimite"]


def _most(wishes: Sequence[Wish], sold: Members) -> _Fulfilled:
    """The combination of ways with the largest weight that leaves at least one offer.

    Branch and bound: the surest ways first, given up where the rest cannot make up for what was relaxed.
    """
    ordered = sorted(wishes, key=lambda wish: -wish[0][0])
    hopes = [sum(wish[0][0] for wish in ordered[i:]) for i in range(len(ordered) + 1)]
    return _branch(ordered, hopes, 0, _Fulfilled(sold), _Fulfilled(frozenset(), 0.0, exact=False))


def _branch(
    wishes: Sequence[Wish], hopes: Sequence[float], at: int, so_far: _Fulfilled, best: _Fulfilled
) -> _Fulfilled:
    """`best`, or what fulfils more of the wishes from `at` on. No closure: one that calls itself is garbage
    that only the collector finds, and each of its rounds holds up the loop.
    """
    if so_far.weight + hopes[at] <= best.weight:
        return best
    if at == len(wishes):
        return so_far
    members, weight, exact = so_far
    for i, (gain, way) in enumerate(wishes[at]):
        if left := way & members:
            best = _branch(wishes, hopes, at + 1, _Fulfilled(left, weight + gain, exact and not i), best)
    return _branch(wishes, hopes, at + 1, _Fulfilled(members, weight, exact=False), best)


_TESTS: dict[str, Callable[[Offer], bool]] = {
    "internet": lambda o: bool(o.data_mb),
    "appel": lambda o: o.has_minutes,
    "sms": lambda o: bool(o.sms or o.unlimited_sms),
    "nuit": lambda o: o.at_night,
    "illimite": lambda o: o.unlimited_onnet or o.unlimited_sms or o.category == "illimite",
    "appelillimite": lambda o: o.unlimited_onnet,
    "smsillimite": lambda o: o.unlimited_sms,
    "tousreseaux": lambda o: bool(o.minutes_allnet),
    "versairtel": lambda o: o.unlimited_onnet or o.minutes_onnet > o.minutes_allnet,
}


def _figure(column: _Column, value: int, bound: Bound, weight: float) -> Wish:
    if (bounded := column.bounded(value, bound)) is not None:
        return ((weight, bounded),)
    return ((weight, column.exact(value)), (weight / 3, column.near(value)))


def rank(offer: Offer, slots: Slots) -> tuple[float, ...]:
    """Smaller is better, among offers that fulfil the same wishes."""
    hinted = offer.id not in slots.hint_offers
    extra = 0
    if slots.any_service:
        extra = int(bool(offer.data_mb) and offer.has_minutes)
    elif slots.services == {"internet"} and not slots.unlimited:
        extra = int(offer.has_minutes)
    elif slots.services == {"appel"} and not slots.unlimited:
        extra = int(bool(offer.data_mb)) + int(offer.unlimited_onnet)
    elif not slots.services and not slots.unlimited:
        extra = int(offer.unlimited_onnet and bool(offer.data_mb)) if slots.minutes else 0
    night = int(offer.at_night and not slots.night)
    hint = int(slots.hint_validity is not None and offer.validity_hours != slots.hint_validity)
    price = int(slots.hint_price is not None and offer.price != slots.hint_price)
    return (
        hinted if slots.hint_offers else 0,
        price,
        *_wanted(offer, slots, extra, night),
        hint,
        offer.price,
    )


def _wanted(offer: Offer, slots: Slots, extra: int, night: int) -> tuple[float, ...]:
    if slots.cheapest and slots.price is None:
        return (night, offer.price, extra)
    if slots.longest:
        return (extra, -offer.validity_hours, night)
    if slots.biggest:
        if slots.services == {"appel"}:
            return (night, -_talk(offer, all_networks=slots.all_networks))
        size = offer.data_mb
        return (extra, -size) if slots.price is not None else (extra, night, -size)
    away = 0.0
    if slots.price is not None:
        away = abs(offer.price - slots.price)
    elif slots.data is not None:
        away = abs(offer.data_mb - slots.data)
    elif slots.minutes is not None and offer.minutes:
        away = min(abs(m - slots.minutes) for m in offer.minutes)
    return (night + extra, away)


def _talk(offer: Offer, *, all_networks: bool) -> float:
    """How long one may talk."""
    if all_networks:
        return offer.minutes_allnet
    return float("inf") if offer.unlimited_onnet else max(offer.minutes or {0})
