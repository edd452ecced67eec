"""`python -m bot COMMAND`: run, ask, check, ingest, backup, restore, diagnose."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bot import __version__
from bot.collector import pause, settle
from domain.errors import BotError

if TYPE_CHECKING:
    from config.settings import Settings

EXIT_BAD_INPUT = 2
_LOAD_ON = frozenset({"run", "ask"})  # their parts come after the import of the command; they settle then


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run the command; a clear sentence instead of a traceback for our errors."""
    pause()
    from config.settings import Settings, harden_libraries  # with the collector off already

    harden_libraries()
    options = parser().parse_args(arguments)
    try:
        settings = Settings.load(options.env_file)
        # Commands are imported when asked for: `check` should not wait for LangGraph.
        command = import_module(f"bot.cli.{options.command}")
        if options.command not in _LOAD_ON:
            settle()
        runner = _runner(settings)
        return int(runner.run(command.execute(settings, options)))
    except BotError as error:
        print(f"airtel-bot : {error}", file=sys.stderr)  # noqa: T201  # the operator's terminal
        return EXIT_BAD_INPUT
    except BrokenPipeError:  # the reader of our output had enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _runner(settings: Settings) -> asyncio.Runner:
    if settings.uvloop and sys.platform != "win32":
        import uvloop  # optional by platform

        return asyncio.Runner(loop_factory=uvloop.new_event_loop)
    return asyncio.Runner()


def parser() -> argparse.ArgumentParser:
    """The command line: every command and option there is."""
    parser = argparse.ArgumentParser(prog="airtel-bot", description="Assistant automatique d'Airtel Niger")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--env-file", type=Path, default=Path(".env"), help="fichier de réglages (.env)")
    commands = parser.add_subparsers(dest="command", metavar="COMMANDE")
    parser.set_defaults(command="run")
    commands.add_parser("run", help="démarrer le bot (par défaut)")
    ask = commands.add_parser("ask", help="poser une question, ou des lignes JSON sur l'entrée standard")
    ask.add_argument("question", nargs="*", help="la question ; sans elle, l'entrée standard est lue")
    check = commands.add_parser("check", help="dire ce qui est activé, ce qui ne l'est pas, et pourquoi")
    check.add_argument("--online", action="store_true", help="joindre aussi Telegram, WhatsApp et le modèle")
    ingest = commands.add_parser("ingest", help="importer des documents dans la base de connaissances")
    ingest.add_argument("path", type=Path, help="fichier ou dossier (md, txt, html, csv, pdf)")
    backup = commands.add_parser("backup", help="copier la base, même pendant que le bot tourne")
    backup.add_argument("path", type=Path, help="fichier à écrire")
    restore = commands.add_parser("restore", help="remettre une copie en place, bot arrêté")
    restore.add_argument("path", type=Path, help="copie à remettre")
    diagnose = commands.add_parser("diagnose", help="état du bot : sessions, mémoire, files, base, journaux")
    diagnose.add_argument("--json", action="store_true", help="sortie JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
