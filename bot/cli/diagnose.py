"""`python -m bot diagnose`: the state of the bot from outside, whether it runs or not.

Reads the database without writing, asks the running bot over HTTP, and shows the end of the log. Works on a
broken installation: each part that cannot be read says so, the others go on.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from bot import __version__
from config.logs import Redactor
from config.settings import LOOPBACK, Settings, secrets_of
from memory.backup import read_only
from memory.locking import is_locked
from monitoring.process import disk_free

_PACKAGES = ("python-telegram-bot", "aiohttp", "langgraph", "langchain-openai", "aiosqlite")
_TIMEOUT = aiohttp.ClientTimeout(total=3)
_LOG_LINES = 15
_TAIL_BYTES = 64 * 1024
_COUNTS = {
    "messages en attente": "SELECT count(*) FROM inbox WHERE parked_turn IS NULL",
    "messages mis de côté": "SELECT count(DISTINCT parked_turn) FROM inbox WHERE parked_turn IS NOT NULL",
    "réponses en attente": "SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending', 'in_doubt')",
    "réponses mises de côté": "SELECT count(*) FROM outbox WHERE state = 'dead'",
    "sessions actives": "SELECT count(*) FROM sessions",
    "abonnés connus": "SELECT count(*) FROM profiles",
    "conversations gardées": "SELECT count(*) FROM exchanges",
    "lignes illisibles": "SELECT count(*) FROM quarantine",
}


async def execute(settings: Settings, options: argparse.Namespace) -> int:
    """Print the report; 1 when the database is damaged."""
    report = await diagnose(settings)
    if options.json:
        print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    else:
        print(as_text(report))
    return 1 if report["base"].get("intégrité", "ok") != "ok" else 0


async def diagnose(settings: Settings) -> dict[str, Any]:
    """Everything, as one JSON-able mapping."""
    return {
        "versions": _versions(),
        "bot": await _running(settings),
        "base": await asyncio.to_thread(_database, settings.memory_db_path),
        "connaissances": str(settings.knowledge_path),
        "journal": await asyncio.to_thread(_log_tail, settings),
    }


def as_text(report: Mapping[str, Any]) -> str:
    """The report as it is read in a terminal."""
    lines: list[str] = []
    for title, part in report.items():
        lines += ["", f"== {title}"]
        if isinstance(part, Mapping):
            lines += [f"{name:<34} {value}" for name, value in _flat(part)]
        elif isinstance(part, list):
            lines += part or ["(vide)"]
        else:
            lines.append(str(part))
    return "\n".join(lines[1:])


def _flat(part: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Name and value of each figure, names of inner parts joined by a dot."""
    for name, value in part.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _versions() -> dict[str, str]:
    found = {"airtel-bot": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


async def _running(settings: Settings) -> dict[str, Any]:
    """What the running bot says of itself, over the address it listens on."""
    host = settings.http_host if settings.http_host in LOOPBACK else "127.0.0.1"
    base = f"http://{'[::1]' if host == '::1' else host}:{settings.http_port}"
    token = settings.http_token
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    found: dict[str, Any] = {"adresse": base}
    async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as http:
        for name, path in (("santé", "/readyz"), ("sessions", "/sessions"), ("performances", "/performance")):
            try:
                async with http.get(base + path) as response:
                    found[name] = orjson.loads(await response.read())
            except (TimeoutError, aiohttp.ClientError, OSError, orjson.JSONDecodeError):
                found["état"] = "ne répond pas : le bot est arrêté, ou un autre programme tient ce port"
                return found
    found["état"] = "répond"
    return found


def _database(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"fichier": str(path)}
    if not path.exists():
        return {**found, "état": "pas encore créée"}
    found["taille (Mio)"] = round(path.stat().st_size / 2**20, 1)
    found["disque libre (Mio)"] = disk_free(path) // 2**20
    found["ouverte par le bot"] = "oui" if is_locked(path) else "non"
    try:
        with closing(read_only(path)) as connection:
            found["format"] = connection.execute("PRAGMA user_version").fetchone()[0]
            found["intégrité"] = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            for name, query in _COUNTS.items():
                found[name] = connection.execute(query).fetchone()[0]
    except sqlite3.Error as error:
        found["intégrité"] = f"illisible : {error}"
    return found


def _log_tail(settings: Settings) -> list[str]:
    if settings.log_file is None:
        return ["LOG_FILE n'est pas réglé : voyez la console du service"]
    try:
        with settings.log_file.open("rb") as file:
            file.seek(max(0, settings.log_file.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return [f"{settings.log_file} : {error.strerror}"]
    redact = Redactor(secrets_of(settings))
    return [redact(line)[:300] for line in lines[-_LOG_LINES:]]
