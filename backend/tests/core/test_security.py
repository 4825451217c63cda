"""Keys stay private and whole; passwords and tokens are stored so that nobody gets them back."""

import base64
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.core import security
from app.core.errors import ConfigurationError

KEY = bytes(range(32))


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = security.master_key(home)
    assert len(first) == 32
    assert security.master_key(home) == first
    assert (home / "secret.key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in home.iterdir()] == ["secret.key"]


def test_programs_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(security.master_key(tmp_path)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    "text", [KEY.hex(), base64.b64encode(KEY).decode(), base64.urlsafe_b64encode(KEY).decode()]
)
def test_a_given_key_may_be_hex_or_base64(tmp_path: Path, text: str) -> None:
    assert security.master_key(tmp_path, SecretStr(f" {text}\n")) == KEY
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["short", "00" * 31, "!" * 44, ""])
def test_a_key_of_another_length_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"TRADEWRIGHT_SECRET_KEY must hold 32 bytes") as e:
        security.master_key(tmp_path, SecretStr(text))
    assert not text or text not in str(e.value)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    security.master_key(tmp_path)
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"can be read by other users.*chmod 600"):
        security.master_key(tmp_path)


def test_subkeys_differ_by_purpose_and_repeat() -> None:
    assert security.subkey(KEY, "journal") == security.subkey(KEY, "journal")
    assert security.subkey(KEY, "journal") != security.subkey(KEY, "jwt")
    assert len(security.subkey(KEY, "jwt", 64)) == 64


def test_a_password_is_verified_and_never_stored() -> None:
    stored = security.hash_password("correct horse battery")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert security.verify_password(stored, "correct horse battery")
    assert not security.verify_password(stored, "correct horse batterY")
    assert not security.needs_rehash(stored)


def test_an_unknown_user_or_a_broken_hash_never_verifies() -> None:
    assert not security.verify_password(None, "anything")
    assert not security.verify_password("not a hash", "anything")


def test_a_token_is_stored_as_its_hash() -> None:
    token = security.new_token()
    assert len(token) >= 43
    assert token != security.new_token()
    assert security.same(security.hash_token(token), security.hash_token(token))
    assert not security.same(security.hash_token(token), security.hash_token(token + "x"))
