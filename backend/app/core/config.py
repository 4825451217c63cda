"""Every setting of the platform itself, in groups; adapters keep their own options."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.core.environment import home
from app.core.errors import ConfigurationError
from app.core.options import Options

NINE_SYMBOLS: Final = ("AAPL", "GOOGL", "AMZN", "MSFT", "NVDA", "META", "AVGO", "SPY", "QQQ")
"The symbols that a fresh platform watches."


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Profile(NamedTuple):
    """What ENVIRONMENT decides where nothing else is said."""

    log_level: LogLevel
    console_is_json: bool
    has_public_docs: bool
    "Whether /docs and /openapi.json are for anybody, or for who is signed in."


PROFILES: Final = {
    Environment.DEVELOPMENT: Profile(LogLevel.DEBUG, console_is_json=False, has_public_docs=True),
    Environment.PRODUCTION: Profile(LogLevel.INFO, console_is_json=True, has_public_docs=False),
}


def split_list(value: object) -> object:
    """`a, b` as a tuple; anything that is not text passes."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


class AppOptions(Options):
    """The program as a whole."""

    environment: Environment = Field(
        default=Environment.DEVELOPMENT,
        validation_alias="ENVIRONMENT",
        description="development (DEBUG, readable console, /docs for anybody) or production (INFO,"
        " JSON, /docs for who is signed in)",
    )
    home: Path = Field(
        default_factory=home,
        validation_alias="TRADEWRIGHT_HOME",
        description="Folder of the embedded database, logs and keys, 0700;"
        " default .tradewright in the project's root",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        validation_alias="TRADEWRIGHT_SECRET_KEY",
        description="Master key, 32 bytes in hex or base64;"
        " unset: the file secret.key in TRADEWRIGHT_HOME, made at the first start",
    )
    vault_keys: SecretStr | None = Field(
        default=None,
        validation_alias="TRADEWRIGHT_VAULT_KEYS",
        description="Comma-separated keys that stored secrets are sealed under, the newest first,"
        " like TRADEWRIGHT_SECRET_KEY; unset: the file vault.keys in TRADEWRIGHT_HOME, which"
        " `secrets rotate` writes, else the master key",
    )
    live_trading: bool = Field(
        default=False,
        validation_alias="TRADEWRIGHT_LIVE_TRADING",
        description="Whether accounts with real money may trade; each must also be armed by a"
        " person (`accounts arm`)",
    )
    secrets_dir: Path = Field(
        default=Path("/run/secrets"),
        validation_alias="TRADEWRIGHT_SECRETS_DIR",
        description="Folder with one file a variable, as Docker secrets are (set it in the"
        " environment, not in .env)",
    )
    replay: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("TRADEWRIGHT_REPLAY", "REPLAY"),
        description="File or folder of bars to trade on paper instead of the simulator;"
        " REPLAY is an alias",
    )
    replay_speed: float = Field(
        default=60.0,
        ge=0,
        validation_alias="TRADEWRIGHT_REPLAY_SPEED",
        description="How many times faster than the clock replayed and simulated bars pass;"
        " 0: as fast as possible",
    )
    replay_symbols: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        validation_alias="TRADEWRIGHT_REPLAY_SYMBOLS",
        description="Comma-separated symbols of the replay to trade; empty: the largest group of"
        " files whose bars share their time",
    )

    @field_validator("replay_symbols", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split_list(value)

    @field_validator("home", "replay", mode="after")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path else None


class DatabaseOptions(Options):
    """PostgreSQL; unset means the embedded server."""

    address: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "DB_URL"),
        description="postgresql://user:password@host:5432/name; DB_URL is an alias;"
        " unset: PostgreSQL is started in TRADEWRIGHT_HOME",
    )
    pool_size: int = Field(
        default=10,
        ge=1,
        le=200,
        validation_alias="DATABASE_POOL_SIZE",
        description="Connections a process",
    )

    @field_validator("address", mode="after")
    @classmethod
    def _is_postgresql(cls, address: SecretStr | None) -> SecretStr | None:
        if address and not re.match(r"postgres(ql)?(\+\w+)?://", address.get_secret_value()):
            raise ValueError("must begin with postgresql:// (PostgreSQL is the only database)")
        return address

    @property
    def is_given(self) -> bool:
        return self.address is not None

    @property
    def url(self) -> str:
        """Bare `postgresql://…`, as psql takes it. Raises ConfigurationError when not given."""
        if self.address is None:
            raise ConfigurationError(
                "DATABASE_URL is not set, and no embedded database is running.",
                remedy="Start one with `tradewright up`, or set DATABASE_URL in .env.",
            )
        return bare_url(self.address.get_secret_value())

    @property
    def async_url(self) -> str:
        """For SQLAlchemy's async engine."""
        return with_driver(self.url, "asyncpg")

    @property
    def sync_url(self) -> str:
        """For SQLAlchemy's synchronous engine and Alembic."""
        return with_driver(self.url, "psycopg2")


