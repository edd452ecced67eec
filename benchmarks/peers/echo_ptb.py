"""Echo bot on python-telegram-bot, after its own `echobot.py` example: the least a Telegram bot can do."""

from __future__ import annotations

import argparse
import logging

from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters


async def echo(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    """Echo the user message."""
    if update.message is not None and update.message.text:
        await update.message.reply_text(update.message.text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--telegram", required=True)
    parser.add_argument("--token", required=True)
    options, _ = parser.parse_known_args()
    logging.basicConfig(level=logging.WARNING)
    builder = Application.builder().token(options.token).base_url(f"{options.telegram}/bot")
    application = builder.concurrent_updates(True).build()
    application.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, echo))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
