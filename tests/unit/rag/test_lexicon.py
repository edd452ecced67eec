"""Words of any spelling as senses; faults of the files by file, line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import BadKnowledge
from rag.lexicon import Lexicon
from tests.unit.rag.knowledge_base import shipped

LEXICON = shipped().lexicon


@pytest.mark.parametrize(
    ("text", "senses"),
    [
        ("forfé ilimité", {"forfait", "illimite"}),
        ("sa mreste cb", {"solde", "combien"}),
        ("Ina so in sayi data ta mako daya", {"acheter", "internet", "semaine"}),
        ("cire kudi", {"retirer"}),
        ("Nooru samba", {"argent", "envoyer"}),
        ("cheapest plan", {"moinscher", "forfait"}),
        ("tt rezo", {"tousreseaux"}),
        ("a kel heur vs ouvré", {"horaire"}),
    ],
)
def test_spellings_of_four_languages_share_senses(text: str, senses: set[str]) -> None:
    assert senses <= LEXICON.read(text).senses


@pytest.mark.parametrize(
    ("typo", "word"),
    [
        ("forfiat", "forfait"),
        ("internt", "internt"),
        ("ilimtie", "ilimite"),
        ("retriat", "retrait"),
        ("agrent", "argent"),
    ],
)
def test_a_typo_is_repaired_into_a_word_of_ours(typo: str, word: str) -> None:
    assert LEXICON.repair(typo) == word


@pytest.mark.parametrize("word", ["espere", "livre", "advice", "poste", "table", "mange", "xyzzy", "car"])
def test_a_word_of_everyday_talk_is_never_bent(word: str) -> None:
    assert LEXICON.repair(word) == word


@pytest.mark.parametrize(
    ("text", "sense"),
    [
        ("mon frère n'a pas de compte Airtel Money", "sanscompte"),
        ("ba ta da asusun Airtel Money", "sanscompte"),
        ("boro kan sinda konte", "sanscompte"),
        ("je n'ai pas de compte Airtel Money", "sansmoncompte"),
        ("I don't have an Airtel Money account", "sansmoncompte"),
    ],
)
def test_who_has_no_account_is_told_apart(text: str, sense: str) -> None:
    found = LEXICON.read(text).senses
    assert sense in found
    assert ({"sanscompte", "sansmoncompte"} - {sense}).isdisjoint(found)


def test_a_very_long_message_is_read_in_part_only() -> None:
    assert len(LEXICON.read("forfait " * 5000).words) <= 120


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("words_fr.csv", "langue,formes,sens\nfr,net,internet\n", "colonne absente : confiance"),
        ("words_fr.csv", "langue,formes,sens,confiance\nfr,,internet,haute\n", "ligne 2, colonne formes"),
        ("words_fr.csv", "langue,formes,sens,confiance\nxx,net,internet,haute\n", "ligne 2, colonne langue"),
        (
            "words_fr.csv",
            "langue,formes,sens,confiance\nfr,net,internet,sure\n",
            "ligne 2, colonne confiance",
        ),
        ("numbers.csv", "langue,formes,valeur,genre\nfr,deux,deux,unit\n", "ligne 2, colonne valeur"),
        ("numbers.csv", "langue,formes,valeur,genre\nfr,deux,2,mot\n", "ligne 2, colonne genre"),
        ("intents.csv", "intention,langue\nx,fr\n", "colonne absente : formes"),
    ],
)
def test_a_fault_names_file_line_and_column(tmp_path: Path, name: str, text: str, fault: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(BadKnowledge, match=name.replace(".", r"\.")) as caught:
        Lexicon.load(tmp_path)
    assert fault in str(caught.value)


def test_the_surer_of_two_meanings_wins(tmp_path: Path) -> None:
    rows = "langue,formes,sens,confiance\ndje,hari,eau,basse\nha,hari,nuit,haute\n"
    (tmp_path / "words.csv").write_text(rows, encoding="utf-8")
    assert Lexicon.load(tmp_path).read("hari").senses == {"nuit"}
