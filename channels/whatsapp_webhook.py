"""WhatsApp's webhook: nothing is parsed before its signature holds, nothing acknowledged before it is stored.

A request that Meta signed is never answered 4xx: it would come back for seven days and drag good messages
with it. What cannot be used is set aside; 503 means trouble of our own.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson
from aiohttp import web

from channels.routing import LARGE_BODY, Access, Route, problem
from channels.whatsapp_evidence import Confirm, Evidence
from channels.whatsapp_outline import outline, outline_bytes
from channels.whatsapp_parse import Delivery, parse_webhook
from channels.whatsapp_parse import SetAside as Piece
from domain.errors import BadSettings, BotError, Overloaded, StoreUnavailable
from domain.messages import AcceptMessages
from monitoring.metrics import Metrics

PATH = "/whatsapp"
SIGNATURE = "X-Hub-Signature-256"
BUSY_SECONDS = 5.0
_IN_THREAD = 128 * 1024  # a body this large would hold the loop for milliseconds
_AT_ONCE = 64  # what is handed to the store together shares its commits
_MAX_CHALLENGE = 256

SetAside = Callable[[str, bytes, str], Awaitable[None]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """What proves that Meta calls. Raises BadSettings when a part is missing: no check, no start."""

    app_secret: str
    verify_token: str

    def __post_init__(self) -> None:
        if not self.app_secret:
            raise BadSettings("WHATSAPP_APP_SECRET manque : sans lui, nul ne sait qui appelle")
        if not self.verify_token:
            raise BadSettings("WHATSAPP_VERIFY_TOKEN manque")

    def signed(self, body: bytes, signature: str) -> bool:
        """Whether the signature is that of these very bytes."""
        wanted = b"sha256=" + hmac.new(self.app_secret.encode(), body, hashlib.sha256).hexdigest().encode()
        return hmac.compare_digest(wanted, signature.encode("utf-8", "surrogateescape"))

    def knows(self, token: str) -> bool:
        """Whether the handshake's token is ours."""
        return hmac.compare_digest(self.verify_token.encode(), token.encode("utf-8", "surrogatepass"))


