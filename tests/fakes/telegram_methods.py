"""The Bot API methods a support bot calls, with Telegram's checks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.telegram_markup import MAX_CAPTION, Refusal, bad, check_markup, check_text

if TYPE_CHECKING:
    from tests.fakes.telegram import FakeTelegram

Fields = dict[str, Any]


@dataclass(slots=True)
class Sent:
    """One message the bot sent: `text` as people see it, `entities` its (tag, content) pairs."""

    seq: int
    at: float
    chat: int
    method: str
    message_id: int
    text: str
    entities: list[tuple[str, str]] = field(default_factory=list)
    fields: Fields = field(default_factory=dict)
    file: tuple[str, bytes] | None = None

    @property
    def codes(self) -> list[str]:
        return [content for tag, content in self.entities if tag == "code"]

    @property
    def buttons(self) -> list[dict[str, Any]]:
        markup = self.fields.get("reply_markup") or {}
        return [button for row in markup.get("inline_keyboard", ()) for button in row]


class Methods:
    """State and methods other than those about updates."""

    def __init__(self, fake: FakeTelegram) -> None:
        self._fake = fake
        self.sent: list[Sent] = []
        self.chats: defaultdict[int, list[Sent]] = defaultdict(list)
        self.blocked: set[int] = set()
        self.chat_types: dict[int, str] = {}
        self.commands: dict[str, list[tuple[str, str]]] = {}
        self.typing: defaultdict[int, int] = defaultdict(int)
        self.answered_callbacks: list[str] = []
        self.left: list[int] = []
        self.files: dict[str, bytes] = {}
        self._file_paths: dict[str, tuple[str, int]] = {}
        self._table: dict[str, Callable[[Fields], Any]] = {
            "getMe": self._get_me,
            "sendMessage": self._send_message,
            "sendPhoto": lambda fields: self._send_file(fields, "photo"),
            "sendDocument": lambda fields: self._send_file(fields, "document"),
            "sendChatAction": self._send_chat_action,
            "answerCallbackQuery": self._answer_callback,
            "setMyCommands": self._set_commands,
            "getFile": self._get_file,
            "getChat": self._get_chat,
            "leaveChat": self._leave,
            "getWebhookInfo": self._webhook_info,
        }

    def answer(self, method: str, fields: Fields) -> Any:
        """Carry out a call. Raises Refusal."""
        handler = self._table.get(method)
        if handler is None:
            raise Refusal(404, "Not Found: method not found")
        return handler(fields)

    def chat(self, chat: int) -> dict[str, Any]:
        kind = self.chat_types.get(chat, "private" if chat > 0 else "supergroup")
        named = {"first_name": "Awa"} if kind == "private" else {"title": "Groupe"}
        return {"id": chat, "type": kind, **named}

    def add_file(self, file_id: str, content: bytes, path: str = "", size: int | None = None) -> None:
        """A file that `getFile` knows from now on; `size` is what it claims."""
        path = path or f"voice/file_{len(self.files)}.oga"
        self._file_paths[file_id] = (path, len(content) if size is None else size)
        self.files[path] = content

    def clear(self) -> None:
        self.sent.clear()
        self.chats.clear()

    def _me(self) -> dict[str, Any]:
        number = int(self._fake.token.partition(":")[0])
        return {"id": number, "is_bot": True, "first_name": "Airtel Niger", "username": "airtel_niger_bot"}

    def _get_me(self, _: Fields) -> dict[str, Any]:
        return self._me()

    def _open_chat(self, fields: Fields) -> int:
        chat = chat_of(fields)
        if not chat:
            raise bad("chat_id is empty")
        if chat in self.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        if chat in self.left:
            raise Refusal(403, "Forbidden: bot is not a member of the supergroup chat")
        return chat

    def _send_message(self, fields: Fields) -> dict[str, Any]:
        chat = self._open_chat(fields)
        text, entities = check_text(fields.get("text"), fields.get("parse_mode"))
        if not text:
            raise bad("message text is empty")
        check_markup(fields.get("reply_markup"))
        sent = self._keep(chat, "sendMessage", text, entities, fields)
        return self._message(sent, text=text)

    def _send_file(self, fields: Fields, kind: str) -> dict[str, Any]:
        chat = self._open_chat(fields)
        given = fields.get(kind)
        if isinstance(given, str) and given.startswith("attach://"):
            given = fields.get(given.removeprefix("attach://"))
        if not isinstance(given, tuple) or not given[1]:
            raise bad(f"there is no {kind} in the request")
        caption, entities = check_text(fields.get("caption") or "", fields.get("parse_mode"), MAX_CAPTION)
        check_markup(fields.get("reply_markup"))
        sent = self._keep(chat, f"send{kind.title()}", caption, entities, fields, given)
        described = {"file_id": f"f{sent.seq}", "file_unique_id": f"u{sent.seq}"}
        if kind == "photo":
            return self._message(sent, photo=[described | {"width": 1, "height": 1}])
        return self._message(sent, document=described | {"file_name": given[0]})

    def _keep(
        self,
        chat: int,
        method: str,
        text: str,
        entities: list[tuple[str, str]],
        fields: Fields,
        file: tuple[str, bytes] | None = None,
    ) -> Sent:
        number = self._fake.next_message_id(chat)
        sent = Sent(len(self.sent) + 1, time.time(), chat, method, number, text, entities, fields, file)
        self.sent.append(self._fake.keep(sent))
        self.chats[chat].append(sent)
        return sent

    def _message(self, sent: Sent, **content: Any) -> dict[str, Any]:
        head = {"message_id": sent.message_id, "date": int(sent.at), "from": self._me()}
        return {**head, "chat": self.chat(sent.chat), **content}

    def _send_chat_action(self, fields: Fields) -> bool:
        self.typing[self._open_chat(fields)] += 1
        return True

    def _answer_callback(self, fields: Fields) -> bool:
        self.answered_callbacks.append(str(fields["callback_query_id"]))
        return True

    def _set_commands(self, fields: Fields) -> bool:
        commands = fields["commands"]
        if len(commands) > 100 or any(not 1 <= len(item["description"]) <= 256 for item in commands):
            raise bad("BOT_COMMAND_INVALID")
        language = str(fields.get("language_code") or "")
        self.commands[language] = [(item["command"], item["description"]) for item in commands]
        return True

    def _get_file(self, fields: Fields) -> dict[str, Any]:
        file_id = str(fields.get("file_id"))
        if file_id not in self._file_paths:
            raise bad("invalid file_id")
        path, size = self._file_paths[file_id]
        if size > 20 * 1024 * 1024:
            raise bad("file is too big")
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": size, "file_path": path}

    def _get_chat(self, fields: Fields) -> dict[str, Any]:
        gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription")
        extras = {
            "accent_color_id": 1,
            "max_reaction_count": 11,
            "accepted_gift_types": dict.fromkeys((*gifts, "gifts_from_channels"), False),
        }
        return {**self.chat(self._open_chat(fields)), **extras}

    def _leave(self, fields: Fields) -> bool:
        self.left.append(self._open_chat(fields))
        return True

    def _webhook_info(self, _: Fields) -> dict[str, Any]:
        webhook = self._fake.webhook
        count = len(webhook) if webhook.url else len(self._fake.pending)
        info = {"url": webhook.url, "has_custom_certificate": False, "pending_update_count": count}
        return info | ({"last_error_message": webhook.last_error} if webhook.last_error else {})


def chat_of(fields: Fields) -> int | None:
    """The chat a call is about."""
    try:
        return int(fields["chat_id"])
    except (KeyError, TypeError, ValueError):
        return None
