"""A Bot API server with Telegram's true semantics of offsets, long polls, webhooks and checks.

In a test: `async with FakeTelegram() as fake:`. For benchmarks and chaos runs, as a process of its own:
`python -m tests.fakes.telegram --port N`, driven by the addresses of `telegram_control.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Self

import orjson
from aiohttp import web

from tests.fakes.telegram_control import control_routes
from tests.fakes.telegram_faults import Faults
from tests.fakes.telegram_markup import Refusal
from tests.fakes.telegram_methods import Fields, Methods, Sent, chat_of
from tests.fakes.telegram_push import Pusher
from tests.fakes.telegram_wire import person, queue_of, read_fields, refuse, spoil

TOKEN = "424242:AAFakeTokenForTestsOnly_0123456789abc"
MAX_POLL = 50
_SECOND_POLLER = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
_WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)


class FakeTelegram:
    """One bot's Telegram. `chats[chat]` holds what that chat was sent, `sent` everything in order.

    `record=False` keeps texts but not the fields of every call.
    """

    def __init__(
        self, *, token: str = TOKEN, record: bool = True, retry_scale: float = 1.0, first_update: int = 1000
    ) -> None:
        self.token = token
        self.port = 0
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.pushed = self.confirmed = self.conflicts = 0
        self.pending: deque[tuple[int, bytes]] = deque()
        self.allowed: frozenset[str] = frozenset()
        self.poll_requests: list[dict[str, Any]] = []
        self.webhook = Pusher(self._notify, scale=retry_scale)
        self.methods = Methods(self)
        self._record = record
        self._next_update = first_update
        self._poll: asyncio.Future[bool] | None = None
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._message_ids: defaultdict[int, int] = defaultdict(int)

    # Life

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sent(self) -> list[Sent]:
        return self.methods.sent

    @property
    def chats(self) -> defaultdict[int, list[Sent]]:
        return self.methods.chats

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/bot{token:[^/]+}/{method}", self._call)
        app.router.add_get("/file/bot{token:[^/]+}/{path:.+}", self._file)
        app.add_routes(control_routes(self))
        return app

    async def start(self, port: int = 0) -> None:
        """Listen; after `stop` a start on the same port is Telegram coming back, with all it knew.

        A stop answers what it took, within a second: a send cut off after it was taken is a fault to be
        asked for, since its second copy is right.
        """
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port or self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self._end_poll(answered=True)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self.webhook.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # What subscribers do

    def push(self, update: dict[str, Any]) -> int:
        """Hand in one update; its number is given here unless it has one."""
        update_id = update.get("update_id", self._next_update)
        self._next_update = update_id + 1
        kind = next((name for name in update if name != "update_id"), "")
        if self.allowed and kind not in self.allowed:
            return int(update_id)
        self.push_raw(orjson.dumps({"update_id": update_id, **update}), update_id, queue_of(update))
        return int(update_id)

    def push_raw(self, update: bytes, update_id: int, queue: object = None) -> None:
        """Hand in the bytes of one update as they are, however broken."""
        self.pushed += 1
        if self.webhook.url:
            self.webhook.put(queue, update_id, update)
        else:
            self.pending.append((update_id, update))
            self._end_poll(answered=True)

    def push_message(self, chat: int, *, user: int | None = None, name: str = "Awa", **content: Any) -> int:
        """A message with any content: `text=`, `voice=`, `forward_origin=` and so on."""
        return self.push({"message": self.message(chat, user=user, name=name, **content)})

    def push_text(self, chat: int, text: str, **more: Any) -> int:
        return self.push_message(chat, text=text, **more)

    def push_tap(self, chat: int, data: str, *, sent: Sent | None = None, user: int | None = None) -> int:
        """Tap a button, by default one of the newest message of the chat."""
        shown = sent or (self.chats[chat][-1] if self.chats[chat] else None)
        message: dict[str, Any] = {"message_id": 0, "date": 0, "chat": self.methods.chat(chat)}
        if shown is not None:
            message |= {"message_id": shown.message_id, "date": int(shown.at), "text": shown.text}
            message["reply_markup"] = shown.fields.get("reply_markup")
        query = {
            "id": f"{chat}{self._next_update}",
            "from": person(user or chat),
            "chat_instance": "1",
            "message": message,
            "data": data,
        }
        return self.push({"callback_query": query})

    def message(
        self, chat: int, *, user: int | None = None, name: str = "Awa", **content: Any
    ) -> dict[str, Any]:
        """A message object of that chat, as Telegram writes it."""
        author = person(user or abs(chat), name)
        base = {"message_id": self.next_message_id(chat), "from": author, "chat": self.methods.chat(chat)}
        return {**base, "date": int(time.time()), **content}

    def next_message_id(self, chat: int) -> int:
        self._message_ids[chat] += 1
        return self._message_ids[chat]

    # What tests wait for

    async def until(self, true: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until something holds; looks again after every change."""
        async with asyncio.timeout(seconds):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    async def wait_sent(self, chat: int, count: int = 1, seconds: float = 10.0) -> list[Sent]:
        await self.until(lambda: len(self.chats[chat]) >= count, seconds)
        return self.chats[chat]

    async def wait_called(self, method: str, count: int = 1, seconds: float = 10.0) -> None:
        await self.until(lambda: self.calls[method] >= count, seconds)

    async def wait_confirmed(self, count: int | None = None, seconds: float = 10.0) -> None:
        """Until so many updates, by default all pushed ones, are forgotten by Telegram."""
        await self.until(lambda: self.taken >= (self.pushed if count is None else count), seconds)

    @property
    def taken(self) -> int:
        return self.confirmed + self.webhook.delivered

    @property
    def polling(self) -> bool:
        """Whether a long poll is waiting now."""
        return self._poll is not None and not self._poll.done()

    def keep(self, sent: Sent) -> Sent:
        """Note a send; called by the methods."""
        if not self._record:
            sent.fields = {}
        return sent

    def _notify(self) -> None:
        self._changed.set()

    # The Bot API

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        fields = await read_fields(request)
        self.calls[method] += 1
        self._notify()
        fault = self.faults.take(method.lower(), chat_of(fields))
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        try:
            if fault is not None and fault.spoils and not fault.processed:
                return await spoil(request, fault)
            result = await self._result(request.match_info["token"], method, fields)
        except Refusal as refusal:
            return refuse(refusal.status, refusal.description, refusal.parameters)
        finally:
            self._notify()
        payload = b'{"ok":true,"result":' + result + b"}"
        if fault is not None and fault.spoils:
            return await spoil(request, fault, payload)
        return web.Response(body=payload, content_type="application/json")

    async def _result(self, token: str, method: str, fields: Fields) -> bytes:
        if token != self.token:
            raise Refusal(401, "Unauthorized")
        if method == "getUpdates":
            return await self._get_updates(fields)
        if method == "setWebhook":
            await self._set_webhook(fields)
            return b"true"
        if method == "deleteWebhook":
            await self._delete_webhook(fields)
            return b"true"
        return orjson.dumps(self.methods.answer(method, fields))

    async def _get_updates(self, fields: Fields) -> bytes:
        if self.webhook.url:
            raise Refusal(409, _WEBHOOK_ACTIVE)
        self.poll_requests = [*self.poll_requests[-99:], fields]
        self._end_poll(answered=False)  # the newcomer wins, as on Telegram
        if "allowed_updates" in fields:
            self.allowed = frozenset(fields["allowed_updates"])
        self._confirm(int(fields.get("offset") or 0))
        seconds = min(int(fields.get("timeout") or 0), MAX_POLL)
        if not self.pending and seconds > 0:
            await self._long_poll(seconds)
        limit = min(max(int(fields.get("limit") or 100), 1), 100)
        return b"[" + b",".join(update for _, update in islice(self.pending, limit)) + b"]"

    async def _long_poll(self, seconds: float) -> None:
        poll = self._poll = asyncio.get_running_loop().create_future()
        self._notify()
        try:
            async with asyncio.timeout(seconds):
                answered = await poll
        except TimeoutError:
            return
        finally:
            if self._poll is poll:
                self._poll = None
        if not answered:
            self.conflicts += 1
            raise Refusal(409, _SECOND_POLLER)

    def _end_poll(self, *, answered: bool) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(answered)

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            while len(self.pending) > -offset:
                self.pending.popleft()
        while self.pending and self.pending[0][0] < offset:
            self.pending.popleft()
            self.confirmed += 1

    async def _set_webhook(self, fields: Fields) -> None:
        url = str(fields.get("url") or "")
        if not url:
            await self._delete_webhook(fields)
            return
        self._end_poll(answered=False)
        if "allowed_updates" in fields:
            self.allowed = frozenset(fields["allowed_updates"])
        if fields.get("drop_pending_updates"):
            self.pending.clear()
        connections = int(fields.get("max_connections") or 40)
        self.webhook.set(url, str(fields.get("secret_token") or ""), connections)
        while self.pending:
            update_id, update = self.pending.popleft()
            self.webhook.put(queue_of(orjson.loads(update)), update_id, update)

    async def _delete_webhook(self, fields: Fields) -> None:
        self.pending.extend(await self.webhook.clear())
        if fields.get("drop_pending_updates"):
            self.pending.clear()

    async def _file(self, request: web.Request) -> web.StreamResponse:
        self.calls["file"] += 1
        found = self.methods.files.get(request.match_info["path"])
        if request.match_info["token"] != self.token or found is None:
            return refuse(404, "Not Found")
        fault = self.faults.take("file", None)
        if fault is not None and fault.spoils:
            return await spoil(request, fault, found)
        return web.Response(body=found, content_type="application/octet-stream")


async def _serve(port: int, token: str) -> None:
    fake = FakeTelegram(token=token, record=False)
    await fake.start(port)
    print(fake.url, flush=True)  # noqa: T201  # how the starter learns the port
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A Bot API server for benchmarks and chaos runs")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=TOKEN)
    options = parser.parse_args()
    run: Callable[..., Any] = asyncio.run
    with contextlib.suppress(ImportError):
        import uvloop

        run = uvloop.run
    with contextlib.suppress(KeyboardInterrupt):
        run(_serve(options.port, options.token))


if __name__ == "__main__":
    main()
