"""Who is an admin: a numeric id on the operator's list, in a private chat, in their own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.messages import ChatKey, InboundMessage

_DEFAULT_CHANNEL = "telegram"


class Admins:
    """The allow-list of `ADMIN_CHAT_IDS`: Telegram ids as they are, others as `channel:id`.

    Only the id the platform vouches for counts: never a name, a phone number in a text, a forward or a group.
    `accounts` maps each channel in use to our account on it.
    """

    def __init__(self, ids: Sequence[str], accounts: Mapping[str, str]) -> None:
        self._accounts = dict(accounts)
        self._ids = frozenset(_channel_and_id(entry) for entry in ids)

    def is_admin(self, message: InboundMessage) -> bool:
        """Whether this very message may command."""
        payload = message.payload
        private = payload.get("private", True) is True and not payload.get("forwarded", False)
        return private and (message.key.channel, message.sender.user_id) in self._ids

    def chats(self) -> tuple[ChatKey, ...]:
        """Where alerts go: the private chats of admins on channels in use."""
        return tuple(
            ChatKey(channel, self._accounts[channel], chat)
            for channel, chat in sorted(self._ids)
            if channel in self._accounts
        )


def _channel_and_id(entry: str) -> tuple[str, str]:
    channel, _, chat = entry.rpartition(":")
    return channel or _DEFAULT_CHANNEL, chat.removeprefix("+") if channel else chat
