"""Settings load from where they should, and what is wrong is said by the variable's name."""

import re
from pathlib import Path

import pytest

from app.adapters.clients.alpaca import AlpacaOptions
from app.adapters.clients.databento import DatabentoOptions
from app.adapters.clients.ibkr_options import IbkrOptions
from app.core import env_example
from app.core.config import (
    ApiOptions,
    DatabaseOptions,
    Environment,
    LogLevel,
    LogOptions,
    RedisOptions,
    get_settings,
    settings,
    with_driver,
)
from app.core.environment import project_root
from app.core.errors import ConfigurationError

NAMED_IN_REQUIREMENTS = [
    "DATABASE_URL",
    "DB_URL",
    "REDIS_URL",
    "LOG_LEVEL",
    "LOG_DIR",
    "ENVIRONMENT",
    "API_PORT",
    "CORS_ORIGINS",
    "AWS_REGION",
    "AWS_ACCOUNT_ID",
    "ECS_CLUSTER_NAME",
    "DATABENTO_API_KEY",
    "DATABENTO_DATASET",
    "DATABENTO_SYMBOLS",
    "TWELVE_DATA_API_KEY",
    "IBKR_USERNAME",
    "IBKR_PASSWORD",
    "IBKR_CLIENT",
    "ALPACA_API_KEY",
    "ALPACA_SECRET_KEY",
    "QUIVER_API_KEY",
    "TRADEWRIGHT_HOME",
]

Env = pytest.MonkeyPatch


def test_defaults_need_nothing() -> None:
    assert settings.environment is Environment.DEVELOPMENT
    assert (settings.api.host, settings.api.port, settings.api.cors_origins) == (
        "127.0.0.1",
        8000,
        (),
    )
    assert not settings.database.is_given
    assert settings.log_dir == settings.home / "logs"


@pytest.mark.parametrize(
    ("environment", "level"), [("development", LogLevel.DEBUG), ("production", LogLevel.INFO)]
)
def test_the_profile_decides_the_log_level(
    monkeypatch: Env, environment: str, level: LogLevel
) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    assert settings.log_level is level
    assert settings.profile.console_is_json is (environment == "production")


def test_a_log_level_that_is_set_stands(monkeypatch: Env) -> None:
    monkeypatch.setenv("LOG_LEVEL", "info")
    assert settings.log_level is LogLevel.INFO


def test_an_empty_variable_counts_as_unset(monkeypatch: Env) -> None:
    for name in ("API_PORT", "DATABASE_URL", "LOG_LEVEL", "DATABENTO_SYMBOLS", "TRADEWRIGHT_HOME"):
        monkeypatch.setenv(name, "")
    assert settings.api.port == 8000
    assert not settings.database.is_given
    assert len(DatabentoOptions().symbols) == 9


def test_db_url_is_an_alias_and_database_url_wins(monkeypatch: Env) -> None:
    monkeypatch.setenv("DB_URL", "postgresql://old/one")
    assert DatabaseOptions().url == "postgresql://old/one"
    monkeypatch.setenv("DATABASE_URL", "postgresql://new/two")
    assert DatabaseOptions().url == "postgresql://new/two"


@pytest.mark.parametrize(
    "given", ["postgresql://u:p@h/d", "postgres://u:p@h/d", "postgresql+psycopg2://u:p@h/d"]
)
def test_every_spelling_of_an_address_gives_both_drivers(given: str) -> None:
    database = DatabaseOptions(DATABASE_URL=given)
    assert database.url == "postgresql://u:p@h/d"
    assert database.async_url == "postgresql+asyncpg://u:p@h/d"
    assert database.sync_url == "postgresql+psycopg2://u:p@h/d"


def test_asyncpg_is_told_of_tls_in_its_own_word() -> None:
    url = "postgresql://h/d?sslmode=require&application_name=x"
    assert with_driver(url, "asyncpg").endswith("?ssl=require&application_name=x")
    assert with_driver(url, "psycopg2").endswith("?sslmode=require&application_name=x")


