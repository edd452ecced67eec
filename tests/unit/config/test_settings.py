"""Settings: half-set groups are refused by name, and every page that lists settings lists the same ones."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from config.settings import ROOT, Settings, secrets_of
from domain.errors import BadSettings

NO_FILE = Path("does-not-exist.env")
WHATSAPP = {
    "WHATSAPP_ACCESS_TOKEN": "EAAtoken",
    "WHATSAPP_PHONE_NUMBER_ID": "1055",
    "WHATSAPP_APP_SECRET": "secret",
    "WHATSAPP_VERIFY_TOKEN": "verify",
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def _load(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return Settings.load(NO_FILE)


def test_nothing_set_is_a_working_bot(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch)
    assert not settings.model_enabled
    assert not settings.whatsapp_enabled
    assert settings.http_host == "127.0.0.1"
    assert secrets_of(settings) == ()


@pytest.mark.parametrize("missing", sorted(WHATSAPP))
def test_half_of_whatsapp_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    rest = {name: value for name, value in WHATSAPP.items() if name != missing}
    with pytest.raises(BadSettings, match=missing):
        _load(monkeypatch, **rest)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"HTTP_HOST": "0.0.0.0"}, "HTTP_TOKEN"),
        ({"TELEGRAM_WEBHOOK_URL": "https://x/telegram"}, "TELEGRAM_BOT_TOKEN"),
        ({"TELEGRAM_WEBHOOK_URL": "https://x", "TELEGRAM_BOT_TOKEN": "1:a"}, "TELEGRAM_WEBHOOK_SECRET"),
        ({"ADMIN_CHAT_IDS": "@somebody"}, "ADMIN_CHAT_IDS"),
        ({"OPENAI_API_KEY": "sk-clé"}, "OPENAI_API_KEY"),
        ({"OPENAI_BASE_URL": "localhost:8080/v1"}, "OPENAI_BASE_URL"),
        ({"OPENAI_BASE_URL": "http://[bad"}, "OPENAI_BASE_URL"),
        ({"TELEGRAM_API_BASE_URL": "https://x:99999"}, "TELEGRAM_API_BASE_URL"),
        ({"WHATSAPP_GRAPH_BASE_URL": "https://"}, "WHATSAPP_GRAPH_BASE_URL"),
        ({"OPENAI_API_KEY": "sk-1\nsk-2"}, "OPENAI_API_KEY"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({"HTTP_PORT": "port"}, "HTTP_PORT"),
        ({"MEMORY_ENCRYPTION_OLD_KEY": "x"}, "MEMORY_ENCRYPTION_KEY"),
        ({"DATABASE_URL": "postgresql://x/y"}, "DATABASE_URL"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], named: str
) -> None:
    with pytest.raises(BadSettings, match=named):
        _load(monkeypatch, **values)


def test_a_refusal_never_quotes_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSettings) as caught:
        _load(monkeypatch, WHATSAPP_ACCESS_TOKEN="EAAverysecret", HTTP_PORT="x")
    assert "EAAverysecret" not in str(caught.value)


@pytest.mark.parametrize(("written", "read"), [("sk-1\n", "sk-1"), ("  ", None)])
def test_a_key_is_read_without_the_space_around_it(
    monkeypatch: pytest.MonkeyPatch, written: str, read: str | None
) -> None:
    key = _load(monkeypatch, OPENAI_API_KEY=written).openai_api_key
    assert (key.get_secret_value() if key else None) == read


def test_lists_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch, ADMIN_CHAT_IDS="12, 34 whatsapp:22790123456")
    assert settings.admin_chat_ids == ("12", "34", "whatsapp:22790123456")


def _defaults() -> dict[str, str]:
    shown = {}
    for name, field in Settings.model_fields.items():
        value = field.default
        if isinstance(value, tuple):
            text = ",".join(value)
        elif isinstance(value, bool):
            text = str(value).lower()
        elif isinstance(value, float):
            text = f"{value:g}"
        elif isinstance(value, Path):
            text = "./" + str(value.relative_to(ROOT) if value.is_absolute() else value)
        else:
            text = "" if value is None else str(value)
        shown[name.upper()] = text
    return shown


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    found = dict(line[1:].split("=", 1) for line in lines if re.match(r"#[A-Z][A-Z_]+=", line))
    assert found == _defaults()
    explained = [before for before, line in itertools.pairwise(lines) if re.match(r"#[A-Z_]+=", line)]
    assert all(before.startswith("# ") for before in explained)


def test_the_guide_lists_every_setting_with_its_default() -> None:
    page = (ROOT / "docs" / "fr" / "reglages.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`|\(vide\)) \| \S", page, re.MULTILINE)
    assert dict(rows) == _defaults()
