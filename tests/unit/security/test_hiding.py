"""What people type about themselves is taken out before a model, a log or another person reads it."""

from __future__ import annotations

import pytest

from agent.shield import anonymise, mask, pseudonymise
from config.logs import Redactor

SPELLINGS = (
    "+227 90 31 42 53",
    "+22790314253",
    "0022790314253",
    "22790314253",
    "90314253",
    "90 31 42 53",
    "90-31-42-53",
    "90.31.42.53",
    "90 314 253",
    "９０３１４２５３",
)
SENTENCES = (
    "mon numéro {} n'a pas de réseau",
    "{}",
    "tel:{}, merci",
    "lambata {} ce",
    "my number is ({}).",
    "c'est le {}\net rien d'autre",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_no_spelling_of_a_number_stays(sentence: str, spelling: str) -> None:
    written = sentence.format(spelling)
    for hidden in (pseudonymise(written), anonymise(written), Redactor(hide=anonymise)(written)):
        assert spelling not in hidden
        assert "4253" not in hidden
        assert "253" not in hidden


@pytest.mark.parametrize(
    ("written", "secret", "kind"),
    [
        ("mon code pin est 4839", "4839", "pin"),
        ("code secret: 4839", "4839", "pin"),
        ("PIN 4 8 3 9", "4 8 3 9", "pin"),
        ("lambar sirri 48391", "48391", "pin"),
        ("my pin is 4839 help", "4839", "pin"),
        ("mon mot de passe est Kanari77", "Kanari77", "pin"),
        ("j'ai reçu le code de validation 730519", "730519", "otp"),
        ("otp 730519", "730519", "otp"),
        ("recharge 48213377105526", "48213377105526", "voucher"),
        ("4821 3377 1055 26", "3377", "voucher"),
        ("mon code pin quatre huit trois neuf", "quatre huit", "pin"),
    ],
)
def test_secrets_are_masked_and_named(written: str, secret: str, kind: str) -> None:
    hidden, kinds = mask(written)
    assert secret not in hidden
    assert kind in kinds
    assert mask(hidden) == (hidden, ())


@pytest.mark.parametrize(
    "written",
    ["*141*3#", "le forfait à 500 F pour 7 jours", "10 000 F", "1 Go à 1000", "111", "le 25/11/2026"],
)
def test_prices_and_codes_stay(written: str) -> None:
    assert anonymise(mask(written)[0]) == written


def test_equal_numbers_keep_one_name_for_the_model() -> None:
    assert pseudonymise("90314253 et +227 90 31 42 53 et 96000000") == "<tel_1> et <tel_1> et <tel_2>"
