"""The Telegram webhook: its endpoint, and the task that tells Telegram about it."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp import web
from pydantic import SecretStr

from channels.routing import Access, Route
from channels.telegram_parse import ALLOWED_UPDATES, CHANNEL
from channels.telegram_request import BotEndpoint, OutcomeUnknown, RequestNotSent, call, decoded, retry_after
from channels.telegram_updates import SetAside, Updates
from channels.telegram_waits import Waits
from config.texts import Texts
from domain.errors import BadSettings, Overloaded, StoreUnavailable
from domain.messages import AcceptMessages
from monitoring.metrics import Metrics

PATH = "/telegram"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105  # the name of a header
MAX_CONNECTIONS = 40
_RETRY_SECONDS = 5.0
_CALL_SECONDS = 10.0
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")

logger = logging.getLogger(__name__)


class TelegramWebhook:
    """Answers Telegram's posts: 200 once the update is on disk or set aside, 503 for our own trouble only."""

    def __init__(self, secret: SecretStr, updates: Updates, metrics: Metrics) -> None:
        self._secret = checked_secret(secret).encode()
        self._updates = updates
        self._metrics = metrics

    async def receive(self, request: web.Request) -> web.Response:
        """One update. The 200 has no body: Telegram would carry out a method it finds there."""
        given = request.headers.get(SECRET_HEADER)
        if given is None:
            return self._refuse(HTTPStatus.UNAUTHORIZED, "missing")
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._secret):
            return self._refuse(HTTPStatus.FORBIDDEN, "wrong")
        body = await request.read()
        try:
            update = decoded(body)
            if update:
                await self._updates.take((update,))
            else:
                await self._updates.put_aside(body, "no JSON object")
        except Overloaded as error:
            return _later(error.seconds)
        except StoreUnavailable as error:
            logger.warning("inbox: %s; update not taken", error, extra={"action": "telegram.held"})
            return _later(_RETRY_SECONDS)
        return web.Response()

    def _refuse(self, status: HTTPStatus, reason: str) -> web.Response:
        self._metrics.webhook_rejects.labels(channel=CHANNEL, reason=reason).inc()
        return web.Response(status=status)


def telegram_routes(
    endpoint: BotEndpoint,
    secret: SecretStr,
    accept: AcceptMessages,
    *,
    set_aside: SetAside,
    metrics: Metrics,
    clock: Callable[[], float] = time.time,
) -> tuple[Route, ...]:
    """The endpoint that Telegram posts to. Raises BadSettings for a secret that Telegram would refuse."""
    webhook = TelegramWebhook(secret, Updates(endpoint.account, accept, set_aside, clock=clock), metrics)
    meanings = {
        200: "On disk, or set aside",
        401: "No secret token",
        403: "A wrong secret token",
        503: "Our own trouble: deliver again later",
    }
    return (
        Route(
            "POST",
            PATH,
            webhook.receive,
            "Recevoir une mise à jour de Telegram",
            access=Access.SIGNED,
            intake=True,
            body={"type": "object", "required": ["update_id"]},
            responses=meanings,
            media_type="text/plain",
        ),
    )


def checked_secret(secret: SecretStr) -> str:
    """The secret itself. Raises BadSettings when Telegram would refuse it."""
    if not _SECRET.fullmatch(secret.get_secret_value()):
        raise BadSettings("TELEGRAM_WEBHOOK_SECRET : 1 à 256 lettres sans accent, chiffres, _ ou - seulement")
    return secret.get_secret_value()


def webhook_address(url: str) -> str:
    """Where Telegram posts to: the address as set, or our path on it when it names only a host."""
    return url if urlsplit(url).path.strip("/") else url.rstrip("/") + PATH


async def set_webhook(
    session: aiohttp.ClientSession,
    endpoint: BotEndpoint,
    url: str,
    secret: SecretStr,
    *,
    texts: Texts,
    on_trouble: Callable[[str, str], None],
    waits: Waits = Waits(),  # noqa: B008  # frozen
) -> None:
    """Tell Telegram our address; tries until it is done. Run as a task: it must not delay the start."""
    asking = {
        "url": webhook_address(url),
        "secret_token": checked_secret(secret),
        "max_connections": MAX_CONNECTIONS,
        "allowed_updates": ALLOWED_UPDATES,
        "drop_pending_updates": False,
    }
    failures, told = 0, False
    while True:
        status, reason, pause = await _ask(session, endpoint, orjson.dumps(asking))
        if status == HTTPStatus.OK:
            logger.info("webhook set", extra={"action": "telegram.webhook"})
            return
        failures += 1
        logger.warning("setWebhook: %s", reason, extra={"action": "telegram.webhook"})
        hopeless = status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND}
        if (hopeless or failures >= 5) and not told:
            on_trouble("TROUBLE", texts.get("telegram.trouble_webhook", reason=reason))
            told = True
        await asyncio.sleep(pause or (waits.refused if hopeless else waits.after(failures)))


async def _ask(session: aiohttp.ClientSession, endpoint: BotEndpoint, body: bytes) -> tuple[int, str, float]:
    """Status (0: no answer of Telegram's), what it says, and how long it asks us to wait."""
    try:
        status, answer, headers = await call(
            session, endpoint.method_url("setWebhook"), body, seconds=_CALL_SECONDS
        )
    except (RequestNotSent, OutcomeUnknown) as error:
        return 0, error.message, 0.0
    said = decoded(answer)
    reason = str(said.get("description") or f"HTTP {status}")[:200]
    if status == HTTPStatus.OK and said.get("ok") is not True:  # a proxy's page
        return 0, reason, 0.0
    told_to_wait = status == HTTPStatus.TOO_MANY_REQUESTS
    return status, reason, float(retry_after(answer, headers)) if told_to_wait else 0.0


def _later(seconds: float) -> web.Response:
    headers = {"Retry-After": str(max(1, round(seconds)))}
    return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, headers=headers)
