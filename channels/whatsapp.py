"""The WhatsApp channel: sends reply parts through the Cloud API of one phone number."""

from __future__ import annotations

import io
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from channels.base import Receipt, Split
from channels.whatsapp_clean import items_of, mapping_of, text_of
from channels.whatsapp_compose import (
    Fields,
    Template,
    Words,
    compose,
    compose_file,
    compose_template,
    split,
    upload_name,
)
from channels.whatsapp_errors import EVIDENCE_WAIT, GraphError, Verdict, raised
from channels.whatsapp_evidence import callback_data
from channels.whatsapp_graph import Answer, Graph
from channels.whatsapp_identity import CHANNEL, is_user_id
from channels.whatsapp_limits import PairLimits, Throughput, pacing
from domain.errors import BotError, ChannelBroken, NotSent, SendInDoubt, WindowClosed
from domain.messages import Attachment, ChatKey, InboundMessage, Reply
from memory.records import OutboxPart

SEND_SECONDS = 10.0
UPLOAD_SECONDS = 9.0  # with the message behind it, a file takes at most 15 s
AFTER_UPLOAD_SECONDS = 6.0
COURTESY_SECONDS = 5.0
PROBE_SECONDS = 1.5
WINDOW_SECONDS = 24 * 3600.0
TYPING_SECONDS = 20.0  # WhatsApp shows it for 25 s
_KNOWN_WELL = 60.0
_KNOWN_ILL = 5.0

LastInbound = Callable[[ChatKey], Awaitable[float]]

logger = logging.getLogger(__name__)