class Webhook:
    """The two endpoints that Meta calls."""

    def __init__(
        self,
        account: str,
        keys: WebhookSecrets,
        *,
        accept: AcceptMessages,
        confirm: Confirm,
        set_aside: SetAside,
        metrics: Metrics,
        stamp: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._keys = keys
        self._accept = accept
        self._confirm = confirm
        self._set_aside = set_aside
        self._metrics = metrics
        self._stamp = stamp
        self._clock = clock

    async def verify(self, request: web.Request) -> web.Response:
        """The handshake: give the challenge back to who knows our token."""
        query = request.query
        challenge = query.get("hub.challenge", "")
        known = self._keys.knows(query.get("hub.verify_token", ""))
        readable = 0 < len(challenge) <= _MAX_CHALLENGE and challenge.isascii() and challenge.isprintable()
        if query.get("hub.mode") != "subscribe" or not known or not readable:
            self._reject("verify_token" if not known else "handshake")
            return problem(403, "forbidden", "Jeton de vérification absent ou faux.")
        return web.Response(text=challenge, content_type="text/plain")

    async def receive(self, request: web.Request) -> web.Response:
        """One delivery: 200 once everything in it is stored, settled or set aside."""
        body = await request.read()
        signature = request.headers.get(SIGNATURE, "")
        if len(body) > _IN_THREAD:
            delivery = await asyncio.to_thread(self._read, body, signature)
        else:
            delivery = self._read(body, signature)
        if delivery is None:
            self._reject("signature" if signature else "unsigned")
            return problem(401, "unauthorized", "Signature absente ou fausse.")
        try:
            await self._store(delivery)
        except Overloaded as error:
            return _busy(error.seconds)
        except StoreUnavailable:
            return _busy(BUSY_SECONDS)
        return web.Response()

    def _read(self, body: bytes, signature: str) -> Delivery | None:
        """What a signed body holds; None when Meta did not sign it."""
        if not self._keys.signed(body, signature):
            return None
        try:
            decoded = _decoded(body)
        except RecursionError:
            return Delivery.unreadable(outline_bytes(body), "nested too deep")
        except ValueError:
            return Delivery.unreadable(outline_bytes(body), "no JSON")
        return parse_webhook(decoded, self._account, now=self._clock(), stamp=self._stamp)

    async def _store(self, delivery: Delivery) -> None:
        """Messages first, statuses last: a fault in one never costs the others."""
        if delivery.messages:
            await self._accept(delivery.messages)
        for reason in delivery.ignored:
            self._reject(reason)
        for at in range(0, len(delivery.set_aside), _AT_ONCE):
            await self._put_aside(delivery.set_aside[at : at + _AT_ONCE])
        evidence = list(delivery.evidence)
        for at in range(0, len(evidence), _AT_ONCE):
            await self._settle(evidence[at : at + _AT_ONCE])

    async def _put_aside(self, pieces: Sequence[Piece]) -> None:
        """Keep what cannot be used. Raises what the store raised, once all of them were tried."""
        outcomes = await asyncio.gather(*map(self._put_one_aside, pieces), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _put_one_aside(self, piece: Piece) -> None:
        self._reject("set_aside")
        logger.warning("set aside: %s", piece.error, extra={"action": "whatsapp.set_aside"})
        raw = piece.raw if isinstance(piece.raw, bytes) else outline(piece.raw)
        await self._set_aside("whatsapp", raw, piece.error)

    async def _settle(self, evidence: Sequence[Evidence]) -> None:
        """Hand over what statuses prove. Raises StoreUnavailable, so that Meta brings the proof again."""
        outcomes = await asyncio.gather(
            *(self._settle_one(item) for item in evidence), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, StoreUnavailable):
                raise outcome
            if isinstance(outcome, BotError):
                logger.warning("status not used: %s", outcome, extra={"action": "whatsapp.status"})
            elif isinstance(outcome, BaseException):
                logger.error("status not used", exc_info=outcome, extra={"action": "whatsapp.status"})
                self._metrics.errors.labels(where="whatsapp_status").inc()

    async def _settle_one(self, item: Evidence) -> None:
        await self._confirm(item.part_id, item.state, platform_id=item.platform_id, error=item.error)

    def _reject(self, reason: str) -> None:
        self._metrics.webhook_rejects.labels(channel="whatsapp", reason=reason).inc()


def whatsapp_routes(webhook: Webhook) -> tuple[Route, ...]:
    """The webhook's entries in the server's table."""
    text = {"schema": {"type": "string"}, "in": "query"}
    return (
        Route(
            "GET",
            PATH,
            webhook.verify,
            "Poignée de main du webhook WhatsApp",
            access=Access.SIGNED,
            parameters=(
                {"name": "hub.mode", **text},
                {"name": "hub.verify_token", **text},
                {"name": "hub.challenge", **text},
            ),
            responses={200: "The challenge", 403: "Not our token"},
            media_type="text/plain",
        ),
        Route(
            "POST",
            PATH,
            webhook.receive,
            "Messages et statuts de WhatsApp",
            access=Access.SIGNED,
            intake=True,
            body_limit=LARGE_BODY,
            body={"type": "object"},
            parameters=({"name": SIGNATURE, "in": "header", "schema": {"type": "string"}},),
            responses={200: "Stored", 401: "Not signed by Meta"},
            media_type="application/octet-stream",
        ),
    )


def _busy(seconds: float) -> web.Response:
    headers = {"Retry-After": str(max(1, round(seconds)))}
    return problem(503, "busy", "Le service est occupé. Réessayez dans un instant.", headers)


def _decoded(body: bytes) -> object:
    """The JSON of a body. Raises ValueError or RecursionError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # Lone surrogates of a broken emoji, numbers of any size: one bad string must not cost its batch.
        decoded: object = json.loads(body.decode("utf-8", "replace"), parse_int=_integer)
        return decoded


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= 19 else None
