"""Secrets at rest: which key seals, which opens, and what a rotation leaves."""

import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.core.errors import ConfigurationError
from app.core.vault import FILE, Vault, add_key, key_id, open_vault

OLD, NEW = b"o" * 32, b"n" * 32


@dataclass
class Given:
    secret_key: SecretStr | None = None
    vault_keys: SecretStr | None = None


def test_what_was_sealed_opens_and_is_not_readable_before() -> None:
    vault = Vault([OLD])
    name, token = vault.seal(b"broker key")
    assert b"broker" not in token
    assert name == key_id(OLD) == vault.key_id
    assert vault.open(name, token) == b"broker key"


def test_a_value_may_hold_any_bytes() -> None:
    vault = Vault([OLD])
    assert vault.open(*vault.seal(b"\x00a\x00", "x"), "x") == b"\x00a\x00"


def test_the_newest_key_seals_and_the_old_one_still_opens() -> None:
    before = Vault([OLD]).seal(b"kept")
    after = Vault([NEW, OLD])
    assert after.seal(b"")[0] == key_id(NEW)
    assert after.key_ids == (key_id(NEW), key_id(OLD))
    assert after.open(*before) == b"kept"


def test_a_missing_key_is_named_with_the_remedy() -> None:
    sealed = Vault([OLD]).seal(b"x")
    with pytest.raises(ConfigurationError, match=f"under the key {key_id(OLD)}.*Bring back"):
        Vault([NEW]).open(*sealed)


def test_a_changed_token_is_refused() -> None:
    name, token = Vault([OLD]).seal(b"x")
    with pytest.raises(ConfigurationError, match="was changed"):
        Vault([OLD]).open(name, token[:-3] + b"AA=")


def test_a_token_moved_to_another_row_is_refused() -> None:
    sealed = Vault([OLD]).seal(b"x", about="alpaca/api_key")
    with pytest.raises(ConfigurationError, match="belongs elsewhere"):
        Vault([OLD]).open(*sealed, about="ibkr/password")


def test_a_vault_without_keys_cannot_be_made() -> None:
    with pytest.raises(ConfigurationError, match="no key"):
        Vault([])


def test_a_process_that_began_before_a_rotation_opens_what_was_sealed_after_it(
    tmp_path: Path,
) -> None:
    early = open_vault(tmp_path, Given())
    first = early.seal(b"before")
    fresh = add_key(tmp_path, None)
    late = open_vault(tmp_path, Given())
    assert late.key_id == fresh != early.key_id
    assert early.open(*late.seal(b"after")) == b"after"
    assert late.open(*first) == b"before"
    early.refresh()
    assert early.key_id == fresh


def test_every_rotation_keeps_the_keys_before_it(tmp_path: Path) -> None:
    names = [add_key(tmp_path, None) for _ in range(3)]
    assert list(open_vault(tmp_path, Given()).key_ids[:3]) == names[::-1]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_given_keys_come_before_the_file_and_cannot_be_rotated_here(tmp_path: Path) -> None:
    add_key(tmp_path, None)
    given = SecretStr(f"{NEW.hex()}, {OLD.hex()}")
    vault = open_vault(tmp_path, Given(vault_keys=given))
    assert vault.key_ids[:2] == (key_id(NEW), key_id(OLD))
    with pytest.raises(ConfigurationError, match="TRADEWRIGHT_VAULT_KEYS"):
        add_key(tmp_path, given)


def test_a_key_of_another_length_is_refused_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="TRADEWRIGHT_VAULT_KEYS must hold 32 bytes") as e:
        open_vault(tmp_path, Given(vault_keys=SecretStr("short-canary")))
    assert "canary" not in str(e.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    add_key(tmp_path, None)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        open_vault(tmp_path, Given())
