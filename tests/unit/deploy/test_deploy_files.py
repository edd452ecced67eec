"""The container file, the compose file and the systemd unit keep what they promise."""

from __future__ import annotations

import configparser
import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # comes with schemathesis, without types

from bot import __version__
from config.settings import ROOT, Settings

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def _stages() -> list[list[str]]:
    """Instructions of each stage, continuation lines joined."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    stages: list[list[str]] = []
    for line in joined.splitlines():
        if line.startswith("FROM "):
            stages.append([])
        if line and not line.startswith("#"):
            stages[-1].append(line) if stages else None
    return stages


def test_the_image_is_built_in_two_stages_from_pinned_packages() -> None:
    build, final = _stages()
    assert any("--require-hashes" in line and "--only-binary=:all:" in line for line in build)
    assert not any(re.search(r"apt-get|gcc|build-essential", line) for line in [*build, *final])
    assert all(re.match(r"FROM python:3\.11-slim", stage[0]) for stage in (build, final))
    assert any("uninstall" in line for line in final)


def test_the_image_runs_unprivileged_with_one_volume_and_a_health_check() -> None:
    final = _stages()[-1]
    user = next(line for line in final if line.startswith("USER "))
    assert user not in {"USER root", "USER 0"}
    assert [line for line in final if line.startswith("VOLUME")] == ["VOLUME /data"]
    health = next(line for line in final if line.startswith("HEALTHCHECK"))
    assert "/healthz" in health
    assert "STOPSIGNAL SIGTERM" in final
    assert any(line.startswith("ENTRYPOINT [") for line in final)  # exec form: signals reach the bot


def test_the_secret_files_never_enter_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".env", ".git", ".venv", "tests"} <= set(ignored)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"] <= 256
    assert service["restart"] == "unless-stopped"


def test_only_the_proxy_is_reachable_from_outside() -> None:
    for name, service in SERVICES.items():
        public = [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")]
        assert not public or name == "caddy"
    proxy = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    allowed = re.search(r"@public path (.+)", proxy)
    assert allowed is not None
    assert allowed[1].split() == ["/", "/chat/*", "/api/chat/*", "/telegram", "/whatsapp"]


def test_the_bot_has_time_to_drain_and_what_is_optional_is_a_profile() -> None:
    bot = SERVICES["bot"]
    assert "profiles" not in bot
    assert int(bot["stop_grace_period"].rstrip("s")) > Settings.model_fields["drain_seconds"].default + 2
    assert bot["image"].endswith(f":{__version__}")
    assert {name: service["profiles"] for name, service in SERVICES.items() if name != "bot"} == {
        "model": ["modele"],
        "prometheus": ["mesures"],
        "caddy": ["public"],
    }


def test_every_variable_the_files_set_is_a_setting() -> None:
    known = {name.upper() for name in Settings.model_fields} | {"MPLCONFIGDIR", "PUBLIC_HOST"}
    assert set(SERVICES["bot"]["environment"]) <= known


def test_the_systemd_unit_is_as_strict_as_the_container() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # directives keep their case
    unit.read_string((ROOT / "deploy" / "airtel-bot.service").read_text(encoding="utf-8"))
    service = unit["Service"]
    strict = {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "CapabilityBoundingSet": "",
        "KillSignal": "SIGTERM",
        "UMask": "0077",
        "StateDirectory": "airtel-bot",
    }
    assert {name: service.get(name) for name in strict} == strict
    assert service["User"] != "root"
    assert int(service["TimeoutStopSec"]) > Settings.model_fields["drain_seconds"].default + 2
    assert service["MemoryMax"]
    assert service["ExecStart"].endswith("python -m bot run")
