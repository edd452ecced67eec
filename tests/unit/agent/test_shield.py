"""Secrets are masked before anything is stored; prices, codes and phone numbers stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.shield import MASK, mask, pseudonymise

SECRETS = [
    ("mon code secret airtel money c'est 4521", "4521", "pin"),
    ("le code 5508 march pa sur airtel money", "5508", "pin"),
    ("PIN dina 1199 ne", "1199", "pin"),
    ("mon pin est 1 2 3 4", "1 2 3 4", "pin"),
    ("pin: 12-34", "12-34", "pin"),
    ("4521 c'est mon code", "4521", "pin"),
    ("mon code pin 1234 500F", "1234", "pin"),
    ("j'ai tapé 6634 comme code pin", "6634", "pin"),
    ("lambar sirrina 6612 ba ta aiki", "6612", "pin"),
    ("Ay PIN ti 5521", "5521", "pin"),
    ("my PIN is 0000", "0000", "pin"),
    ("kod secret 3471 march plu", "3471", "pin"),
    ("mon pin ４５２１", "４５２１", "pin"),
    ("mot de passe: airtel2024", "airtel2024", "pin"),
    ("mon code secret est quatre cinq deux un", "quatre cinq deux un", "pin"),
    ("1199", "1199", "pin"),
    ("otp 551209 c koi", "551209", "otp"),
    ("j'ai reçu le code de vérification 748215", "748215", "otp"),
    ("I got a verification code 882211", "882211", "otp"),
    ("g reçu 1 code 665421 par sms", "665421", "otp"),
    ("carte 1234 5678 9012 34 ne marche pas", "1234 5678 9012 34", "voucher"),
    ("recharge 12345678901234", "12345678901234", "voucher"),
]


@pytest.mark.parametrize(("text", "secret", "kind"), SECRETS)
def test_secrets_are_masked_and_named(text: str, secret: str, kind: str) -> None:
    masked, kinds = mask(text)
    assert secret not in masked
    assert MASK in masked
    assert kinds == (kind,)


@pytest.mark.parametrize(
    "text",
    [
        "j'ai 500 F",
        "j'ai 5000 pour un forfait",
        "internet à 10 000 F pour 30 jours",
        "code 5000 F forfait",
        "quel code pour 1500",
        "c'est quoi *141*3# ?",
        "plafond 2 000 000 par jour",
        "mon numéro est 96 12 34 56",
        "+227 96123456",
        "00227 96 12 34 56",
        "envoie 2000 à 96123456",
        "j'ai oublié mon code PIN",
        "2500",
        "3000 minutes",
        "1200 Mo la nuit",
        "le 121",
    ],
)
def test_what_an_answer_needs_stays(text: str) -> None:
    assert mask(text) == (text, ())


def test_two_secrets_are_both_masked_beside_a_price_and_a_number() -> None:
    masked, kinds = mask("ancien pin 1234, nouveau 5678, j'avais 2500 F sur le 96 12 34 56")
    assert masked == f"ancien pin {MASK}, nouveau {MASK}, j'avais 2500 F sur le 96 12 34 56"
    assert kinds == ("pin",)


@given(
    pin=st.from_regex(r"[1-9]\d{3,5}", fullmatch=True),
    words=st.sampled_from(["mon pin est", "code secret :", "PIN"]),
)
def test_any_pin_after_its_name_is_masked(pin: str, words: str) -> None:
    masked, kinds = mask(f"{words} {pin} svp")
    assert pin not in masked
    assert kinds == ("pin",)


@given(st.text(max_size=300))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    masked, _ = mask(text)
    assert mask(masked)[0] == masked


def test_a_hostile_text_is_masked_in_linear_time() -> None:
    text = "code " * 4000 + "1 " * 4000
    assert mask(text)[0]


def test_phone_numbers_get_one_name_each() -> None:
    text = "appelez 96 12 34 56, +227 96123456 ou 90 00 00 00 ; id 123456789012"
    assert pseudonymise(text) == "appelez <tel_1>, <tel_1> ou <tel_2> ; id <id>"


def test_amounts_are_no_phone_numbers() -> None:
    assert pseudonymise("20000000 F par mois et 5000 F") == "20000000 F par mois et 5000 F"
