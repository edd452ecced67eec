"""Echo bot on aiogram, after its own "Quick start" example."""

from __future__ import annotations

import argparse
import asyncio
import logging

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message

dispatcher = Dispatcher()


@dispatcher.message()
async def echo(message: Message) -> None:
    """Echo the user message."""
    await message.answer(message.text or "")


async def serve(telegram: str, token: str) -> None:
    session = AiohttpSession(api=TelegramAPIServer.from_base(telegram))
    await dispatcher.start_polling(Bot(token=token, session=session))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--telegram", required=True)
    parser.add_argument("--token", required=True)
    options, _ = parser.parse_known_args()
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(options.telegram, options.token))


if __name__ == "__main__":
    main()
