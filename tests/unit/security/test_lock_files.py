"""Every package is pinned with its hash, from no named address, above the floors of known advisories."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from config.settings import ROOT

# Package, first version without the known advisories.
FLOORS = {
    "langgraph": "1.2.14",
    "langgraph-checkpoint": "4.3.1",
    "langgraph-sdk": "0.4.6",
    "langchain-core": "1.3.3",
    "langchain-openai": "1.1.14",
    "aiohttp": "3.14.3",
}
LOCKS = ("requirements.lock", "requirements-dev.lock")
_PIN = re.compile(r"([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,-]+\])?==([^\s;\\]+)(?:\s*;\s*[^\\]+)?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def packages(name: str) -> Iterator[tuple[str, str, list[str]]]:
    """Name, version and hashes of every package of a lock file."""
    joined = re.sub(r"\\\n\s*", " ", (ROOT / name).read_text(encoding="utf-8"))
    for line in joined.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        requirement, *hashes = line.split(" --hash=")
        pin = _PIN.fullmatch(requirement.strip())
        assert pin, f"{name}: not an exact pin: {line[:80]}"
        yield pin[1].lower(), pin[2], [f"--hash={value.strip()}" for value in hashes]


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_hashes(name: str) -> None:
    found = list(packages(name))
    assert len(found) > 40
    for package, _, hashes in found:
        assert hashes, package
        assert all(_HASH.fullmatch(value) for value in hashes), package


@pytest.mark.parametrize("name", [*LOCKS, "requirements.in", "pyproject.toml", "Dockerfile"])
def test_no_file_names_where_packages_come_from(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"--(?:extra-)?index-url|--find-links|--trusted-host|^-[if]\s|git\+", text, re.M)
    assert "://" not in text or name == "Dockerfile"


@pytest.mark.parametrize("name", LOCKS)
def test_no_package_is_below_its_floor(name: str) -> None:
    pins = {package: Version(pinned) for package, pinned, _ in packages(name)}
    for package, floor in FLOORS.items():
        assert pins[package] >= Version(floor), package


def test_what_is_installed_is_what_is_locked() -> None:
    pins = {package: pinned for package, pinned, _ in packages("requirements-dev.lock")}
    for package in FLOORS:
        assert version(package) == pins[package]


def test_both_locks_agree() -> None:
    tested = {(package, pinned) for package, pinned, _ in packages("requirements-dev.lock")}
    assert {(package, pinned) for package, pinned, _ in packages("requirements.lock")} <= tested


def test_the_product_carries_no_persistent_saver_of_others() -> None:
    """The benchmarks compare with one whose fixed version is not out yet; it is never installed to run."""
    names = {package for package, _, _ in packages("requirements.lock")}
    assert not names & {"langgraph-checkpoint-sqlite", "langgraph-checkpoint-postgres", "langchain-community"}


def test_an_upgrade_cannot_fall_below_the_floors() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {Requirement(line).name: Requirement(line) for line in project["dependencies"]}
    for package in set(FLOORS) & set(asked):
        assert not asked[package].specifier.contains("0.1"), package
        lowest = min(Version(s.version) for s in asked[package].specifier if s.operator == ">=")
        assert lowest >= Version(FLOORS[package]), package
