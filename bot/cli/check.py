"""`python -m bot check`: what is on, what is off and why; `--online` also reaches out."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import aiohttp

from config.settings import Settings
from domain.errors import BadKnowledge, BadSettings
from rag.library import Library

_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `remedy` says what to do when it failed."""

    name: str
    state: str  # "activé", "désactivé", "ok", "échec"
    detail: str
    remedy: str = ""


async def execute(settings: Settings, options: argparse.Namespace) -> int:
    """Print the report; 1 when something that was asked for does not work."""
    findings = offline(settings)
    if options.online:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
            findings += await online(settings, http)
    for finding in findings:
        print(f"{finding.state:<10} {finding.name:<13} {finding.detail}")
        if finding.remedy:
            print(f"{'':<10} {'':<13} -> {finding.remedy}")
    return 1 if any(finding.state == "échec" for finding in findings) else 0


def offline(settings: Settings) -> list[Finding]:
    """What the settings alone tell; secrets are masked."""
    return [
        _telegram(settings),
        _whatsapp(settings),
        _model(settings),
        _switch("page web", settings.web_chat_enabled, f"http://{settings.http_host}:{settings.http_port}/"),
        _switch(
            "jeton HTTP",
            settings.http_token is not None,
            "HTTP_TOKEN est défini",
            off="HTTP_TOKEN absent : les pages de suivi ne répondent que sur cette machine",
        ),
        _switch(
            "admins",
            bool(settings.admin_chat_ids),
            f"{len(settings.admin_chat_ids)} dans ADMIN_CHAT_IDS",
            off="ADMIN_CHAT_IDS vide : aucune alerte ne part (envoyez /id au bot pour connaître le vôtre)",
        ),
        _switch(
            "chiffrement",
            settings.memory_encryption_key is not None,
            "sessions chiffrées au repos",
            off="MEMORY_ENCRYPTION_KEY absent : les sessions sont en clair dans la base",
        ),
        Finding("base", "activé", str(settings.memory_db_path)),
        _knowledge(settings),
    ]


async def online(settings: Settings, http: aiohttp.ClientSession) -> list[Finding]:
    """Reach every service that is set up, once."""
    findings: list[Finding] = []
    if settings.telegram_bot_token:
        token = settings.telegram_bot_token.get_secret_value()
        url = f"{settings.telegram_api_base_url}/bot{token}/getMe"
        remedy = (
            "vérifiez TELEGRAM_BOT_TOKEN auprès de @BotFather, et la connexion vers TELEGRAM_API_BASE_URL"
        )
        findings.append(await _reach(http, "Telegram", url, {}, remedy))
    if settings.whatsapp_access_token:
        url = f"{settings.whatsapp_graph_base_url}/{settings.whatsapp_phone_number_id}"
        headers = {"Authorization": f"Bearer {settings.whatsapp_access_token.get_secret_value()}"}
        remedy = "vérifiez WHATSAPP_ACCESS_TOKEN (expiré ?) et WHATSAPP_PHONE_NUMBER_ID dans Meta Business"
        findings.append(await _reach(http, "WhatsApp", url, headers, remedy))
    if settings.model_enabled:
        base = settings.openai_base_url or "https://api.openai.com/v1"
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else ""
        remedy = "vérifiez OPENAI_BASE_URL et OPENAI_API_KEY ; sans modèle le bot répond par le catalogue"
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        findings.append(await _reach(http, "modèle", f"{base.rstrip('/')}/models", headers, remedy))
    return findings or [Finding("en ligne", "désactivé", "aucun service extérieur n'est configuré")]


async def _reach(
    http: aiohttp.ClientSession, name: str, url: str, headers: dict[str, str], remedy: str
) -> Finding:
    try:
        async with http.get(url, headers=headers) as response:
            if response.status == 200:
                return Finding(name, "ok", "répond")
            return Finding(name, "échec", f"répond HTTP {response.status}", remedy)
    except (TimeoutError, aiohttp.ClientError) as error:
        # The text of a client error may quote the address, and with it a token.
        return Finding(name, "échec", f"injoignable ({type(error).__name__})", remedy)


def _telegram(settings: Settings) -> Finding:
    if settings.telegram_bot_token is None:
        return Finding("Telegram", "désactivé", "TELEGRAM_BOT_TOKEN absent")
    bot_id, _, secret = settings.telegram_bot_token.get_secret_value().partition(":")
    if not bot_id.isdigit() or not secret:
        raise BadSettings("TELEGRAM_BOT_TOKEN n'a pas la forme 123456:ABC… donnée par @BotFather")
    mode = "webhook" if settings.telegram_webhook_url else "interrogation longue (polling)"
    return Finding("Telegram", "activé", f"bot {bot_id}, jeton {_masked(secret)}, {mode}")


def _whatsapp(settings: Settings) -> Finding:
    if settings.whatsapp_access_token is None:
        return Finding("WhatsApp", "désactivé", "WHATSAPP_ACCESS_TOKEN absent")
    token = _masked(settings.whatsapp_access_token.get_secret_value())
    return Finding("WhatsApp", "activé", f"numéro {settings.whatsapp_phone_number_id}, jeton {token}")


def _model(settings: Settings) -> Finding:
    if not settings.model_enabled:
        return Finding("modèle", "désactivé", "ni OPENAI_API_KEY ni OPENAI_BASE_URL : réponses du catalogue")
    where = settings.openai_base_url or "api.openai.com"
    return Finding("modèle", "activé", f"{settings.openai_model} sur {where}")


def _knowledge(settings: Settings) -> Finding:
    try:
        library = Library.load(settings.knowledge_path, max_age_days=settings.offer_max_age_days)
    except BadKnowledge as error:
        return Finding("connaissances", "échec", str(error), "corrigez ce fichier, puis /recharger")
    counts = ", ".join(f"{count} {part}" for part, count in library.sizes.items())
    return Finding("connaissances", "activé", f"{settings.knowledge_path} ({counts})")


def _switch(name: str, is_on: bool, detail: str, *, off: str = "") -> Finding:
    return Finding(name, "activé" if is_on else "désactivé", detail if is_on else off or detail)


def _masked(secret: str) -> str:
    return f"…{secret[-3:]}" if len(secret) > 12 else "…"
