"""Names that the documents ask for exist and are what they should be."""

from collections.abc import Generator
from importlib import import_module

import pytest

from app.core.config import get_settings, settings
from app.core.errors import APIError, TradewrightError, TradingError
from app.core.retry import API_RETRY_CONFIG, retry_on_exception
from app.db.session import get_db

ASKED_FOR = [
    "app.core.config.settings",
    "app.core.errors.APIError",
    "app.core.errors.TradingError",
    "app.core.retry.API_RETRY_CONFIG",
    "app.core.retry.retry_on_exception",
    "app.db.base.Base",
    "app.db.session.SessionLocal",
    "app.db.session.get_db",
    "app.main.create_app",
    "app.repositories.unit_of_work.UnitOfWork",
    "app.risk.engine.RiskEngine",
    "app.strategies.base.Strategy",
]


@pytest.mark.parametrize("name", ASKED_FOR)
def test_a_name_that_was_asked_for_exists(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert hasattr(import_module(module), attribute)


def test_settings_are_read_once_and_shared() -> None:
    assert settings.environment is get_settings().environment
    assert get_settings() is get_settings()


def test_errors_carry_codes_and_context() -> None:
    error = APIError("no answer", api_name="alpaca", status_code=503, attempt=2)
    assert (error.api_name, error.upstream_status) == ("alpaca", 503)
    assert error.context == {"attempt": 2}
    assert issubclass(TradingError, TradewrightError)


def test_the_retry_decorator_takes_its_configuration() -> None:
    @retry_on_exception(API_RETRY_CONFIG)
    def answer() -> int:
        return 42

    assert answer() == 42


def test_get_db_gives_a_session_and_takes_it_back() -> None:
    assert isinstance(get_db(), Generator)
