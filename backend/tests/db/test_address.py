"""Every command finds the database and Redis: as set, else as the running `up` says."""

import os
from pathlib import Path

import pytest

from app.core.config import get_settings
from app.core.errors import ConfigurationError
from app.db import home as home_folder
from app.db.address import database_url, redis_url


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    get_settings.cache_clear()
    return tmp_path


def test_the_settings_come_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/d")
    monkeypatch.setenv("REDIS_URL", "redis://h/0")
    get_settings.cache_clear()
    assert (database_url(), redis_url()) == ("postgresql://h/d", "redis://h/0")


def test_a_running_up_is_found(home: Path) -> None:
    with home_folder.held(home, "a test"):
        home_folder.publish(
            home,
            home_folder.Servers(
                pid=os.getpid(), database_url="postgresql://x/y", redis_url="redis://x/1"
            ),
        )
        assert (database_url(), redis_url()) == ("postgresql://x/y", "redis://x/1")


def test_nothing_set_and_nothing_running_is_said(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="tradewright up"):
        database_url()
    with pytest.raises(ConfigurationError, match="tradewright up"):
        redis_url()
