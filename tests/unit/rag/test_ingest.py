"""Documents become topics; all or nothing; what is internal stays out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from domain.errors import BadInput, BotError
from rag.ingest import MOST_CHARS, ingest
from rag.knowledge import load_topics
from rag.library import Library
from tests.unit.rag.knowledge_base import TODAY, catalogue_text, copy_of_data, offer_row

DAY = date(2026, 11, 25)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return copy_of_data(tmp_path / "data")


def put(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def pdf_of(lines: list[str]) -> bytes:
    """A PDF of one page, written by hand: the library reads only."""
    text = " ".join(f"({line}) Tj T*" for line in lines)
    stream = f"BT /F1 12 Tf 14 TL 50 700 Td {text} ET".encode("latin-1")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    xref = b"xref\n0 6\n0000000000 65535 f \n" + table
    return out + xref + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(out)


def test_a_text_is_found_and_answered_after_its_import(tmp_path: Path, data: Path) -> None:
    source = put(tmp_path, "Roaming.txt", "L'itinérance Airtel s'active au Nigéria avec le code *555#.\n")
    (written,) = ingest(source, data, today=DAY)
    assert written.parent == data / "knowledge" / "imported"
    retriever = Library.load(data, today=lambda: TODAY).retriever
    passage = retriever.find("comment activer l'itinérance ?").passages[0]
    assert passage.id == "DOC-ROAMING-1"
    assert "*555#" in retriever.codes()
    assert passage.fresh


def test_an_import_does_not_push_aside_what_is_known(tmp_path: Path, data: Path) -> None:
    text = "Notre boutique vend des cartes SIM et des forfaits internet au meilleur prix, chaque jour."
    ingest(put(tmp_path, "boutique.md", text), data, today=DAY)
    retriever = Library.load(data, today=lambda: TODAY).retriever
    assert retriever.find("Combien coûte une carte SIM ?").passages[0].id == "T-SIM"
    assert retriever.find("forfait internet 500 F semaine").passages[0].id == "NET-500-7J"


def test_html_loses_markup_scripts_and_comments(tmp_path: Path, data: Path) -> None:
    page = (
        "<html><head><style>p{}</style><script>SECRET()</script></head><body><nav>SECRET</nav><h1>Itinérance</h1>"
        "<p>Le service d&rsquo;itin&eacute;rance est gratuit.</p><!-- SECRET -->"
        "<h2>Note interne</h2><p>SECRET</p><h3>suite</h3><p>SECRET</p>"
        "<h2>Pays</h2><p>Nigéria</p></body></html>"
    )
    ingest(put(tmp_path, "page.html", page), data, today=DAY)
    topics = {t.title: t.text for t in load_topics(data / "knowledge" / "imported")}
    assert topics == {"Itinérance": "Le service d’itinérance est gratuit.", "Pays": "Nigéria"}


def test_a_pdf_gives_its_text(tmp_path: Path, data: Path) -> None:
    source = tmp_path / "tarifs.pdf"
    source.write_bytes(pdf_of(["Le roaming vers le Nigeria", "est facture 100 F la minute."]))
    ingest(source, data, today=DAY)
    (topic,) = load_topics(data / "knowledge" / "imported")
    assert topic.text == "Le roaming vers le Nigeria est facture 100 F la minute."


def test_long_sections_are_cut_between_sentences(tmp_path: Path, data: Path) -> None:
    sentence = "Le service est ouvert à tous les abonnés du pays sans aucune condition. "
    written = ingest(put(tmp_path, "long.txt", sentence * 30), data, today=DAY)
    topics = load_topics(data / "knowledge" / "imported")
    assert len(written) == len(topics) > 3
    assert all(len(t.text) <= MOST_CHARS and t.text.endswith(".") for t in topics)


def test_a_table_of_topics_gives_one_each(tmp_path: Path, data: Path) -> None:
    rows = "id,titre,texte,codes\nT-ROAM,Itinérance,Activez avec *555#,*555#\n,Fax,Le fax est fermé,\n"
    ingest(put(tmp_path, "sujets.csv", rows), data, today=DAY)
    assert {t.id for t in load_topics(data / "knowledge" / "imported")} == {"T-ROAM", "DOC-SUJETS-2"}


def test_a_catalogue_goes_to_the_catalogue(tmp_path: Path, data: Path) -> None:
    source = put(tmp_path, "Promo Noël.csv", catalogue_text(offer_row(id="NOEL")))
    assert ingest(source, data, today=DAY) == (data / "catalogue" / "promo-noel.csv",)
    assert Library.load(data, today=lambda: TODAY).retriever.get("NOEL") is not None


def test_a_topic_file_keeps_its_front_matter(tmp_path: Path, data: Path) -> None:
    ingest(put(tmp_path, "fax.md", "---\nid: T-FAX\ntitle: Fax\n---\nFermé.\n"), data, today=DAY)
    assert [t.id for t in load_topics(data / "knowledge" / "imported")] == ["T-FAX"]
    ingest(put(tmp_path, "fax.md", "---\nid: T-FAX\ntitle: Fax\n---\nOuvert.\n"), data, today=DAY)
    assert [t.text for t in load_topics(data / "knowledge" / "imported")] == ["Ouvert."]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("x.docx", "rien", "format inconnu"),
        ("x.csv", "a,b\n1,2\n", "ligne 1"),
        ("x.csv", "titre,texte\nA,\n", "ligne 2, colonne texte"),
        ("x.csv", catalogue_text(offer_row(price_fcfa="x")), "ligne 2, colonne price_fcfa"),
        ("x.md", "---\nid: T-SIM\ntitle: SIM\n---\nTexte\n", "T-SIM existe déjà dans sim.md"),
        ("x.md", "---\nid: T-Y\n---\nTexte\n", "title"),
        ("x.txt", "\n \n", "aucun texte"),
        ("x.pdf", "pas un pdf", "PDF illisible"),
    ],
)
def test_a_fault_imports_nothing(tmp_path: Path, data: Path, name: str, text: str, fault: str) -> None:
    folder = tmp_path / "docs"
    put(folder, "good.txt", "Un texte correct.")
    put(folder, name, text)
    source = folder / name if name.endswith(".docx") else folder
    with pytest.raises(BotError) as caught:
        ingest(source, data, today=DAY)
    assert fault in str(caught.value)
    assert not (data / "knowledge" / "imported").exists()
    assert [p.name for p in (data / "catalogue").iterdir()] == ["offers.csv"]


def test_two_documents_of_one_name_are_refused(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "docs"
    put(folder, "a b.txt", "Un.")
    put(folder, "a-b.txt", "Deux.")
    with pytest.raises(BadInput, match="renommez"):
        ingest(folder, data, today=DAY)
