"""What no draft of a model may be, whatever its figures are worth."""

from __future__ import annotations

import pytest

from agent.prompting import Prompts

PROMPTS = Prompts.load()


@pytest.mark.parametrize(
    "draft",
    [
        "Pour vérifier votre compte, envoyez-moi votre code PIN.",
        "Donnez nous d'abord le mot de passe de votre compte.",
        "Dites-moi le code reçu par SMS",
        "Please send me your PIN to continue.",
        "Aiko mini lambar sirri, don Allah.",
        "Ba ni password",
    ],
)
def test_a_draft_never_asks_for_a_secret(draft: str) -> None:
    assert "la réponse demande un code secret" in PROMPTS.faults(draft)


@pytest.mark.parametrize(
    "draft",
    [
        "Ne donnez jamais votre code PIN, même à nous.",
        "Composez *400#, puis tapez votre code PIN pour confirmer.",
        "Never share your PIN with anyone.",
        "Envoyez-moi votre question quand vous voulez.",
    ],
)
def test_warnings_and_steps_may_name_a_secret(draft: str) -> None:
    assert PROMPTS.faults(draft) == ()


def test_a_draft_that_goes_round_in_circles_is_refused() -> None:
    assert PROMPTS.faults("promo " * 90) == ("la réponse se répète sans fin",)
    assert PROMPTS.faults("Avec 500 F : 400 Mo, valable 7 jours.\n" * 3) == ()


def test_no_prompt_holds_a_secret_or_an_address() -> None:
    for text in (str(PROMPTS.system["content"]), PROMPTS.question, PROMPTS.known, PROMPTS.repair):
        assert "://" not in text
        assert "@" not in text
