"""Offers from CSV; a fault names file, line and column."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from domain.errors import BadKnowledge
from rag.catalogue import Catalogue, current, read_offers
from tests.unit.rag.knowledge_base import DATA, catalogue_text, offer_row


def test_the_shipped_catalogue_merges_offers_listed_twice() -> None:
    catalogue = Catalogue.load(DATA / "catalogue")
    assert len(catalogue) == 38
    assert catalogue.get("APP-500-24H-ILL") is catalogue.get("ILL-500-24H")
    assert "*141*1*6#" in catalogue.codes()


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"price_fcfa": "cinq"}, "price_fcfa"),
        ({"price_fcfa": "0"}, "price_fcfa"),
        ({"price_fcfa": ""}, "price_fcfa"),
        ({"price_fcfa": "-500"}, "price_fcfa"),
        ({"category": "voix"}, "category"),
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
        ({"codes": ""}, "codes"),
        ({"codes": "*141*3"}, "codes"),
        ({"validity_hours": "x"}, "validity_hours"),
        ({"validity_hours": "0"}, "validity_hours"),
        ({"data_mb": ""}, "data_mb"),
        ({"valid_from": "22/11/2026"}, "valid_from"),
        ({"valid_from": "2026-12-02", "valid_to": "2026-12-01"}, "valid_to"),
        ({"bonus_percent": "100"}, "bonus_days"),
        ({"last_checked": "hier"}, "last_checked"),
    ],
)
def test_a_fault_names_file_line_and_column(tmp_path: Path, cells: dict[str, str], column: str) -> None:
    path = tmp_path / "mai.csv"
    path.write_text(catalogue_text(offer_row(), offer_row(**({"id": "NET-2"} | cells))), encoding="utf-8")
    with pytest.raises(BadKnowledge) as caught:
        read_offers(path)
    assert f"mai.csv, ligne 3, colonne {column}" in str(caught.value)


def test_a_missing_column_and_a_doubled_id_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,category\nX,internet\n", encoding="utf-8")
    with pytest.raises(BadKnowledge, match=r"a\.csv, ligne 1 : colonne absente"):
        Catalogue.load(tmp_path)
    (tmp_path / "a.csv").write_text(catalogue_text(offer_row(), offer_row()), encoding="utf-8")
    with pytest.raises(BadKnowledge, match="NET-1 est donné deux fois"):
        Catalogue.load(tmp_path)


def test_dates_decide_what_is_on_sale_and_fresh(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        catalogue_text(offer_row(valid_from="2026-01-01", valid_to="2026-06-30")), encoding="utf-8"
    )
    (offer,) = read_offers(path)
    assert current([offer], date(2026, 6, 30)) == (offer,)
    assert current([offer], date(2026, 7, 1)) == ()
    assert offer.is_fresh(date(2027, 11, 22), 365)
    assert not offer.is_fresh(date(2027, 11, 23), 365)
