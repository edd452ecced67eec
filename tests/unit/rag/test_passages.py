"""Facts of offers and texts."""

from __future__ import annotations

from rag.catalogue import Catalogue
from rag.passages import describe, offer_facts, read_facts, volume
from tests.unit.rag.knowledge_base import DATA

CATALOGUE = Catalogue.load(DATA / "catalogue")


def test_an_offer_tells_every_figure() -> None:
    offer = CATALOGUE.get("APP-1500-7J-MIX")
    assert offer is not None
    facts = offer_facts(offer)
    assert facts.prices == {1500}
    assert facts.volumes == {500}
    assert facts.minutes == {105, 30}
    assert facts.validities == {168}
    line = describe(offer)
    assert all(
        bit in line for bit in ("1500 F", "500 Mo", "105 min vers Airtel", "30 min tous réseaux", "*141*1*6#")
    )


def test_volumes_are_written_the_local_way() -> None:
    assert [volume(mb) for mb in (25, 1000, 1200, 16000)] == ["25 Mo", "1 Go", "1,2 Go", "16 Go"]


def test_facts_of_a_text() -> None:
    facts = read_facts("Plafond 2 000 000 F, 2,5 % de frais, 7 jours, 400 Mo, appelez le 121 ou *121#")
    assert facts.prices == {2_000_000}
    assert facts.percentages == {2.5}
    assert facts.validities == {168}
    assert facts.volumes == {400}
    assert facts.codes == {"*121#"}
    assert "121" in facts.phones