class WhatsAppChannel:
    """One WhatsApp number as the pipeline sees it.

    `last_inbound` tells when the subscriber wrote last (0.0: not known, the platform decides). `stamp` names
    the database whose part ids travel with each send. `pacing` is replaced while the platform throttles us.
    """

    name = CHANNEL

    def __init__(
        self,
        graph: Graph,
        words: Words,
        *,
        last_inbound: LastInbound,
        stamp: str = "",
        rate: float = 80.0,
        template: Template | None = None,
        evidence_wait: float = EVIDENCE_WAIT,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.account = graph.endpoint.phone_number_id
        self.pacing = pacing(rate)
        self._graph = graph
        self._words = words
        self._last_inbound = last_inbound
        self._stamp = stamp
        self._template = template
        self._evidence_wait = evidence_wait
        self._clock = clock
        self._ticks = ticks
        self._pairs = PairLimits()
        self._throughput = Throughput(self.pacing, ticks)
        self._typing: OrderedDict[str, float] = OrderedDict()
        self._health: tuple[str, float] | None = None

    def split(self, reply: Reply) -> Split:
        """Cut a reply into as few messages as possible, at most three."""
        return split(reply, self._words)

    async def send(self, part: OutboxPart) -> Receipt:
        """Send one part; see `Channel.send` for what is raised."""
        if not await self._window_open(part.key):
            return await self._send_late(part)
        try:
            if part.reply.attachment is not None:
                return await self._send_file(part, part.reply.attachment)
            fields = compose(part.reply, self._words, plain=part.plain)
            return await self._deliver(part, fields, SEND_SECONDS)
        except WindowClosed:  # refused, so surely not sent: the platform's clock decides, not ours
            return await self._send_late(part)

    async def show_typing(self, key: ChatKey, message: InboundMessage) -> None:
        """Mark the message as read and show "typing"; at most once in 20 s for a message."""
        now = self._ticks()
        if now - self._typing.pop(message.external_id, -TYPING_SECONDS) < TYPING_SECONDS:
            return
        self._typing[message.external_id] = now
        if len(self._typing) > 1024:
            self._typing.popitem(last=False)
        body = {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": message.external_id,
            "typing_indicator": {"type": "text"},
        }
        try:
            await self._graph.post("messages", body, seconds=COURTESY_SECONDS)
        except Exception as error:  # noqa: BLE001  # a courtesy never fails a turn
            logger.debug("courtesy call failed: %s", type(error).__name__, extra={"action": "courtesy"})

    async def probe(self) -> str:
        """Why Meta would not let us send, "" if it would; asks once a minute, or every 5 s while ill."""
        now = self._ticks()
        if self._health is not None:
            reason, at = self._health
            if now - at < (_KNOWN_ILL if reason else _KNOWN_WELL):
                return reason
        try:
            answer = await self._graph.get(self.account, fields="id", seconds=PROBE_SECONDS)
            reason = "" if answer.ok else str(_error(answer))
        except NotSent as error:
            reason = f"not reachable: {error}"
        self._health = (reason, now)
        return reason

    async def _window_open(self, key: ChatKey) -> bool:
        try:
            last = await self._last_inbound(key)
        except BotError:
            return True  # not known: the platform decides
        return not last or self._clock() - last < WINDOW_SECONDS

    async def _send_late(self, part: OutboxPart) -> Receipt:
        """Send what may go out when the 24-hour window is over. Raises WindowClosed when nothing may."""
        if self._template is None:
            raise WindowClosed("the 24-hour window is over and no template is set")
        if part.reply.attachment is not None:
            raise WindowClosed("the 24-hour window is over and a template carries no file")
        return await self._deliver(part, compose_template(part.reply, self._template), SEND_SECONDS)

    async def _send_file(self, part: OutboxPart, file: Attachment) -> Receipt:
        media_id = await self._upload(part, file)
        return await self._deliver(part, compose_file(part.reply, file, media_id), AFTER_UPLOAD_SECONDS)

    async def _upload(self, part: OutboxPart, file: Attachment) -> str:
        """Hand the file to Meta; nothing has reached the subscriber yet, so doubts do not count."""
        name, media_type = upload_name(file)
        form = aiohttp.FormData()
        form.add_field("messaging_product", "whatsapp")
        form.add_field("type", media_type)
        form.add_field("file", io.BytesIO(file.data), filename=name, content_type=media_type)
        try:
            answer = await self._graph.post("media", form, seconds=UPLOAD_SECONDS)
            media_id = text_of(mapping_of(answer.body).get("id"), 512)
            if answer.ok and media_id:
                return media_id
            raise self._refusal(part, answer)
        except SendInDoubt as error:
            raise NotSent(f"file not uploaded: {error}") from error

    async def _deliver(self, part: OutboxPart, fields: Fields, seconds: float) -> Receipt:
        chat = part.key.chat
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            ("recipient" if is_user_id(chat) else "to"): chat,
            "biz_opaque_callback_data": callback_data(part.id, self._stamp),
            **fields,
        }
        try:
            answer = await self._graph.post("messages", body, seconds=seconds)
        except SendInDoubt as error:
            raise SendInDoubt(str(error), seconds=self._evidence_wait) from error
        accepted = items_of(mapping_of(answer.body).get("messages"))
        platform_id = text_of(mapping_of(accepted[0]).get("id"), 512) if accepted else ""
        if not answer.ok or not platform_id:
            raise self._refusal(part, answer)
        self._went_well(chat)
        return Receipt(platform_id)

    def _went_well(self, chat: str) -> None:
        self._pairs.accepted(chat)
        self._throughput.accepted()
        self.pacing = self._throughput.pacing
        if self._health is not None and self._health[0]:
            self._health = None

    def _refusal(self, part: OutboxPart, answer: Answer) -> BotError:
        """The error of ours for an answer that is no success, with its back-off noted."""
        if answer.ok:  # a yes in a shape we cannot read
            return SendInDoubt("unreadable answer", seconds=self._evidence_wait)
        error = _error(answer)
        wait = 0.0
        if error.verdict is Verdict.THROTTLED:
            wait = self._throughput.refused()
            self.pacing = self._throughput.pacing
        elif error.verdict is Verdict.PAIR_LIMIT:
            wait = self._pairs.refused(part.key.chat)
        refusal = raised(error, wait=wait, plain=part.plain)
        if isinstance(refusal, SendInDoubt):
            refusal.seconds = self._evidence_wait
        if isinstance(refusal, ChannelBroken):
            self._health = (str(refusal), self._ticks())
        logger.warning(
            "send refused: HTTP %d, code %s",
            error.status,
            error.code,
            extra={"action": "whatsapp.refused", "part": part.id, "verdict": error.verdict.name},
        )
        return refusal


def _error(answer: Answer) -> GraphError:
    return GraphError.read(answer.status, answer.body, answer.retry_after)
