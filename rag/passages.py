"""What retrieval hands to an answer: passages with the facts that may be told from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from rag.catalogue import Offer
from rag.normalise import find_codes, fold


@dataclass(frozen=True, slots=True)
class Facts:
    """Every figure of a passage in canonical form.

    Prices and amounts in FCFA, volumes in MB, validities in hours, percentages as numbers, phones as digits.
    `numbers` holds every other bare figure (option numbers, years, times).
    """

    codes: frozenset[str] = frozenset()
    prices: frozenset[int] = frozenset()
    volumes: frozenset[int] = frozenset()
    validities: frozenset[int] = frozenset()
    minutes: frozenset[int] = frozenset()
    percentages: frozenset[float] = frozenset()
    phones: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Passage:
    """One thing an answer may rest on. `texts` holds a topic's wording per language, French always."""

    id: str
    kind: str  # "offer" | "topic"
    title: str
    text: str
    codes: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts, hash=False)  # hashing what follows from the rest costs time
    offer: Offer | None = field(default=None, hash=False)
    aliases: tuple[str, ...] = ()
    texts: tuple[tuple[str, str], ...] = field(default=(), hash=False)
    fresh: bool = True  # False: checked too long ago to be told as current

    @property
    def topic(self) -> str:
        """What it is about, for the figures: an offer's category, a topic's id."""
        return self.offer.category if self.offer is not None else self.id

    def wording(self, language: str) -> str:
        """The topic's text in that language, else in French."""
        return next((text for code, text in self.texts if code == language), self.text)


_UNIT_MB = {"go": 1000, "gb": 1000, "giga": 1000, "mo": 1, "mb": 1, "mega": 1}
_UNIT_HOURS = {"h": 1, "heure": 1, "hour": 1, "j": 24, "jour": 24, "day": 24, "semaine": 168, "mois": 720}
_FIGURE = re.compile(r"(?<![\d*#])(\d{1,3}(?:[ .]\d{3})+|\d+)(?:[.,](\d{1,2}))?(?!\d)\s*(%|[a-z]+)?")


@lru_cache(maxsize=4096)
def read_facts(text: str) -> Facts:
    """The figures of a free text."""
    codes = find_codes(text)
    plain = re.sub(r"[*#][\d*]+#", " ", fold(text))
    sets: dict[str, set[float]] = {
        k: set() for k in ("prices", "volumes", "validities", "minutes", "percent")
    }
    numbers: set[str] = set()
    for match in _FIGURE.finditer(plain):
        value = float(re.sub(r"\D", "", match[1]) + (f".{match[2]}" if match[2] else ""))
        _sort_figure(value, (match[3] or "").rstrip("s"), sets)
        numbers.add(f"{value:g}" if value < 1e6 else str(int(value)))
    phones = {re.sub(r"\D", "", p) for p in re.findall(r"(?<![\d*])\+?\d[\d ]{6,14}\d(?!\d)", plain)}
    return Facts(
        codes=frozenset(codes),
        prices=frozenset(int(v) for v in sets["prices"]),
        volumes=frozenset(int(v) for v in sets["volumes"]),
        validities=frozenset(int(v) for v in sets["validities"]),
        minutes=frozenset(int(v) for v in sets["minutes"]),
        percentages=frozenset(sets["percent"]),
        phones=frozenset(phones | ({"121"} if re.search(r"(?<![\d*])121(?![\d#])", plain) else set())),
        numbers=frozenset(numbers),
    )


def _sort_figure(value: float, unit: str, sets: dict[str, set[float]]) -> None:
    if unit == "%":
        sets["percent"].add(value)
    elif unit in {"f", "fcfa", "cfa", "franc"}:
        sets["prices"].add(value)
    elif unit in _UNIT_MB:
        sets["volumes"].add(round(value * _UNIT_MB[unit]))
    elif unit in _UNIT_HOURS:
        sets["validities"].add(value * _UNIT_HOURS[unit])
    elif unit in {"min", "minute", "mn", "minti"}:
        sets["minutes"].add(value)


def offer_facts(offer: Offer) -> Facts:
    """The figures of an offer."""
    bonus = offer.bonus
    window = tuple(int(n) for n in re.findall(r"\d+", offer.time_window))
    own = {offer.price, offer.validity_hours, offer.data_mb, *offer.minutes, offer.sms, *window}
    return Facts(
        codes=frozenset(offer.codes),
        prices=frozenset({offer.price}),
        volumes=frozenset({offer.data_mb} - {0}),
        validities=frozenset({offer.validity_hours} | ({bonus.hours} if bonus else set())),
        minutes=offer.minutes,
        percentages=frozenset({float(bonus.percent)} if bonus else ()),
        numbers=frozenset(str(n) for n in own if n or n in window),
    )


def offer_passage(offer: Offer, *, fresh: bool) -> Passage:
    """The offer as a passage; its text is the French line a model may quote."""
    from_bits = describe(offer)
    return Passage(
        id=offer.id,
        kind="offer",
        title=f"{offer.category} {offer.price} F",
        text=from_bits,
        codes=offer.codes,
        facts=offer_facts(offer),
        offer=offer,
        aliases=offer.aliases,
        fresh=fresh,
    )


def volume(megabytes: int) -> str:
    """500 -> "500 Mo", 1200 -> "1,2 Go"."""
    if megabytes < 1000:
        return f"{megabytes} Mo"
    return f"{megabytes / 1000:g}".replace(".", ",") + " Go"


def _minutes(offer: Offer) -> Iterator[str]:
    if offer.minutes_onnet and offer.minutes_onnet != offer.minutes_allnet:
        yield f"{offer.minutes_onnet} min vers Airtel"
    if offer.minutes_allnet:
        yield f"{offer.minutes_allnet} min tous réseaux"
    if offer.minutes_unspecified:
        yield f"{offer.minutes_unspecified} min (réseau non précisé)"


def describe(offer: Offer) -> str:
    """One French line with every fact of the offer."""
    bits = [f"{offer.price} F"]
    if offer.data_mb:
        bits.append(volume(offer.data_mb))
    if offer.unlimited_onnet:
        bits.append("appels illimités vers Airtel")
    bits.extend(_minutes(offer))
    if offer.unlimited_sms:
        bits.append("SMS illimités")
    elif offer.sms:
        bits.append(f"{offer.sms} SMS")
    bits.append(f"validité {offer.validity_label}")
    if offer.time_window and offer.time_window not in offer.validity_label:
        bits.append(f"de {offer.time_window}")
    if offer.bonus:
        bits.append(
            f"bonus {offer.bonus.percent} % {'/'.join(offer.bonus.days)} valable {offer.bonus.hours} h"
        )
    return f"{', '.join(bits)}. Code : {' ou '.join(offer.codes)}"
