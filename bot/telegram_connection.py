"""Opens Telegram. A module of its own, because its library takes long to import."""

from __future__ import annotations

from collections.abc import Callable

from bot.assembly import Core
from bot.connections import Connections
from bot.intake import Intake
from channels.chunking import PartWords
from channels.telegram import TelegramChannel
from channels.telegram_media import TelegramMedia
from channels.telegram_polling import TelegramPoller
from channels.telegram_request import BotEndpoint
from channels.telegram_webhook import set_webhook, telegram_routes
from handlers.commands import LISTED


def open_telegram(core: Core, intake: Intake, opened: Connections, busy: Callable[[], bool]) -> None:
    """Open the channel, with long polling or the webhook. Raises BadSettings."""
    settings, texts, report = core.settings, core.texts, core.alerting.report
    assert settings.telegram_bot_token is not None  # noqa: S101  # the caller checked
    endpoint = BotEndpoint(settings.telegram_api_base_url, settings.telegram_bot_token)
    channel = TelegramChannel(
        core.http,
        endpoint,
        PartWords.of(texts),
        farewell=texts.get("telegram.farewell"),
        rate=settings.telegram_rate,
    )
    core.add_channel(channel)
    opened.media[channel.name] = TelegramMedia(core.http, endpoint).fetch_voice
    opened.introductions["telegram-commands"] = lambda: channel.register_commands(texts, LISTED)
    url, secret = settings.telegram_webhook_url, settings.telegram_webhook_secret
    if url is None or secret is None:
        poller = TelegramPoller(
            core.http,
            endpoint,
            intake.accept,
            busy=busy,
            set_aside=core.store.set_aside,
            texts=texts,
            on_trouble=report,
            clock=core.clock,
        )
        opened.receivers["telegram-polling"] = poller.run
        return
    opened.routes += telegram_routes(
        endpoint,
        secret,
        intake.accept,
        set_aside=core.store.set_aside,
        metrics=core.metrics,
        clock=core.clock,
    )
    opened.introductions["telegram-webhook"] = lambda: set_webhook(
        core.http, endpoint, url, secret, texts=texts, on_trouble=report
    )
