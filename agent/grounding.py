"""Whether a draft says only what the found records say: every code, price, volume, validity, percentage,
number of minutes, time and phone number, in any spelling.

A figure must stand in a record, and the figures of one sentence must go together in one: the price of one
offer with the volume of another is as wrong as an invented price. A subscriber's own figures may be said
back to them where the sentence denies or asks, their budget as their own; a code only when it is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from agent.drafts import without_markup
from agent.figures import Figure, Reading, Segment, Value, phone_digits, read
from rag.catalogue import Offer
from rag.passages import Passage

_PAIRED = frozenset({"price", "volume", "validity", "bonus", "minutes", "sms", "percent", "unlimited"})
_SMALL = 12  # a bare number up to this counts things ("3 forfaits"), it claims nothing
_NONE: frozenset[Value] = frozenset()
_KNOWN_NETWORK = 4  # 2G, 3G, 4G


@dataclass(frozen=True, slots=True)
class Grounding:
    """What is wrong with a draft, in French for the model; and the passages it speaks of, in order."""

    faults: tuple[str, ...]
    cited: tuple[str, ...] = ()


def check(
    draft: str,
    passages: Sequence[Passage],
    *,
    question: str,
    known_codes: frozenset[str],
    today: date,
) -> tuple[str, ...]:
    """The faults of a draft, () when it is grounded."""
    return inspect(draft, passages, question=question, known_codes=known_codes, today=today).faults


def inspect(
    draft: str,
    passages: Sequence[Passage],
    *,
    question: str,
    known_codes: frozenset[str],
    today: date,
) -> Grounding:
    """Check a draft against the passages that may be told that day."""
    records = [_record(p) for p in passages if _tellable(p, today)]
    said = read(without_markup(draft))
    checker = _Checker(records, question, known_codes, today)
    cited = checker.figures(said.segments)
    checker.codes(said, frozenset(cited))
    coded = [r.id for r in records if not r.codes.isdisjoint(said.codes)]
    return Grounding(tuple(dict.fromkeys(checker.faults)), tuple(dict.fromkeys((*cited, *coded))))


@dataclass(frozen=True, slots=True)
class _Record:
    """What one passage allows to be said."""

    id: str
    is_offer: bool
    codes: frozenset[str]
    values: dict[str, frozenset[Value]] = field(hash=False)
    numbers: frozenset[float] = frozenset()


def _tellable(passage: Passage, today: date) -> bool:
    offer = passage.offer
    return passage.fresh and (offer is None or offer.on_sale(today))


@lru_cache(maxsize=4096)
def _record(passage: Passage) -> _Record:
    readings = [read(wording) for wording in (passage.title, passage.text, *(t for _, t in passage.texts))]
    values: dict[str, set[Value]] = {}
    for segment in (s for reading in readings for s in reading.segments):
        for figure in segment.figures:
            values.setdefault(figure.kind, set()).add(figure.value)
    facts, offer = passage.facts, passage.offer
    values.setdefault("phone", set()).update(map(phone_digits, facts.phones))
    if offer is None:
        both = values.get("validity", set()) | values.get("bonus", set())
        values |= {"validity": both, "bonus": both}
    else:
        values |= _offer_values(offer)
    numbers = {v for kind in _PAIRED for v in values.get(kind, ()) if isinstance(v, float)}
    return _Record(
        id=passage.id,
        is_offer=offer is not None,
        codes=facts.codes.union(passage.codes, *(r.codes for r in readings)),
        values={kind: frozenset(found) for kind, found in values.items()},
        numbers=frozenset(numbers).union(*(r.numbers for r in readings)),
    )


def _offer_values(offer: Offer) -> dict[str, set[Value]]:
    """From the typed row, not from its text: there a bonus' days read like the offer's own."""
    bonus, validity = offer.bonus, float(offer.validity_hours)
    days = [d for d in (offer.last_checked, offer.valid_from, offer.valid_to) if d]
    return {
        "price": {float(offer.price)},
        "volume": {float(offer.data_mb)} if offer.data_mb else set(),
        "validity": {validity},
        "bonus": {validity, float(bonus.hours)} if bonus else {validity},
        "minutes": set(map(float, offer.minutes)),
        "sms": {float(offer.sms)} if offer.sms else set(),
        "percent": {float(bonus.percent)} if bonus else set(),
        "date": {f"{day:{form}}" for day in days for form in ("%m-%d", "%Y-%m-%d")},
    }


class _Checker:
    """Collects the faults of one draft."""

    def __init__(
        self, records: Sequence[_Record], question: str, known_codes: frozenset[str], today: date
    ) -> None:
        self._records = records
        self._question = question
        self._known_codes = known_codes
        self._today = today
        self._holders: dict[tuple[str, Value], list[_Record]] = {}
        self.faults: list[str] = []

    @property
    def _asked(self) -> Reading:
        """The question. Read only for what no record says: most drafts say nothing else."""
        return read(self._question)

    def figures(self, segments: Sequence[Segment]) -> tuple[str, ...]:
        """Check all figures; returns the offers they speak of."""
        paired: list[list[Figure]] = []
        for segment in segments:
            held: list[Figure] = []
            for figure in segment.figures:
                if self._holding(figure.kind, figure.value):
                    if figure.kind in _PAIRED:
                        held.append(figure)
                elif not self._stands_unrecorded(figure, segment):
                    self.faults.append(f"« {figure.shown} » ne figure pas dans les données")
            if held:
                paired.append(held)
        return self._pair(paired)

    def _pair(self, paired: Sequence[Sequence[Figure]]) -> tuple[str, ...]:
        """Figures of one offer must go together. A sentence without a price belongs to the price before it,
        or, all through the draft, to the one after it.
        """
        faults, cited = self._together(_groups(paired))
        if faults:
            other = self._together(_groups(paired[::-1]))
            faults, cited = min((faults, cited), other, key=lambda attempt: len(attempt[0]))
        self.faults.extend(faults)
        return cited

    def codes(self, said: Reading, cited: frozenset[str]) -> None:
        """Check the codes: those of the records the draft speaks of, or true ones the subscriber quoted."""
        offers = [r for r in self._records if r.is_offer]
        spoken_of = [r for r in offers if r.id in cited] or offers
        allowed = frozenset[str]().union(
            *(r.codes for r in spoken_of), *(r.codes for r in self._records if not r.is_offer)
        )
        for code in said.codes:
            if code not in allowed and not (code in self._known_codes and code in self._asked.codes):
                anywhere = any(code in r.codes for r in self._records)
                reason = "n'est pas celui de cette offre" if anywhere else "ne figure pas dans les données"
                self.faults.append(f"le code « {code} » {reason}")
        self.faults.extend(f"« {stray} » n'est pas un code complet" for stray in said.strays)

    def _stands_unrecorded(self, figure: Figure, segment: Segment) -> bool:
        kind, value = figure.kind, figure.value
        if kind in _PAIRED:  # the subscriber's own, said back
            may_be_own = segment.denies or (figure.hint and kind == "price")
            return may_be_own and value in self._asked.of(kind)
        return self._stands_alone(kind, value)

    def _stands_alone(self, kind: str, value: Value) -> bool:
        if kind == "clock":
            return self._clock(str(value))
        if kind == "date":
            return value in {f"{self._today:%m-%d}", f"{self._today:%Y-%m-%d}"}
        if isinstance(value, str):
            return False
        if kind == "network":
            return value <= _KNOWN_NETWORK or bool(self._holding("volume", value * 1000))
        if kind == "bare":
            return value <= _SMALL or self._number(value) or value in self._asked.numbers
        return kind == "dialled" and self._number(value)

    def _holding(self, kind: str, value: Value) -> Sequence[_Record]:
        """The records that say a value."""
        if (held := self._holders.get((kind, value))) is None:
            held = self._holders[kind, value] = [
                r for r in self._records if value in r.values.get(kind, _NONE)
            ]
        return held

    def _number(self, value: float) -> bool:
        phone = f"{value:.0f}"
        return any(value in r.numbers or phone in r.values.get("phone", _NONE) for r in self._records)

    def _clock(self, value: str) -> bool:
        hour, _, minutes = value.partition(":")
        if "?" in value:  # a clock of twelve hours
            hour, _, minutes = value.partition("?")
            return any(self._holding("clock", f"{h}:{minutes}") for h in (int(hour), int(hour) + 12))
        hours = 24.0 if hour == "0" else float(hour)
        return minutes == "00" and bool(self._holding("validity", hours))

    def _together(self, groups: Iterable[Sequence[Sequence[Figure]]]) -> tuple[list[str], tuple[str, ...]]:
        """Faults, and the offers spoken of: for each figure the records that fit its neighbours best."""
        faults: list[str] = []
        cited: dict[str, None] = {}
        for group in groups:
            wanted: dict[str, set[Value]] = {}
            for figure in (f for sentence in group for f in sentence):
                wanted.setdefault(figure.kind, set()).add(figure.value)
            fits = {record.id: _fit(record, wanted) for record in self._records}
            for sentence in group:
                own_price = any(f.kind == "price" for f in sentence)
                for figure in sentence:
                    holders = self._holding(figure.kind, figure.value)
                    best = max([fits[r.id] for r in holders])
                    if best:
                        cited.update((r.id, None) for r in holders if r.is_offer and fits[r.id] == best)
                    elif own_price or all(r.is_offer for r in holders):
                        faults.append(_apart(figure, wanted))
        return faults, tuple(cited)


def _groups(sentences: Sequence[Sequence[Figure]]) -> list[list[Sequence[Figure]]]:
    """Sentences by the price they follow."""
    groups: list[list[Sequence[Figure]]] = []
    priced = False
    for sentence in sentences:
        has_price = any(f.kind == "price" for f in sentence)
        if not groups or (has_price and priced):
            groups.append([])
            priced = False
        groups[-1].append(sentence)
        priced = priced or has_price
    return groups


def _fit(record: _Record, wanted: Mapping[str, set[Value]]) -> int:
    """How many kinds of figures a record shares with what is said; 0 where it denies one.

    It must hold one of each kind that it has figures of, and of price always.
    """
    matches = 0
    for kind, values in wanted.items():
        held = record.values.get(kind, _NONE)
        if not held.isdisjoint(values):
            matches += 1
        elif held or kind == "price":
            return 0
    return matches


def _apart(figure: Figure, wanted: Mapping[str, set[Value]]) -> str:
    prices = wanted.get("price", set()) - {figure.value}
    beside = f"un prix de {min(prices, key=str):g} F" if prices else "les chiffres qui l'entourent"
    return f"« {figure.shown} » ne va pas avec {beside} dans les données"