def bare_url(url: str) -> str:
    """Any PostgreSQL address as `postgresql://…`, without a driver."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


def with_driver(url: str, driver: str) -> str:
    """A PostgreSQL address for SQLAlchemy with `asyncpg` or `psycopg2`.

    asyncpg's dialect knows libpq's `sslmode` by the name `ssl`.
    """
    parts = urlsplit(bare_url(url))
    query = parts.query
    if driver == "asyncpg" and "sslmode=" in query:
        renamed = {"sslmode": "ssl"}
        query = urlencode([(renamed.get(key, key), value) for key, value in parse_qsl(query)])
    return urlunsplit((f"postgresql+{driver}", *parts[1:3], query, parts.fragment))


class RedisOptions(Options):
    """Redis or Valkey; unset means the embedded server."""

    address: SecretStr | None = Field(
        default=None,
        validation_alias="REDIS_URL",
        description="redis://host:6379/0; unset: Valkey or Redis is started in TRADEWRIGHT_HOME",
    )

    @field_validator("address", mode="after")
    @classmethod
    def _is_redis(cls, address: SecretStr | None) -> SecretStr | None:
        if address and not re.match(r"(rediss?|valkeys?|unix)://", address.get_secret_value()):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return address

    @property
    def is_given(self) -> bool:
        return self.address is not None

    @property
    def url(self) -> str:
        """Raises ConfigurationError when not given."""
        if self.address is None:
            raise ConfigurationError(
                "REDIS_URL is not set, and no embedded Redis is running.",
                remedy="Start one with `tradewright up`, or set REDIS_URL in .env.",
            )
        return re.sub(r"^valkey", "redis", self.address.get_secret_value())


class CacheOptions(Options):
    """What Redis remembers of the market, and for how long."""

    quote_seconds: int = Field(
        default=86_400,
        ge=1,
        validation_alias="CACHE_QUOTE_SECONDS",
        description="How long a last price is remembered",
    )
    bars_seconds: int = Field(
        default=60,
        ge=1,
        validation_alias="CACHE_BARS_SECONDS",
        description="How long recent bars are remembered that no feed keeps fresh",
    )
    chain_seconds: int = Field(
        default=60,
        ge=1,
        validation_alias="CACHE_CHAIN_SECONDS",
        description="How long an option chain is remembered",
    )
    signal_seconds: int = Field(
        default=60,
        ge=1,
        validation_alias="CACHE_SIGNAL_SECONDS",
        description="How long the last signal of a symbol is remembered",
    )
    bars: int = Field(
        default=1_000,
        ge=0,
        le=50_000,
        validation_alias="CACHE_BARS",
        description="Newest bars remembered a symbol and timeframe; longer reads ask PostgreSQL",
    )
    persist_seconds: float = Field(
        default=5.0,
        ge=0.1,
        validation_alias="CACHE_PERSIST_SECONDS",
        description="How often changed prices are written to market_data_cache, which fills an"
        " empty Redis",
    )


class ApiOptions(Options):
    """The HTTP server."""

    host: str = Field(
        default="127.0.0.1", validation_alias="API_HOST", description="Address to listen on"
    )
    port: int = Field(
        default=8000, ge=1, le=65535, validation_alias="API_PORT", description="Port to listen on"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        validation_alias="CORS_ORIGINS",
        description="Comma-separated origins that may call the API from a browser;"
        " empty: same origin only",
    )
    hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        validation_alias="API_HOSTS",
        description="Comma-separated host names, besides localhost, under which it is reached;"
        " needed when API_HOST is not loopback",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        validation_alias="API_TRUSTED_PROXIES",
        description="Comma-separated addresses or networks of proxies whose X-Forwarded-For and"
        " X-Forwarded-Proto are believed",
    )
    max_upload_mb: int = Field(
        default=2048,
        ge=1,
        validation_alias="API_MAX_UPLOAD_MB",
        description="Largest file of market data that can be uploaded, in MiB",
    )
    public_docs: bool | None = Field(
        default=None,
        validation_alias="API_PUBLIC_DOCS",
        description="Whether /docs and /openapi.json are for anybody, not only for who is signed"
        " in; unset: in development",
    )
    tls_certificate: Path | None = Field(
        default=None, validation_alias="API_TLS_CERTIFICATE", description="PEM file, to serve TLS"
    )
    tls_key: Path | None = Field(
        default=None, validation_alias="API_TLS_KEY", description="PEM file of its private key"
    )

    @field_validator("cors_origins", "hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split_list(value)

    @field_validator("cors_origins", mode="after")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not re.fullmatch(r"https?://[^/\s*]+", origin):
                raise ValueError(
                    f"{origin!r} is not an origin; write scheme and host, as https://host:port,"
                    " without a path (a wildcard is refused)"
                )
        return origins

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise ValueError(
                    f"{network!r} is no address or network; write 10.0.0.7 or 172.16.0.0/12"
                ) from None
        return networks

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def url(self) -> str:
        """Where a person on this machine finds it."""
        wildcards = ("0.0.0.0", "::", "localhost")
        host = "127.0.0.1" if self.host in wildcards else self.host
        return f"{'https' if self.tls_certificate else 'http'}://{host}:{self.port}"


class LogOptions(Options):
    """Log files and their levels."""

    level: LogLevel | None = Field(
        default=None,
        validation_alias="LOG_LEVEL",
        description="DEBUG, INFO, WARNING or ERROR; unset: DEBUG in development, else INFO",
    )
    folder: Path | None = Field(
        default=None,
        validation_alias="LOG_DIR",
        description="Folder of the log files; unset: logs in TRADEWRIGHT_HOME",
    )
    retention_days: int = Field(
        default=30, ge=1, validation_alias="LOG_RETENTION_DAYS", description="Daily files kept"
    )

    @field_validator("level", mode="before")
    @classmethod
    def _upper(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level


class AwsOptions(Options):
    """Where the cloud deployment lives; read by the scripts under infrastructure/."""

    region: str = Field(
        default="us-east-1", validation_alias="AWS_REGION", description="AWS region"
    )
    account_id: str | None = Field(
        default=None,
        validation_alias="AWS_ACCOUNT_ID",
        description="Twelve digits",
        json_schema_extra={"where": "https://console.aws.amazon.com (top right corner)"},
    )
    ecs_cluster_name: str = Field(
        default="trading-cluster", validation_alias="ECS_CLUSTER_NAME", description="ECS cluster"
    )

    model_config = SettingsConfigDict(coerce_numbers_to_str=True)


@dataclass(frozen=True)
class Settings:
    """All groups, read together once: `settings.database.url`, `settings.api.port`, …"""

    app: AppOptions = field(default_factory=AppOptions)
    database: DatabaseOptions = field(default_factory=DatabaseOptions)
    redis: RedisOptions = field(default_factory=RedisOptions)
    cache: CacheOptions = field(default_factory=CacheOptions)
    api: ApiOptions = field(default_factory=ApiOptions)
    log: LogOptions = field(default_factory=LogOptions)
    aws: AwsOptions = field(default_factory=AwsOptions)

    @property
    def environment(self) -> Environment:
        return self.app.environment

    @property
    def profile(self) -> Profile:
        return PROFILES[self.app.environment]

    @property
    def home(self) -> Path:
        return self.app.home

    @property
    def log_level(self) -> LogLevel:
        return self.log.level or self.profile.log_level

    @property
    def has_public_docs(self) -> bool:
        said = self.api.public_docs
        return self.profile.has_public_docs if said is None else said

    @property
    def log_dir(self) -> Path:
        return self.log.folder or self.home / "logs"


@cache
def get_settings() -> Settings:
    """The settings of this process, read once. Raises ConfigurationError for a wrong value."""
    return Settings()


class _Lazy:
    """Reads the settings at the first use, so that importing this module cannot fail."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - stands for any setting
        return getattr(get_settings(), name)


settings = cast(Settings, _Lazy())
