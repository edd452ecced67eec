"""Every setting: the only file that reads the environment.

Names are those of the field and of `.env.example`. A group is whole or absent: a WhatsApp token without its
app secret refuses to start. `load()` raises BadSettings with one sentence per fault, naming the variable.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from domain.errors import BadSettings

# Read by LangGraph and LangChain at import: strict revival of state, and no prompt to a tracing service.
_LIBRARY_SWITCHES = {
    "LANGGRAPH_STRICT_MSGPACK": "true",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING_V2": "false",
}
ROOT = Path(__file__).resolve().parent.parent
OPENAI_URL = "https://api.openai.com/v1"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Settings(BaseSettings):
    """Defaults give a working bot: web chat page on loopback, embedded answerer, SQLite."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True
    )

    # Telegram
    telegram_bot_token: SecretStr | None = None
    telegram_api_base_url: str = "https://api.telegram.org"
    telegram_webhook_url: str | None = None
    telegram_webhook_secret: SecretStr | None = None
    telegram_rate: float = Field(25.0, gt=0)  # messages/s over all chats (Telegram's free limit is 30)

    # WhatsApp Cloud API
    whatsapp_access_token: SecretStr | None = None
    whatsapp_phone_number_id: str | None = None
    whatsapp_app_secret: SecretStr | None = None
    whatsapp_verify_token: SecretStr | None = None
    whatsapp_graph_base_url: str = "https://graph.facebook.com/v26.0"
    whatsapp_template: str | None = None  # approved template for answers outside the 24-hour window
    whatsapp_template_language: str = "fr"
    whatsapp_rate: float = Field(80.0, gt=0)  # messages/s the number may send (20 for coexistence numbers)
    whatsapp_media_hosts: Annotated[tuple[str, ...], NoDecode] = (
        "graph.facebook.com",
        "lookaside.fbsbx.com",
        ".fbcdn.net",
        ".whatsapp.net",
    )

    # Admins: numeric Telegram ids, and WhatsApp ids written "whatsapp:227..."
    admin_chat_ids: Annotated[tuple[str, ...], NoDecode] = ()

    # Model
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    openai_model: str = "gpt-4o-mini"
    openai_embeddings_model: str | None = None
    openai_transcription_model: str | None = None
    llm_timeout: float = Field(15.0, gt=0, le=120)
    llm_turn_timeout: float = Field(30.0, gt=0, le=300)
    llm_max_tokens: int = Field(400, gt=0)
    llm_daily_token_budget: int = Field(2_000_000, ge=0)
    llm_chat_token_budget: int = Field(20_000, ge=0)
    llm_price_input: float = Field(0.0, ge=0)  # per million tokens, for the cost metric only
    llm_price_output: float = Field(0.0, ge=0)

    # Sessions and memory
    session_timeout_minutes: float = Field(30.0, gt=0)
    cleanup_interval: float = Field(300.0, gt=0)
    database_url: str | None = None
    memory_db_path: Path = Path("./data/memory.db")
    memory_encryption_key: SecretStr | None = None
    memory_encryption_old_key: SecretStr | None = None
    memory_cache_bytes: int = Field(32 * 1024 * 1024, ge=0)
    max_history_tokens: int = Field(3000, ge=200)
    max_session_messages: int = Field(50, ge=4)
    retention_days: int = Field(30, ge=1)

    # Knowledge and its cache
    knowledge_path: Path = ROOT / "data"
    rag_cache_enabled: bool = True
    rag_cache_size: int = Field(1000, ge=0)
    rag_cache_ttl: float = Field(3600.0, gt=0)
    offer_max_age_days: int = Field(365, ge=1)  # an offer last checked longer ago is not told as current

    # Pipeline
    max_concurrent_turns: int = Field(256, ge=1)
    burst_window: float = Field(1.2, ge=0, le=10)
    chat_rate_per_minute: float = Field(20.0, gt=0)
    chat_backlog: int = Field(50, ge=1)
    max_text_chars: int = Field(4000, ge=100)
    drain_seconds: float = Field(8.0, gt=0, le=60)

    # HTTP
    http_host: str = "127.0.0.1"
    http_port: int = Field(8000, ge=0, le=65535)
    http_token: SecretStr | None = None
    web_chat_enabled: bool = True

    # Watch and alerts
    memory_high_percent: float = Field(80.0, gt=0, le=100)
    memory_critical_percent: float = Field(90.0, gt=0, le=100)
    high_session_count: int = Field(100, ge=1)
    low_cache_hit_rate: float = Field(0.5, ge=0, le=1)
    alert_interval: float = Field(30.0, gt=0)

    # Logs
    log_level: str = "INFO"
    log_json: bool = False
    log_file: Path | None = None

    # Engine switches
    uvloop: bool = True

    @field_validator("admin_chat_ids", "whatsapp_media_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part for part in value.replace(",", " ").split() if part)
        return value

    @field_validator("openai_api_key")
    @classmethod
    def _one_word(cls, key: SecretStr | None) -> SecretStr | None:
        """The key travels in a header."""
        word = key.get_secret_value().strip() if key else ""
        if not (word.isascii() and word.isprintable()):
            raise ValueError("une seule ligne sans accent, telle que le fournisseur la montre")
        return SecretStr(word) if word else None

    @field_validator("telegram_api_base_url", "whatsapp_graph_base_url", "openai_base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not _is_address(value):
            raise ValueError("doit être une adresse complète, comme https://serveur/chemin")
        return value

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        level = value.upper()
        if level not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
            raise ValueError("doit être DEBUG, INFO, WARNING, ERROR ou CRITICAL")
        return level

    @field_validator("admin_chat_ids")
    @classmethod
    def _numeric(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            if not item.removeprefix("whatsapp:").replace("NE.", "").lstrip("+-").isdigit():
                raise ValueError(
                    f"« {item} » n'est pas un identifiant numérique (un nom peut être pris par n'importe qui)"
                )
        return value

    @model_validator(mode="after")
    def _whole_groups(self) -> Self:
        whatsapp = {
            "WHATSAPP_ACCESS_TOKEN": self.whatsapp_access_token,
            "WHATSAPP_PHONE_NUMBER_ID": self.whatsapp_phone_number_id,
            "WHATSAPP_APP_SECRET": self.whatsapp_app_secret,
            "WHATSAPP_VERIFY_TOKEN": self.whatsapp_verify_token,
        }
        missing = [name for name, value in whatsapp.items() if not value]
        if missing and len(missing) < len(whatsapp):
            raise ValueError(f"WhatsApp n'est réglé qu'à moitié : il manque {', '.join(missing)}")
        if self.telegram_webhook_url and not self.telegram_bot_token:
            raise ValueError("TELEGRAM_WEBHOOK_URL est donné sans TELEGRAM_BOT_TOKEN")
        if self.telegram_webhook_url and not self.telegram_webhook_secret:
            raise ValueError("TELEGRAM_WEBHOOK_URL demande aussi TELEGRAM_WEBHOOK_SECRET")
        if self.http_host not in LOOPBACK and not self.http_token:
            raise ValueError(
                f"HTTP_HOST={self.http_host} écoute au-delà de cette machine : HTTP_TOKEN est obligatoire"
            )
        if self.memory_encryption_old_key and not self.memory_encryption_key:
            raise ValueError("MEMORY_ENCRYPTION_OLD_KEY est donné sans MEMORY_ENCRYPTION_KEY")
        if self.database_url:
            raise ValueError(
                "DATABASE_URL : PostgreSQL n'est pas pris en charge par cette version ; laissez-le vide, "
                "la base est alors le fichier de MEMORY_DB_PATH"
            )
        return self

    @property
    def whatsapp_enabled(self) -> bool:
        """Whether WhatsApp is set up."""
        return self.whatsapp_access_token is not None

    @property
    def model_enabled(self) -> bool:
        """Whether a model is set up: a key, or the address of a server that needs none."""
        return self.openai_api_key is not None or self.openai_base_url is not None

    @property
    def session_timeout(self) -> float:
        """Seconds of silence that end a session."""
        return self.session_timeout_minutes * 60

    @classmethod
    def load(cls, env_file: Path | None = Path(".env")) -> Settings:
        """Read the environment and `.env`. Raises BadSettings naming each variable and its fault."""
        try:
            return cls(_env_file=env_file)  # type: ignore[call-arg]  # pydantic-settings' own argument
        except ValidationError as error:
            faults = [_fault(item["loc"], item["msg"]) for item in error.errors()]
            raise BadSettings("; ".join(faults)) from None  # the original quotes values, which may be secrets


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """The value of every secret that is set: what logs must never show."""
    values = (getattr(settings, name) for name in Settings.model_fields)
    return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))


def harden_libraries() -> None:
    """Set the switches libraries read at import; the entry point calls this before it imports any of them."""
    os.environ.update(_LIBRARY_SWITCHES)


def _fault(where: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{str(where[0]).upper()}: {text}" if where else text


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
