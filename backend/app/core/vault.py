"""Secrets at rest: sealed under the newest of several keys, opened under whichever sealed them."""

import fcntl
import hashlib
import os
import secrets
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from app.core.errors import ConfigurationError
from app.core.security import KEY_BYTES, decode_key, master_key, subkey

FILE: Final = "vault.keys"
"In the home, 0600: a key a line, the newest first. Absent: the only key is the master key's."
VARIABLE: Final = "TRADEWRIGHT_VAULT_KEYS"
_ID_CHARACTERS: Final = 12
_MARK: Final = b"\x00"


class AppSettings(Protocol):
    """The two settings that keys may come from."""

    @property
    def secret_key(self) -> SecretStr | None:
        """The master key, if it is given."""

    @property
    def vault_keys(self) -> SecretStr | None:
        """The vault's keys, if they are given."""


class Vault:
    """Seals and opens under MultiFernet. `keys` are 32 bytes each, the newest first.

    `reload` gives the keys anew: another process may have rotated since this one began.
    """

    def __init__(
        self, keys: Sequence[bytes], reload: Callable[[], Sequence[bytes]] | None = None
    ) -> None:
        if not keys:
            raise ConfigurationError("The vault has no key.", remedy=f"Set {VARIABLE}.")
        self._reload = reload
        self._use(keys)

    def _use(self, keys: Sequence[bytes]) -> None:
        self._fernets = {key_id(key): Fernet(_fernet_key(key)) for key in keys}
        self._newest = next(iter(self._fernets))
        self._every = MultiFernet(list(self._fernets.values()))

    @property
    def key_id(self) -> str:
        """The key that seals from now on."""
        return self._newest

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Every key that is there, the newest first."""
        return tuple(self._fernets)

    def refresh(self) -> None:
        """Read the keys anew, if there is where from."""
        if self._reload is not None:
            self._use(self._reload())

    def seal(self, value: bytes, about: str = "") -> tuple[str, bytes]:
        """Key id and token. `about` says whose secret it is; only who says the same can open it."""
        return self._newest, self._every.encrypt(about.encode() + _MARK + value)

    def open(self, key_id: str, token: bytes, about: str = "") -> bytes:
        """The value. Raises ConfigurationError when the key is gone or the token was tampered with.

        A token that was moved to another row has another `about` and is refused.
        """
        said, mark, value = self._opened(key_id, token).partition(_MARK)
        if not mark or said != about.encode():
            raise _damaged(key_id)
        return value

    def renew(self, key_id: str, token: bytes) -> tuple[str, bytes]:
        """The same value, for the same owner, sealed under the newest key. Raises as `open`."""
        return self._newest, self._every.encrypt(self._opened(key_id, token))

    def _opened(self, key_id: str, token: bytes) -> bytes:
        if key_id not in self._fernets:
            self.refresh()
        if key_id not in self._fernets:
            raise ConfigurationError(
                f"A secret is sealed under the key {key_id}, which is not here.",
                remedy=f"Bring back that key: {FILE} in TRADEWRIGHT_HOME, {VARIABLE}, or"
                " the master key of the machine that sealed it.",
            )
        try:
            return self._fernets[key_id].decrypt(token)
        except InvalidToken:
            raise _damaged(key_id) from None


def open_vault(home: Path, app: AppSettings) -> Vault:
    """The vault of an installation: keys from the setting, else the file, then the master key's.

    That one is always the last, so that what was sealed before the first rotation opens.
    """

    def keys() -> list[bytes]:
        master = master_key(home, app.secret_key)
        return [*_given_keys(home, app.vault_keys), subkey(master, "vault")]

    return Vault(keys(), keys)


def add_key(home: Path, given: SecretStr | None) -> str:
    """Put a new key first in the file of keys; returns its id. It seals from now on.

    Raises ConfigurationError when the keys come from the setting: only its owner can change that.
    """
    if given is not None:
        raise ConfigurationError(
            f"The keys come from {VARIABLE}, which this program cannot change.",
            remedy="Put a new key first in it, restart, then: tradewright secrets rotate --resume",
        )
    path = home / FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / f".{FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = path.read_text() if path.exists() else ""
        fresh = secrets.token_hex(KEY_BYTES)
        _replace(path, f"{fresh}\n{before}")
    return key_id(bytes.fromhex(fresh))


def key_id(key: bytes) -> str:
    """What a row says of its key: enough to find it, nothing to guess it by."""
    return hashlib.sha256(subkey(key, "vault-id")).hexdigest()[:_ID_CHARACTERS]


def _fernet_key(key: bytes) -> bytes:
    return urlsafe_b64encode(subkey(key, "vault-fernet"))


def _given_keys(home: Path, given: SecretStr | None) -> list[bytes]:
    if given is not None:
        text, place = given.get_secret_value().replace(",", "\n"), VARIABLE
    else:
        path = home / FILE
        if not path.exists():
            return []
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(
                f"{path} can be read by other users of this machine.", remedy=f"chmod 600 {path}"
            )
        text, place = path.read_text(), str(path)
    return [decode_key(line, place) for line in text.splitlines() if line.strip()]


def _replace(path: Path, text: str) -> None:
    """Written beside and moved into place: a crash leaves the old keys or the new ones."""
    descriptor, name = tempfile.mkstemp(prefix=f".{FILE}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _damaged(key_id: str) -> ConfigurationError:
    return ConfigurationError(
        f"A secret sealed under the key {key_id} does not open: it was changed, or belongs"
        " elsewhere.",
        remedy="Set it again with: tradewright secrets set",
    )
