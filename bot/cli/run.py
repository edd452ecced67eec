"""`python -m bot run`: the bot, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal

from agent.shield import anonymise, mask
from bot.app import open_app
from config.logs import set_up_logs
from config.settings import Settings, secrets_of


async def execute(settings: Settings, options: argparse.Namespace) -> int:
    """Serve until told to stop, then drain. 1 when a part of the bot died."""
    set_up_logs(
        level=settings.log_level,
        as_json=settings.log_json,
        file=settings.log_file,
        secrets=secrets_of(settings),
        hide=lambda text: anonymise(mask(text)[0]),
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_app(settings) as app:
        host, port = await app.start()
        if settings.web_chat_enabled:
            print(f"Page de discussion : http://{_shown(host)}:{port}/", flush=True)
        print("Arrêter : Ctrl-C", flush=True)
        died = await app.run_until(stop)
    return 1 if died else 0


def _shown(host: str) -> str:
    """The host as a browser on this machine reaches it."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
