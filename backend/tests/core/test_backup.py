"""Settings of backups."""

from pathlib import Path

import pytest

from app.core.backup import BackupOptions
from app.core.errors import ConfigurationError


def test_the_folder_is_in_the_home_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert BackupOptions().place(tmp_path) == tmp_path / "backups"
    monkeypatch.setenv("BACKUP_DIR", str(tmp_path / "other"))
    assert BackupOptions().place(tmp_path) == tmp_path / "other"


def test_a_key_that_can_be_guessed_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BACKUP_KEY", "too short")
    with pytest.raises(ConfigurationError, match="at least 16 characters") as refused:
        BackupOptions()
    assert "too short" not in str(refused.value)
    monkeypatch.setenv("BACKUP_KEY", "long enough for anybody")
    key = BackupOptions().key
    assert key
    assert "long enough" not in repr(key)


def test_the_key_may_be_a_file_as_docker_secrets_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "BACKUP_KEY").write_text("a key from a file, long enough\n")
    monkeypatch.setenv("TRADEWRIGHT_SECRETS_DIR", str(tmp_path))
    key = BackupOptions().key
    assert key
    assert key.get_secret_value() == "a key from a file, long enough"
