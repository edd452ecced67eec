"""Offers as typed rows, read from CSV. Every fault names file, line and column."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from domain.errors import BadKnowledge

CATEGORIES = frozenset({"internet", "appel", "illimite", "nuit"})
UNLIMITED = "illimite"
COLUMNS = (
    *("id", "aliases", "category", "price_fcfa", "validity_hours", "validity_label", "data_mb"),
    *("minutes_onnet", "minutes_allnet", "minutes_unspecified", "sms", "time_window", "codes"),
    *(
        "bonus_percent",
        "bonus_days",
        "bonus_hours",
        "valid_from",
        "valid_to",
        "source",
        "last_checked",
        "note",
    ),
)
_CODE = re.compile(r"[*#]\d+(?:\*\d+)*#")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Bonus:
    """`percent` more volume when bought on one of `days`, valid `hours`."""

    percent: int
    days: tuple[str, ...]
    hours: int


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer. Prices in FCFA, volumes in MB (1 Go = 1000 Mo), validity in hours.

    `unlimited_onnet` and `unlimited_sms` stand beside a figure of 0. `minutes_unspecified` counts minutes
    whose network the source does not name. Codes: the usual one first.
    """

    id: str
    category: str
    price: int
    validity_hours: int
    validity_label: str
    codes: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    data_mb: int = 0
    minutes_onnet: int = 0
    minutes_allnet: int = 0
    minutes_unspecified: int = 0
    unlimited_onnet: bool = False
    sms: int = 0
    unlimited_sms: bool = False
    time_window: str = ""
    bonus: Bonus | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    source: str = ""
    last_checked: date | None = None
    note: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """Its own id, then the ids under which the source lists it again."""
        return (self.id, *self.aliases)

    @property
    def has_minutes(self) -> bool:
        """Whether calls are part of it."""
        return bool(
            self.unlimited_onnet or self.minutes_onnet or self.minutes_allnet or self.minutes_unspecified
        )

    @property
    def minutes(self) -> frozenset[int]:
        """Every figure a subscriber may name as its minutes."""
        return frozenset({self.minutes_onnet, self.minutes_allnet, self.minutes_unspecified} - {0})

    @property
    def at_night(self) -> bool:
        """Whether it works in a time window only."""
        return bool(self.time_window)

    def on_sale(self, today: date) -> bool:
        """Whether it may be sold on that day."""
        started = self.valid_from is None or self.valid_from <= today
        return started and (self.valid_to is None or today <= self.valid_to)

    def is_fresh(self, today: date, max_age_days: int) -> bool:
        """Whether somebody checked it lately enough to call it current."""
        return self.last_checked is not None and (today - self.last_checked).days <= max_age_days


class Row:
    """One CSV row that knows where it stands."""

    def __init__(self, file: str, line: int, values: Mapping[str, str | None]) -> None:
        self._file = file
        self._line = line
        self._values = values

    def fault(self, column: str, text: str) -> BadKnowledge:
        """An error that names file, line and column."""
        return BadKnowledge(f"{self._file}, ligne {self._line}, colonne {column} : {text}")

    def text(self, column: str) -> str:
        """The cell without outer spaces, "" when empty."""
        return (self._values.get(column) or "").strip()

    def required(self, column: str) -> str:
        """The cell, which must not be empty."""
        value = self.text(column)
        if not value:
            raise self.fault(column, "valeur obligatoire absente")
        return value

    def parts(self, column: str) -> tuple[str, ...]:
        """The cell split at `|`."""
        return tuple(p.strip() for p in self.text(column).split("|") if p.strip())

    def figure(self, column: str, *, required: bool = False) -> int:
        """A whole number, 0 when empty."""
        value = self.required(column) if required else self.text(column)
        if not value:
            return 0
        if not value.isascii() or not value.isdigit() or len(value) > 9:
            raise self.fault(column, f"« {value} » n'est pas un nombre entier")
        return int(value)

    def figure_or_unlimited(self, column: str) -> tuple[int, bool]:
        """A whole number, or the word `illimite`."""
        if self.text(column).lower().replace("é", "e") == UNLIMITED:
            return 0, True
        return self.figure(column), False

    def day(self, column: str) -> date | None:
        """A date written 2026-11-22, None when empty."""
        value = self.text(column)
        if not value:
            return None
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise self.fault(column, f"« {value} » n'est pas une date AAAA-MM-JJ") from error


