"""The command menu says what the handlers understand."""

from __future__ import annotations

import re

from config.settings import ROOT
from config.texts import Texts
from domain.messages import Language
from handlers.commands import LISTED

TEXTS = Texts.load(ROOT / "data" / "texts")
PREFIX = "telegram.command_"


def test_every_listed_command_is_described_and_nothing_else() -> None:
    keys = TEXTS.keys()
    described = {key.removeprefix(PREFIX) for key in keys if key.startswith(PREFIX)}
    assert described == set(LISTED)


def test_descriptions_are_as_telegram_wants_them() -> None:
    for name in LISTED:
        assert re.fullmatch(r"[a-z0-9_]{1,32}", name)
        assert TEXTS.languages(PREFIX + name) >= {"fr", "ha", "en"}
        for language in (Language.FRENCH, Language.HAUSA, Language.ENGLISH):
            assert 3 <= len(TEXTS.get(PREFIX + name, language)) <= 256
