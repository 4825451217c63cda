"""Settings that may be changed: checked like those of the environment, and one source decides."""

from pathlib import Path
from typing import Any

import pytest

from app.core import changed, system_config
from app.core.config import LogOptions, get_settings
from app.core.errors import InvalidInput
from app.core.retention import RetentionOptions
from app.core.sessions import SessionOptions
from app.core.system_config import OPERATIONS, current


@pytest.fixture(autouse=True)
def _nothing_stored() -> Any:
    yield
    system_config.offer({})


def unchanged(key: str) -> tuple[Any, str]:
    system_config.read_again()
    return system_config.unchanged(OPERATIONS[key].cls, OPERATIONS[key].field)


def test_every_setting_has_words_a_type_and_a_default_that_it_accepts() -> None:
    for key, operation in OPERATIONS.items():
        assert operation.description
        assert operation.variable.isupper()
        assert system_config.schema(key)["type"] in ("string", "integer", "number")
        default = system_config.default(operation)
        assert system_config.checked(key, default) == default


@pytest.mark.parametrize(
    ("key", "given", "taken"),
    [
        ("log.level", "warning", "WARNING"),
        ("retention.ticks_days", "5", 5),
        ("quality.completeness", "0.5", 0.5),
        ("rates.orders", "20/second", "20/second"),
        ("backups.time", "05:00", "05:00"),
    ],
)
def test_a_good_value_is_taken_as_its_type(key: str, given: object, taken: object) -> None:
    assert system_config.checked(key, given) == taken


@pytest.mark.parametrize(
    ("key", "given", "why"),
    [
        ("log.level", "loud", "One of DEBUG, INFO, WARNING, ERROR."),
        ("retention.ticks_days", -1, "A whole number from 0 to 36500."),
        ("retention.ticks_days", True, "A whole number from 0 to 36500."),
        ("retention.ticks_days", 5.5, "fractional part"),
        ("quality.freshness_seconds", "nan", "A number above 0, up to 3600."),
        ("rates.orders", "1/hour", "must let through 1 to 10000 a second"),
        ("rates.orders", "many", "must be like 100/second"),
        ("backups.time", "25:00", "A time of day such as 01:30."),
        ("sessions.hours", [12], "A whole number from 1 to 24."),
    ],
)
def test_a_bad_value_is_refused_with_the_reason(key: str, given: object, why: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        system_config.checked(key, given)
    assert why in str(refused.value)
    assert refused.value.field == "value"


def test_a_stored_value_goes_before_the_environment_and_that_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = "retention.ticks_days"
    assert unchanged(key) == (90, "default")
    monkeypatch.setenv("RETENTION_TICKS_DAYS", "40")
    assert unchanged(key) == (40, "environment")
    system_config.offer({key: 7})
    assert RetentionOptions().ticks_days == 7
    assert RetentionOptions().quotes_days == 30
    assert unchanged(key) == (40, "environment")
    with changed.unheard():
        assert RetentionOptions().ticks_days == 40
    system_config.offer({})
    assert RetentionOptions().ticks_days == 40


def test_a_file_of_the_environment_is_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "SESSION_HOURS").write_text("8")
    monkeypatch.setenv("TRADEWRIGHT_SECRETS_DIR", str(tmp_path))
    assert unchanged("sessions.hours") == (8, "environment")


@pytest.mark.parametrize(
    ("environment", "level"), [("development", "DEBUG"), ("production", "INFO")]
)
def test_the_profile_decides_where_nobody_says_anything(
    monkeypatch: pytest.MonkeyPatch, environment: str, level: str
) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    get_settings.cache_clear()
    assert unchanged("log.level") == (level, "profile")
    assert system_config.default(OPERATIONS["log.level"]) == level
    assert system_config.value(OPERATIONS["log.level"]) == level
    system_config.offer({"log.level": "ERROR"})
    assert system_config.value(OPERATIONS["log.level"]) == "ERROR"
    assert LogOptions().level == "ERROR"


def test_what_is_stored_and_cannot_be_used_any_more_is_left_out_with_the_reason() -> None:
    refused = system_config.offer({"sessions.hours": 99, "sessions.idle_minutes": 10})
    assert ["sessions.hours cannot be 99" in one for one in refused] == [True]
    assert current(SessionOptions).hours == 12
    assert current(SessionOptions).idle_minutes == 10


def test_current_settings_are_made_once_a_change() -> None:
    first = current(SessionOptions)
    assert current(SessionOptions) is first
    system_config.offer({"sessions.hours": 3})
    assert current(SessionOptions).hours == 3
