"""The offers that fulfil most of what is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.catalogue import Catalogue, Offer
from rag.offer_index import OfferIndex
from rag.slots import Bound, Slots
from tests.unit.rag.knowledge_base import DATA, TODAY

OFFERS = Catalogue.load(DATA / "catalogue").offers
INDEX = OfferIndex(OFFERS)
INTERNET = frozenset({"internet"})
CALLS = frozenset({"appel"})


def found(slots: Slots, today: date = TODAY) -> list[str]:
    return [offer.id for offer in INDEX.find(slots, today, 5).offers]


@pytest.mark.parametrize(
    ("slots", "first"),
    [
        (Slots(price=500, validity=168, services=INTERNET), "NET-500-7J"),
        (Slots(data=6000), "NET-5000-30J"),
        (Slots(minutes=75), "APP-500-7J"),
        (Slots(unlimited=True, data=2000), "ILL-3000-7J"),
        (Slots(night=True, price=500, services=INTERNET), "NUI-NET-500"),
        (Slots(night=True, price=100, services=CALLS), "NUI-APP-100"),
        (Slots(cheapest=True, services=INTERNET), "NET-100-24H"),
        (Slots(validity=48, services=CALLS, without=INTERNET), "APP-300-48H"),
        (Slots(price=100, price_bound=Bound.BELOW, services=INTERNET), "NET-100-24H"),
        (Slots(price=1000, price_bound=Bound.BELOW, services=INTERNET, night=True), "NUI-NET-500"),
        (Slots(validity=720, services=INTERNET, hint_price=10000), "NET-10000-30J"),
        (Slots(biggest=True, services=CALLS, all_networks=True), "ILL-20000-30J"),
        (Slots(biggest=True, services=INTERNET), "NET-20000-30J"),
        (Slots(unlimited=True, validity=720), "ILL-20000-30J"),
        (Slots(minutes=300, all_networks=True), "ILL-20000-30J"),
        (Slots(price=1500, services=INTERNET | CALLS), "APP-1500-7J-MIX"),
        (Slots(services=frozenset({"sms"}), minutes=1000), "APP-5000-30J-1000"),
        (Slots(price=3500, services=INTERNET), "NET-3000-7J"),
        (Slots(price=300, price_bound=Bound.AT_MOST, services=INTERNET, validity=1), "NET-200-1H"),
    ],
)
def test_the_best_offer_comes_first(slots: Slots, first: str) -> None:
    assert found(slots)[0] == first


def test_nothing_asked_finds_nothing() -> None:
    assert found(Slots()) == []


def test_a_wish_nobody_fulfils_is_relaxed_and_said() -> None:
    hits = INDEX.find(Slots(data=7000, services=INTERNET), TODAY, 5)
    assert not hits.exact
    assert "NET-5000-30J" in [offer.id for offer in hits.offers]


def test_expired_and_future_offers_are_never_found() -> None:
    gone = replace(OFFERS[0], id="GONE", aliases=(), price=777, valid_to=date(2026, 11, 24))
    coming = replace(OFFERS[0], id="SOON", aliases=(), price=777, valid_from=date(2026, 11, 26))
    index = OfferIndex((gone, coming))
    assert index.find(Slots(price=777), TODAY, 5).offers == ()
    assert [o.id for o in index.find(Slots(price=777), date(2026, 11, 24), 5).offers] == ["GONE"]
    assert [o.id for o in index.find(Slots(price=777), date(2026, 11, 26), 5).offers] == ["SOON"]


@given(
    price=st.none() | st.integers(0, 30_000),
    data=st.none() | st.integers(0, 50_000),
    validity=st.none() | st.integers(1, 2000),
    unlimited=st.booleans(),
    night=st.booleans(),
    services=st.frozensets(st.sampled_from(["internet", "appel", "sms"])),
)
def test_whatever_is_asked_gives_offers_on_sale(
    price: int | None,
    data: int | None,
    validity: int | None,
    unlimited: bool,
    night: bool,
    services: frozenset[str],
) -> None:
    slots = Slots(
        price=price, data=data, validity=validity, unlimited=unlimited, night=night, services=services
    )
    hits = INDEX.find(slots, TODAY, 5)
    assert len(hits.offers) <= 5
    assert all(isinstance(o, Offer) and o.on_sale(TODAY) for o in hits.offers)
    if unlimited and hits.exact and not services:
        assert all(o.unlimited_onnet for o in hits.offers)
