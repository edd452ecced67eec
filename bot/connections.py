"""Opens the channels that the settings name: what sends, what receives, and the endpoints of each."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from bot.assembly import Core
from bot.intake import Intake
from channels.routing import Route
from channels.web import WebChannel
from channels.web_routes import WebChatEndpoints, chat_routes
from channels.web_tokens import ChatTokens
from channels.whatsapp import WhatsAppChannel
from channels.whatsapp_compose import Template, Words
from channels.whatsapp_evidence import database_stamp
from channels.whatsapp_graph import Graph, GraphEndpoint
from channels.whatsapp_media import WhatsAppMedia
from channels.whatsapp_webhook import Webhook, WebhookSecrets, whatsapp_routes
from domain.messages import ChatKey
from handlers.voice import FetchMedia

Work = Coroutine[Any, Any, Any]


@dataclass(slots=True)
class Connections:
    """What the channels bring along. Receivers run until the drain, introductions end by themselves."""

    routes: list[Route] = field(default_factory=list)
    media: dict[str, FetchMedia] = field(default_factory=dict)
    on_stop: list[Callable[[], None]] = field(default_factory=list)
    receivers: dict[str, Callable[[], Work]] = field(default_factory=dict)
    introductions: dict[str, Callable[[], Work]] = field(default_factory=dict)


async def connect(core: Core, intake: Intake, busy: Callable[[], bool]) -> Connections:
    """Open every channel that is set up. Talks to no platform yet. Raises BadSettings."""
    opened = Connections()
    if core.settings.web_chat_enabled:
        await _open_web(core, intake, opened)
    if core.settings.telegram_bot_token:
        from bot.telegram_connection import open_telegram  # only who has a bot waits for its library

        open_telegram(core, intake, opened, busy)
    if core.settings.whatsapp_enabled:
        await _open_whatsapp(core, intake, opened)
    return opened


async def _open_web(core: Core, intake: Intake, opened: Connections) -> None:
    channel = WebChannel(core.store.outbox, core.store.long_term, core.texts)
    core.add_channel(channel)
    tokens = await ChatTokens.load(core.store.notes)
    endpoints = WebChatEndpoints(channel, intake.accept, tokens, core.texts, clock=core.clock)
    opened.routes += chat_routes(endpoints)
    opened.on_stop.append(channel.close)


async def _open_whatsapp(core: Core, intake: Intake, opened: Connections) -> None:
    settings = core.settings
    token, account = settings.whatsapp_access_token, settings.whatsapp_phone_number_id
    app_secret, verify = settings.whatsapp_app_secret, settings.whatsapp_verify_token
    if token is None or account is None or app_secret is None or verify is None:
        return  # settings refuse half a group
    graph = Graph(core.http, GraphEndpoint(settings.whatsapp_graph_base_url, token, account))
    stamp = await database_stamp(core.store.notes)
    name, language = settings.whatsapp_template, settings.whatsapp_template_language
    channel = WhatsAppChannel(
        graph,
        Words.of(core.texts),
        last_inbound=_last_inbound(core),
        stamp=stamp,
        rate=settings.whatsapp_rate,
        template=Template(name, language) if name else None,
        clock=core.clock,
    )
    core.add_channel(channel)
    opened.media[channel.name] = WhatsAppMedia(graph, hosts=settings.whatsapp_media_hosts).fetch
    webhook = Webhook(
        account,
        WebhookSecrets(app_secret.get_secret_value(), verify.get_secret_value()),
        accept=intake.accept,
        confirm=core.store.outbox.confirm,
        set_aside=core.store.set_aside,
        metrics=core.metrics,
        stamp=stamp,
        clock=core.clock,
    )
    opened.routes += whatsapp_routes(webhook)


def _last_inbound(core: Core) -> Callable[[ChatKey], Coroutine[Any, Any, float]]:
    async def last_inbound(key: ChatKey) -> float:
        profile = await core.store.long_term.profile(key)
        return profile.last_inbound_at if profile else 0.0

    return last_inbound