def read_offers(path: Path) -> tuple[Offer, ...]:
    """All offers of one file. Raises BadKnowledge for the first fault."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadKnowledge(f"{path.name} : illisible ({error})") from error
    reader = csv.DictReader(text.splitlines())
    missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
    if missing:
        raise BadKnowledge(f"{path.name}, ligne 1 : colonne absente : {', '.join(missing)}")
    return tuple(_offer(Row(path.name, reader.line_num, row)) for row in reader)


def _offer(row: Row) -> Offer:
    category = row.required("category")
    if category not in CATEGORIES:
        raise row.fault("category", f"« {category} » inconnue ({', '.join(sorted(CATEGORIES))})")
    if not _ID.fullmatch(row.required("id")):
        raise row.fault("id", "lettres, chiffres, tiret et point seulement")
    codes = row.parts("codes")
    if not codes:
        raise row.fault("codes", "valeur obligatoire absente")
    for code in codes:
        if not _CODE.fullmatch(code):
            raise row.fault("codes", f"« {code} » n'est pas un code USSD")
    onnet, unlimited = row.figure_or_unlimited("minutes_onnet")
    sms, unlimited_sms = row.figure_or_unlimited("sms")
    offer = Offer(
        id=row.required("id"),
        aliases=row.parts("aliases"),
        category=category,
        price=row.figure("price_fcfa", required=True),
        validity_hours=row.figure("validity_hours", required=True),
        validity_label=row.required("validity_label"),
        codes=codes,
        data_mb=row.figure("data_mb"),
        minutes_onnet=onnet,
        minutes_allnet=row.figure("minutes_allnet"),
        minutes_unspecified=row.figure("minutes_unspecified"),
        unlimited_onnet=unlimited,
        sms=sms,
        unlimited_sms=unlimited_sms,
        time_window=row.text("time_window"),
        bonus=_bonus(row),
        valid_from=row.day("valid_from"),
        valid_to=row.day("valid_to"),
        source=row.text("source"),
        last_checked=row.day("last_checked"),
        note=row.text("note"),
    )
    _check(row, offer)
    return offer


def _bonus(row: Row) -> Bonus | None:
    percent = row.figure("bonus_percent")
    if not percent:
        return None
    days = row.parts("bonus_days")
    if not days:
        raise row.fault("bonus_days", "un bonus a besoin de ses jours")
    return Bonus(percent, days, row.figure("bonus_hours", required=True))


def _check(row: Row, offer: Offer) -> None:
    if offer.price <= 0:
        raise row.fault("price_fcfa", "le prix doit être plus grand que zéro")
    if offer.validity_hours <= 0:
        raise row.fault("validity_hours", "la durée doit être plus grande que zéro")
    if not (offer.data_mb or offer.has_minutes or offer.sms or offer.unlimited_sms):
        raise row.fault("data_mb", "l'offre ne contient ni volume, ni minutes, ni SMS")
    if offer.valid_from and offer.valid_to and offer.valid_to < offer.valid_from:
        raise row.fault("valid_to", "la fin précède le début")


class Catalogue:
    """All offers, by id and alias."""

    def __init__(self, offers: Iterable[Offer]) -> None:
        self.offers: tuple[Offer, ...] = tuple(offers)
        self._by_id: dict[str, Offer] = {}
        for offer in self.offers:
            for name in offer.ids:
                if name in self._by_id:
                    raise BadKnowledge(f"catalogue : l'identifiant {name} est donné deux fois")
                self._by_id[name] = offer

    @classmethod
    def load(cls, folder: Path) -> Catalogue:
        """Read every CSV file of the folder. Raises BadKnowledge."""
        offers: list[Offer] = []
        for path in sorted(folder.glob("*.csv")):
            offers.extend(read_offers(path))
        return cls(offers)

    def __len__(self) -> int:
        return len(self.offers)

    def get(self, offer_id: str) -> Offer | None:
        """By id or alias."""
        return self._by_id.get(offer_id)

    def codes(self) -> frozenset[str]:
        """Every code of the catalogue."""
        return frozenset(code for offer in self.offers for code in offer.codes)


def current(offers: Sequence[Offer], today: date) -> tuple[Offer, ...]:
    """Those on sale that day."""
    return tuple(o for o in offers if o.on_sale(today))
