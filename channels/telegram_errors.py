"""What a failed Bot API call means to the sender: surely not sent, unknown, told to wait, or final."""

from __future__ import annotations

from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
)

from channels.telegram_request import RequestNotSent, ToldToWait
from domain.errors import (
    BotError,
    ChannelBroken,
    ChatClosed,
    MarkupRefused,
    NotSent,
    RateLimited,
    SendInDoubt,
    SendRefused,
)

DOUBT_SECONDS = 3.0  # Telegram gives no evidence of delivery: wait a little, then resend once
_GONE = (
    "chat not found",
    "user is deactivated",
    "user_deactivated",
    "user not found",
    "peer_id_invalid",
    "bot was blocked",
    "bot was kicked",
    "input_user_deactivated",
)
_MARKUP = ("can't parse", "entity", "entities", "button", "keyboard", "reply markup", "reply_markup")
_MEANING: dict[type[TelegramError], type[BotError]] = {
    Forbidden: ChatClosed,
    InvalidToken: ChannelBroken,
    RequestNotSent: NotSent,
    ChatMigrated: SendRefused,
    Conflict: SendRefused,
}


def to_bot_error(error: TelegramError) -> BotError:
    """The error of ours that says what to do next. Messages hold no text of subscribers and no token."""
    if isinstance(error, ToldToWait):
        return RateLimited(error.message, seconds=float(error.seconds))
    if isinstance(error, BadRequest):  # a subclass of NetworkError, hence first
        return _bad_request(error)
    for kind, meaning in _MEANING.items():
        if isinstance(error, kind):
            return meaning(error.message)
    if type(error) is NetworkError:  # another 4xx, or a request that could not even be built
        return SendRefused(error.message)
    # Everything else, 5xx and torn answers included, may have been delivered.
    return SendInDoubt(error.message, seconds=DOUBT_SECONDS)


def _bad_request(error: BadRequest) -> BotError:
    words = error.message.lower()
    if any(sign in words for sign in _GONE):
        return ChatClosed(error.message)
    if any(sign in words for sign in _MARKUP):
        return MarkupRefused(error.message)
    return SendRefused(error.message)
