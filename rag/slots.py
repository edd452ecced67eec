"""What a question asks of an offer, as typed slots; a follow-up inherits what it does not say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Bound(StrEnum):
    """How a figure is meant."""

    EXACT = "exact"
    AT_MOST = "at_most"
    AT_LEAST = "at_least"
    BELOW = "below"
    ABOVE = "above"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True)
class Slots:
    """FCFA, hours, MB, minutes. `services` holds "internet", "appel", "sms".

    `terms` are the content words of the question, for follow-ups about a topic. `hint_*` come from what was
    said before: they break ties and never exclude. `without` names services the offer must not have;
    `any_service` says one of `services` is enough, `validities` that any of them fits.
    """

    price: int | None = None
    price_bound: Bound = Bound.EXACT
    validity: int | None = None
    validities: tuple[int, ...] = ()
    data: int | None = None
    data_bound: Bound = Bound.EXACT
    minutes: int | None = None
    minutes_bound: Bound = Bound.EXACT
    services: frozenset[str] = frozenset()
    any_service: bool = False
    without: frozenset[str] = frozenset()
    unlimited: bool = False
    unlimited_sms: bool = False  # only the SMS are meant
    night: bool = False
    all_networks: bool = False
    on_network: bool = False
    cheapest: bool = False
    biggest: bool = False
    longest: bool = False
    prices: tuple[int, ...] = ()  # every price named, for comparisons
    loose: tuple[int, ...] = ()  # figures without a unit
    codes: tuple[str, ...] = ()
    offer_word: bool = False
    terms: tuple[str, ...] = ()
    hint_price: int | None = None
    hint_validity: int | None = None
    hint_offers: tuple[str, ...] = ()

    @property
    def has_figures(self) -> bool:
        """Whether a price, validity, volume or number of minutes is named."""
        return not (
            self.price is None and self.validity is None and self.data is None and self.minutes is None
        )

    def inherit(self, previous: Slots) -> Slots:
        """These slots, completed by those of the question before.

        A new price, volume or number of minutes describes another offer, so the old ones of these three go.
        """
        new_offer = self.price is not None or self.data is not None or self.minutes is not None
        new_service = bool(self.services) and self.services != previous.services
        new_service = new_service or (self.unlimited and not previous.unlimited)
        keep_content = not (new_offer or new_service or self.validity is not None or self.night)
        keep_price = keep_content or (not new_offer and self.validity is None and new_service)
        below = self.cheapest and not new_offer and previous.price is not None
        if self.cheapest or self.biggest or self.longest:
            keep_content = keep_price = False
        price, price_bound = self.price, self.price_bound
        if price is None and (keep_price or below):
            price, price_bound = previous.price, Bound.BELOW if below else previous.price_bound
        return Slots(
            price=price,
            price_bound=price_bound,
            hint_price=None if new_offer or price is not None else previous.price or previous.hint_price,
            validity=self.validity or (None if self._leaves_length(previous) else previous.validity),
            validities=self.validities,
            data=previous.data if keep_content and self.data is None else self.data,
            data_bound=previous.data_bound if keep_content and self.data is None else self.data_bound,
            minutes=previous.minutes if keep_content and self.minutes is None else self.minutes,
            services=self.services or ((frozenset()) if self.unlimited else previous.services),
            unlimited=self.unlimited or (previous.unlimited and not self.services),
            any_service=self.any_service or (previous.any_service and not self.services),
            without=self.without or (previous.without - self.services),
            unlimited_sms=self.unlimited_sms or (previous.unlimited_sms and not self.services),
            night=self.night or (previous.night and self._may_be_at_night(previous)),
            all_networks=self.all_networks or (previous.all_networks and not self.on_network),
            on_network=self.on_network or (previous.on_network and not self.all_networks),
            cheapest=self.cheapest or (previous.cheapest and not self.biggest),
            biggest=self.biggest or (previous.biggest and not self.cheapest),
            longest=self.longest,
            prices=self.prices,
            loose=self.loose,
            codes=self.codes,
            terms=self.terms,
            offer_word=self.offer_word or previous.offer_word,
            hint_validity=previous.hint_validity,
            hint_offers=previous.hint_offers,
        )

    def _leaves_length(self, previous: Slots) -> bool:
        return self.night and (self.services or previous.services) == {"internet"}

    def _may_be_at_night(self, previous: Slots) -> bool:
        """Calls by night are sold for a day, a week or a month; internet by night has no such length."""
        return self.validity is None or (self.services or previous.services) == {"appel"}
