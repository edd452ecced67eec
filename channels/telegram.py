"""The Telegram channel: sends reply parts through python-telegram-bot's Bot as a plain API client."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import aiohttp
from telegram import BotCommand, InputFile
from telegram.constants import ChatAction, ChatType, ParseMode
from telegram.error import BadRequest, ChatMigrated, InvalidToken, TelegramError

from channels.base import Pacing, Receipt, Split
from channels.chunking import Limits, PartWords, split_reply
from channels.telegram_errors import DOUBT_SECONDS, to_bot_error
from channels.telegram_render import html, keyboard, printable, typed_choices
from channels.telegram_request import AiohttpRequest, BotEndpoint, make_bot
from config.texts import Texts
from domain.errors import SendInDoubt, SendRefused
from domain.messages import Attachment, ChatKey, InboundMessage, Language, Reply
from memory.records import OutboxPart

SEND_SECONDS = 10.0
FILE_SECONDS = 15.0
COURTESY_SECONDS = 5.0
_HTML = str(ParseMode.HTML)
_NO_PREVIEW = {"is_disabled": True}
# Telegram takes two-letter language codes only, so Zarma speakers see the French descriptions.
_COMMAND_LANGUAGES = (None, Language.HAUSA, Language.ENGLISH)

logger = logging.getLogger(__name__)


class TelegramChannel:
    """One Telegram bot as the pipeline sees it. The session stays the caller's to close.

    `farewell` is what a group reads before the bot leaves it; "" leaves without a word. `rate` is in messages
    a second over all chats.
    """

    name = "telegram"

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: BotEndpoint,
        words: PartWords,
        *,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        farewell: str = "",
        rate: float = 25.0,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self.account = endpoint.account
        self.pacing = Pacing(global_rate=rate, global_burst=rate, chat_rate=1.0, chat_burst=3.0)
        self._request = AiohttpRequest(session, endpoint)
        self._bot = make_bot(self._request, endpoint)
        self._words = words
        self._limits = limits
        self._farewell = farewell
        self._send_seconds = send_seconds
        self._answered: deque[str] = deque(maxlen=256)
        self._left: deque[str] = deque(maxlen=256)
        self._spinners: set[asyncio.Task[None]] = set()

    def split(self, reply: Reply) -> Split:
        """Cut a reply into at most three messages."""
        return split_reply(reply, self._limits, self._words)

    async def send(self, part: OutboxPart) -> Receipt:
        """Send one part; see `Channel.send` for what is raised."""
        chat = _number(part.key)
        try:
            try:
                return await self._send(chat, part)
            except ChatMigrated as moved:  # refused for the old id, so surely not sent yet
                return await self._send(moved.new_chat_id, part)
        except TelegramError as error:
            raise to_bot_error(error) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # Telegram said yes in a shape that cannot be read.
            raise SendInDoubt(f"unreadable answer: {type(error).__name__}", seconds=DOUBT_SECONDS) from error

    async def _send(self, chat: int, part: OutboxPart) -> Receipt:
        reply = part.reply
        text = printable(typed_choices(reply) if part.plain else reply.text)
        shown = text if part.plain else html(text)
        style: dict[str, Any] = {}
        if not part.plain:
            style["parse_mode"] = _HTML
            if buttons := keyboard(reply):
                style["reply_markup"] = buttons
        if reply.attachment is not None:
            return await self._send_file(chat, reply.attachment, shown, style)
        fields = {"chat_id": chat, "text": shown, "link_preview_options": _NO_PREVIEW, **style}
        message = await self._request.ask("sendMessage", fields, seconds=self._send_seconds)
        return _receipt(message["message_id"])

    async def _send_file(self, chat: int, file: Attachment, caption: str, style: dict[str, Any]) -> Receipt:
        send = self._bot.send_photo if file.media_type == "image/png" else self._bot.send_document
        upload = InputFile(file.data, filename=file.name)
        message = await send(
            chat, upload, caption=caption or None, read_timeout=FILE_SECONDS, api_kwargs=style
        )
        return _receipt(message.message_id)

    async def show_typing(self, key: ChatKey, message: InboundMessage) -> None:
        """Show "typing" for about five seconds, and take the spinner off a tapped button."""
        callback = str(message.payload.get("callback_id") or "")
        if callback and callback not in self._answered:
            self._answered.append(callback)
            # A task of its own: the turn may be over, and this call cancelled, before Telegram has answered.
            answer = partial(self._bot.answer_callback_query, callback, read_timeout=COURTESY_SECONDS)
            task = asyncio.create_task(_courtesy(answer), name="spinner")
            self._spinners.add(task)
            task.add_done_callback(self._spinners.discard)
        await _courtesy(
            partial(self._bot.send_chat_action, key.chat, ChatAction.TYPING, read_timeout=COURTESY_SECONDS)
        )

    async def leave(self, key: ChatKey) -> None:
        """Leave a group or channel, with one word to a group; best effort, never raises."""
        if self._farewell and key.chat not in self._left:
            self._left.append(key.chat)
            await _courtesy(partial(self._say_farewell, key.chat))
        await _courtesy(partial(self._bot.leave_chat, key.chat, read_timeout=COURTESY_SECONDS))

    async def _say_farewell(self, chat: str) -> None:
        found = await self._bot.get_chat(chat, read_timeout=COURTESY_SECONDS)
        if found.type in {ChatType.GROUP, ChatType.SUPERGROUP}:
            await self._bot.send_message(chat, self._farewell, read_timeout=COURTESY_SECONDS)

    async def register_commands(
        self, texts: Texts, names: Sequence[str], *, retry_seconds: float = 5.0
    ) -> None:
        """Tell Telegram the commands it offers in its menu; tries until it is done or the token is refused.

        Descriptions are `telegram.command_<name>` in `data/texts/telegram.toml`.
        """
        for language in _COMMAND_LANGUAGES:
            commands = [
                BotCommand(name, texts.get(f"telegram.command_{name}", language or Language.FRENCH))
                for name in names
            ]
            pause = retry_seconds
            while not await self._set_commands(commands, language):
                await asyncio.sleep(pause)
                pause = min(pause * 2, 300.0)

    async def _set_commands(self, commands: Sequence[BotCommand], language: Language | None) -> bool:
        """Try once. True: done, or hopeless."""
        try:
            await self._bot.set_my_commands(commands, language_code=language.value if language else None)
        except TelegramError as error:
            logger.warning("commands not registered: %s", error.message, extra={"action": "commands"})
            return isinstance(error, InvalidToken | BadRequest)
        return True


def _number(key: ChatKey) -> int:
    """The chat as Telegram numbers it; a key of another shape was never one of its chats."""
    try:
        return int(key.chat)
    except ValueError:
        raise SendRefused("not a Telegram chat") from None


def _receipt(number: object) -> Receipt:
    if not isinstance(number, int):
        raise TypeError("a message number that is none")
    return Receipt(str(number))


async def _courtesy(call: Callable[[], Awaitable[object]]) -> None:
    """Make a call whose failure must disturb nobody."""
    try:
        await call()
    except Exception as error:  # noqa: BLE001  # typing and spinners never fail a turn
        logger.debug("courtesy call failed: %s", type(error).__name__, extra={"action": "courtesy"})