def test_an_address_that_is_missing_says_how_to_get_one() -> None:
    with pytest.raises(ConfigurationError, match=r"DATABASE_URL is not set.*tradewright up"):
        _ = DatabaseOptions().url
    with pytest.raises(ConfigurationError, match=r"REDIS_URL is not set.*tradewright up"):
        _ = RedisOptions().url


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("API_PORT", "eighty", "API_PORT: .*valid integer"),
        ("API_PORT", "70000", "API_PORT: .*65535"),
        ("CORS_ORIGINS", "https://a.example, *", "CORS_ORIGINS: '\\*' is not an origin"),
        ("CORS_ORIGINS", "https://a.example/path", "CORS_ORIGINS: "),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL: "),
        ("ENVIRONMENT", "staging", "ENVIRONMENT: .*'development' or 'production'"),
        ("DATABASE_URL", "mysql://u:canary@h/d", "DATABASE_URL: must begin with postgresql://"),
        ("REDIS_URL", "http://canary", "REDIS_URL: must begin with redis://"),
        ("TRADEWRIGHT_REPLAY_SPEED", "-1", "TRADEWRIGHT_REPLAY_SPEED: "),
    ],
)
def test_a_wrong_value_is_named_and_not_shown(
    monkeypatch: Env, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said) as caught:
        get_settings()
    assert "canary" not in str(caught.value)


def test_cors_origins_are_a_comma_separated_list(monkeypatch: Env) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, http://localhost:5173")
    assert ApiOptions().cors_origins == ("https://a.example", "http://localhost:5173")


def test_the_environment_wins_over_the_file_and_the_file_over_secrets(
    monkeypatch: Env, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("API_PORT=8001\nAPI_HOST=127.0.0.2\nLOG_LEVEL=\n")
    (tmp_path / "api_host").write_text("127.0.0.3")
    (tmp_path / "log_level").write_text("ERROR\n")
    monkeypatch.setenv("TRADEWRIGHT_ENV_FILE", str(tmp_path / ".env"))
    monkeypatch.setenv("TRADEWRIGHT_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("API_PORT", "8002")
    assert (settings.api.port, settings.api.host) == (8002, "127.0.0.2")
    assert LogOptions().level is LogLevel.ERROR


def test_an_empty_secret_file_counts_as_unset(monkeypatch: Env, tmp_path: Path) -> None:
    (tmp_path / "alpaca_api_key").write_text("")
    monkeypatch.setenv("TRADEWRIGHT_SECRETS_DIR", str(tmp_path))
    assert AlpacaOptions().api_key is None


def test_a_missing_key_matters_only_when_it_is_needed() -> None:
    options = AlpacaOptions()
    assert options.missing() == ["ALPACA_API_KEY", "ALPACA_SECRET_KEY"]
    with pytest.raises(ConfigurationError) as caught:
        options.require("api_key", "secret_key")
    assert re.search(r"ALPACA_API_KEY is not set.*Get it at https://", str(caught.value))
    assert caught.value.context["variable"] == "ALPACA_API_KEY"


def test_a_key_that_is_there_is_enough(monkeypatch: Env) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", "canary-key")
    options = AlpacaOptions().require("api_key")
    assert "canary" not in repr(options)


def test_the_broker_client_is_one_of_two(monkeypatch: Env) -> None:
    assert IbkrOptions().client == "ib_async"
    monkeypatch.setenv("IBKR_CLIENT", "ib_sync")
    with pytest.raises(ConfigurationError, match=r"IBKR_CLIENT: .*'ib_async' or 'ib_insync'"):
        IbkrOptions()


def test_env_example_says_what_the_settings_say() -> None:
    assert env_example.is_current(project_root() / ".env.example"), (
        "run `python -m app.core.env_example > .env.example`"
    )


@pytest.mark.parametrize("name", NAMED_IN_REQUIREMENTS)
def test_env_example_has_every_variable_asked_for(name: str) -> None:
    assert re.search(rf"^{name}=", env_example.document(), re.MULTILINE)


def test_env_example_is_itself_a_valid_file(monkeypatch: Env, tmp_path: Path) -> None:
    file = tmp_path / "example"
    file.write_text(env_example.document())
    monkeypatch.setenv("TRADEWRIGHT_ENV_FILE", str(file))
    defaults = {cls: cls() for cls in env_example.option_classes()}
    monkeypatch.setenv("TRADEWRIGHT_ENV_FILE", "/dev/null")
    assert defaults == {cls: cls() for cls in env_example.option_classes()}
