"""The pages: every link leads somewhere, and every command, setting and alert named in them exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.__main__ import parser
from config.settings import ROOT, Settings
from handlers.commands import LISTED
from monitoring.alerts import RuleName

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
ADMIN = {"stats", "sessions", "alertes", "silence", "questions", "recharger", "bloquer", "debloquer"}
ADMIN |= {"incident", "diffuser"}
SUBSCRIBER = {*LISTED, "aide", "help", "reset", "id", "oublier", "menu", "language"}
# Written like commands: paths of the server and of Telegram's own @BotFather.
PATHS = {"admin", "metrics", "performance", "healthz", "readyz", "telegram", "whatsapp", "openapi", "newbot"}
PATHS |= {"token", "oublier", "chat", "api"}


def _id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text)
    for target in (first or second for first, second in targets):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), f"{_id(page)} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {_slug(heading) for heading in headings}, target


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_every_make_target_and_terminal_command_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`|sudo )make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"make {target}"
    for line in re.findall(r"python -m bot ([a-z].*?)(?:`|$|\s\s| »)", text, re.MULTILINE):
        plain = re.sub(r"\$\([^)]*\)", "x", line.split("#")[0])
        words = plain.replace("…", "x").replace('"', "").split()
        parser().parse_args(words)  # ends the test with SystemExit for an unknown command or option


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_every_setting_command_and_alert_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = {name.upper() for name in Settings.model_fields}
    for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", text):
        assert name in known or name in set(RuleName) or name in {"PUBLIC_HOST"}, f"{_id(page)}: {name}"
    for name in re.findall(r"`/([a-z]+)\b(?![/.])", text):
        assert name in ADMIN | SUBSCRIBER | PATHS, f"{_id(page)}: /{name}"


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
