"""One folder of knowledge: reloaded whole, kept when a newer file is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import BadKnowledge
from rag.embeddings import Vectors
from rag.library import Library
from tests.unit.rag.knowledge_base import TODAY, catalogue_text, copy_of_data, offer_row


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return copy_of_data(tmp_path)


def load(data: Path) -> Library:
    return Library.load(data, today=lambda: TODAY)


async def test_a_new_offer_is_known_after_a_reload(data: Path) -> None:
    library = load(data)
    before = library.version
    assert not library.changed_on_disk()
    (data / "catalogue" / "promo.csv").write_text(catalogue_text(offer_row(id="PROMO")), encoding="utf-8")
    assert library.changed_on_disk()
    assert await library.reload()
    assert library.version != before
    assert library.retriever.get("PROMO") is not None
    assert not library.changed_on_disk()
    assert library.sizes["offers"] == 39


async def test_a_reload_without_change_says_so_and_keeps_the_vectors(data: Path) -> None:
    library = load(data)
    library.retriever.vectors = vectors = Vectors({})
    (data / "knowledge" / "sim.md").touch()
    assert library.changed_on_disk()
    assert not await library.reload()
    assert library.retriever.vectors is vectors
    assert not library.changed_on_disk()


async def test_a_broken_file_keeps_the_last_good_knowledge(data: Path) -> None:
    library = load(data)
    version, retriever = library.version, library.retriever
    bad = data / "catalogue" / "promo.csv"
    bad.write_text(catalogue_text(offer_row(price_fcfa="gratuit")), encoding="utf-8")
    assert not await library.reload()
    assert "promo.csv, ligne 2, colonne price_fcfa" in library.broken
    assert (library.version, library.retriever) == (version, retriever)
    assert not library.changed_on_disk()  # the same broken file is not tried again and again
    bad.unlink()
    assert library.changed_on_disk()
    assert not await library.reload()
    assert library.broken == ""


async def test_a_removed_file_changes_the_version(data: Path) -> None:
    library = load(data)
    (data / "knowledge" / "sim.md").unlink()
    assert await library.reload()
    assert library.retriever.get("T-SIM") is None


def test_a_broken_folder_refuses_to_start(data: Path) -> None:
    (data / "knowledge" / "sim.md").write_bytes(b"\xff\xfe nonsense")
    with pytest.raises(BadKnowledge, match=r"sim\.md"):
        load(data)
    with pytest.raises(BadKnowledge, match="n'existe pas"):
        load(data / "nowhere")


def test_the_same_files_have_the_same_version(data: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert load(data).version == load(copy_of_data(tmp_path_factory.mktemp("other"))).version
