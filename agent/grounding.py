"""Whether a draft says only what the found records say: every code, price, volume, validity, percentage,
number of minutes, time and phone number, in any spelling.

A figure must stand in a record, and the figures of one sentence must go together in one: the price of one
offer with the volume of another is as wrong as an invented price. A subscriber's own figures may be said
back to them where the sentence denies or repeats a wish; a code only when it is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from agent.drafts import without_markup
from agent.figures import Figure, Reading, Segment, Value, phone_digits, read
from rag.passages import Passage

_PAIRED = ("price", "volume", "validity", "minutes", "sms", "percent")
_SMALL = 12  # a bare number up to this counts things ("3 forfaits"), it claims nothing
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
    asked = read(question)
    checker = _Checker(records, asked, today)
    cited: dict[str, None] = {}
    for segment in said.segments:
        for record in checker.segment(segment):
            cited[record.id] = None
    checker.codes(said, frozenset(asked.codes) & known_codes, frozenset(cited))
    with_code = [r.id for r in records if r.codes & set(said.codes)]
    return Grounding(
        tuple(dict.fromkeys(checker.faults)), (*cited, *(i for i in with_code if i not in cited))
    )


@dataclass(frozen=True, slots=True)
class _Record:
    """What one passage allows to be said."""

    id: str
    is_offer: bool
    codes: frozenset[str]
    values: dict[str, frozenset[Value]] = field(hash=False)
    numbers: frozenset[float] = frozenset()

    def of(self, kind: str) -> frozenset[Value]:
        return self.values.get(kind, frozenset())


def _tellable(passage: Passage, today: date) -> bool:
    offer = passage.offer
    return passage.fresh and (offer is None or offer.on_sale(today))


def _record(passage: Passage) -> _Record:
    return _record_of(passage.id, passage.title, passage.text, passage.texts, passage)


@lru_cache(maxsize=4096)
def _record_of(
    passage_id: str, title: str, text: str, texts: tuple[tuple[str, str], ...], passage: Passage
) -> _Record:
    facts, offer = passage.facts, passage.offer
    readings = [read(wording) for wording in (title, text, *(t for _, t in texts)) if wording]
    values: dict[str, set[Value]] = {
        "price": set(map(float, facts.prices)),
        "volume": set(map(float, facts.volumes)),
        "validity": set(map(float, facts.validities)),
        "minutes": set(map(float, facts.minutes)),
        "percent": set(facts.percentages),
        "phone": {phone_digits(p) for p in facts.phones},
    }
    numbers = {float(n) for n in facts.numbers if n.replace(".", "", 1).isdigit()}
    for reading in readings:
        numbers |= reading.numbers
        for segment in reading.segments:
            for figure in segment.figures:
                values.setdefault(figure.kind, set()).add(figure.value)
    if offer is not None:
        values.setdefault("sms", set()).update({float(offer.sms)} if offer.sms else ())
        days = [d for d in (offer.last_checked, offer.valid_from, offer.valid_to) if d]
        values.setdefault("date", set()).update(f"{d:{form}}" for d in days for form in ("%m-%d", "%Y-%m-%d"))
    for kind in _PAIRED:
        numbers |= {v for v in values.get(kind, ()) if isinstance(v, float)}
    return _Record(
        id=passage_id,
        is_offer=offer is not None,
        codes=facts.codes | set(passage.codes) | {c for r in readings for c in r.codes},
        values={kind: frozenset(found) for kind, found in values.items()},
        numbers=frozenset(numbers),
    )


class _Checker:
    """Collects the faults of one draft."""

    def __init__(self, records: Sequence[_Record], asked: Reading, today: date) -> None:
        self._records = records
        self._asked = asked
        self._today = today
        self.faults: list[str] = []

    def segment(self, segment: Segment) -> tuple[_Record, ...]:
        """Check one sentence; returns the offers it speaks of."""
        paired: list[Figure] = []
        for figure in segment.figures:
            if not self._stands(figure, segment):
                self.faults.append(f"« {figure.shown} » ne figure pas dans les données")
            elif figure.kind in _PAIRED and self._somewhere(figure.kind, figure.value):
                paired.append(figure)
        return self._together(paired)

    def codes(self, said: Reading, quoted: frozenset[str], cited: frozenset[str]) -> None:
        """Check the codes: those of the records the draft speaks of, or true ones the subscriber quoted."""
        offers = [r for r in self._records if r.is_offer]
        spoken_of = [r for r in offers if r.id in cited] or offers
        allowed = quoted.union(
            *(r.codes for r in spoken_of), *(r.codes for r in self._records if not r.is_offer)
        )
        anywhere = frozenset[str]().union(*(r.codes for r in self._records))
        for code in said.codes:
            if code not in allowed:
                reason = (
                    "n'est pas celui de cette offre" if code in anywhere else "ne figure pas dans les données"
                )
                self.faults.append(f"le code « {code} » {reason}")
        self.faults.extend(f"« {stray} » n'est pas un code complet" for stray in said.strays)

    def _stands(self, figure: Figure, segment: Segment) -> bool:
        kind, value = figure.kind, figure.value
        if self._somewhere(kind, value):
            return True
        if kind in _PAIRED:  # not in the records: the subscriber's own, said back
            own = value in self._asked.of(kind)
            return own and (segment.denies or (figure.hint and kind == "price"))
        return self._stands_alone(kind, value)

    def _stands_alone(self, kind: str, value: Value) -> bool:
        if kind == "clock":
            return self._clock(str(value))
        if kind == "date":
            return value in {f"{self._today:%m-%d}", f"{self._today:%Y-%m-%d}"}
        if isinstance(value, str):
            return False
        if kind == "network":
            return value <= _KNOWN_NETWORK or self._somewhere("volume", value * 1000)
        if kind == "bare":
            return value <= _SMALL or self._number(value) or value in self._asked.numbers
        return kind == "dialled" and self._number(value)

    def _somewhere(self, kind: str, value: Value) -> bool:
        return any(value in record.of(kind) for record in self._records)

    def _number(self, value: float) -> bool:
        return any(value in r.numbers or f"{value:.0f}" in r.of("phone") for r in self._records)

    def _clock(self, value: str) -> bool:
        hour, _, minutes = value.partition(":")
        if "?" in value:  # a clock of twelve hours
            hour, _, minutes = value.partition("?")
            return any(self._somewhere("clock", f"{h}:{minutes}") for h in (int(hour), int(hour) + 12))
        hours = 24.0 if hour == "0" else float(hour)
        return minutes == "00" and self._somewhere("validity", hours)

    def _together(self, figures: Sequence[Figure]) -> tuple[_Record, ...]:
        """Every figure must share a record with its neighbours; the records that fit all are spoken of."""
        if not figures:
            return ()
        spoken: dict[str, _Record] = {}
        for figure in figures:
            fitting = [r for r in self._records if _fits(r, figure, figures)]
            if not fitting:
                prices = [f.shown for f in figures if f.kind == "price" and f is not figure]
                beside = f" avec « {prices[0]} »" if prices else " avec les autres chiffres de la phrase"
                self.faults.append(f"« {figure.shown} » ne va pas{beside} dans les données")
            spoken.update((r.id, r) for r in fitting if r.is_offer)
        return tuple(spoken.values())


def _fits(record: _Record, figure: Figure, figures: Iterable[Figure]) -> bool:
    """Whether a record holds the figure, and one of each other kind in the sentence (a price always)."""
    if figure.value not in record.of(figure.kind):
        return False
    others: dict[str, set[Value]] = {}
    for other in figures:
        if other.kind != figure.kind:
            others.setdefault(other.kind, set()).add(other.value)
    for kind, wanted in others.items():
        held = record.of(kind)
        if not held & wanted and (held or kind == "price"):
            return False
    return True
