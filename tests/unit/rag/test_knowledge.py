"""Markdown topics: front matter, languages, keywords, what is internal."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from domain.errors import BadKnowledge
from rag.knowledge import load_topics, read_topic, topic_passage
from tests.unit.rag.knowledge_base import DATA

HEAD = "---\nid: T-X\ntitle: Essai\nkeywords: sim 1.5; sim+prix 2\n---\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "x.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shipped_topic_speaks_four_languages() -> None:
    topics = load_topics(DATA / "knowledge")
    assert len(topics) == 27
    for topic in topics:
        assert [name for name, _ in topic.texts] == ["fr", "ha", "dje", "en"], topic.id
        assert all(len(text) <= 600 for _, text in topic.texts), topic.id
        assert topic.keywords, topic.id
        assert len(topic.questions) >= 4, topic.id


def test_sections_languages_and_keywords(tmp_path: Path) -> None:
    body = "Une SIM coûte 500 F.\n\n## ha\nSIM 500 F ne.\n\n## questions\n- Prix de la SIM ?\n- sim cb\n"
    topic = read_topic(write(tmp_path, HEAD + body))
    assert topic.text == "Une SIM coûte 500 F."
    assert topic_passage(topic, fresh=True).wording("ha") == "SIM 500 F ne."
    assert topic_passage(topic, fresh=True).wording("en") == "Une SIM coûte 500 F."
    assert topic.questions == ("Prix de la SIM ?", "sim cb")
    assert [(k.senses, k.weight) for k in topic.keywords] == [(("sim",), 1.5), (("sim", "prix"), 2.0)]


@pytest.mark.parametrize(
    "secret",
    [
        "## Note interne\nSECRET\n",
        "## INTERNE\nSECRET\n### encore\nSECRET\n",
        "<!-- SECRET -->\n",
        "<!-- interne -->\nSECRET\n<!-- /interne -->\n",
        "<!-- interne -->\nSECRET sans fin\n",
        "## Internal only\nSECRET\n## fr\n",
    ],
)
def test_internal_sections_reach_nobody(tmp_path: Path, secret: str) -> None:
    topic = read_topic(write(tmp_path, HEAD + "Public.\n\n" + secret))
    assert "SECRET" not in repr(topic)
    assert "Public." in topic.text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Sans en-tête", "ligne 1"),
        ("---\nid: T\ntitle: x\n", "fin de l'en-tête"),
        ("---\nid: T\n---\nTexte", "title"),
        ("---\ntitle: x\n---\nTexte", "id"),
        ("---\nid: T\ntitle: x\n---\n\n## ha\nHausa\n", "français"),
        ("---\nid: T\ncouleur: bleu\n---\nTexte", "ligne 3"),
        ("---\nid: T\ntitle: x\nvalid_to: demain\n---\nTexte", "valid_to"),
        ("---\nid: T\ntitle: x\nkeywords: sim beaucoup\n---\nTexte", "keywords"),
    ],
)
def test_a_fault_names_file_and_place(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(BadKnowledge, match=r"x\.md") as caught:
        read_topic(write(tmp_path, text))
    assert fault in str(caught.value)


def test_validity_and_freshness(tmp_path: Path) -> None:
    head = HEAD.replace("---\nid", "---\nvalid_to: 2026-12-31\nlast_checked: 2026-01-01\nid", 1)
    topic = read_topic(write(tmp_path, head + "Texte"))
    assert topic.current(date(2026, 12, 31))
    assert not topic.current(date(2027, 1, 1))
    assert topic.is_fresh(date(2026, 12, 31), 365)
    assert not topic.is_fresh(date(2027, 1, 2), 365)
