"""Keys and hashes: the master key and what is derived from it, passwords, tokens, fingerprints."""

import base64
import hashlib
import hmac
import os
import secrets
import tempfile
from binascii import Error as Base64Error
from contextlib import suppress
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from app.core.errors import ConfigurationError

KEY_BYTES: Final = 32
PASSWORDS: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"argon2id, 19 MiB, two passes: OWASP's first choice, about 45 ms."
_ABSENT: Final = PASSWORDS.hash(secrets.token_hex(8))


def master_key(home: Path, given: SecretStr | None = None) -> bytes:
    """The 32 bytes from TRADEWRIGHT_SECRET_KEY, else from `secret.key` in the home, made once.

    Raises ConfigurationError for a key of another length or a file that others may read.
    """
    if given is not None:
        return decode_key(given.get_secret_value(), "TRADEWRIGHT_SECRET_KEY")
    path = home / "secret.key"
    with suppress(FileExistsError):
        _create(path)
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(
            f"{path} can be read by other users of this machine.", remedy=f"chmod 600 {path}"
        )
    return decode_key(path.read_text(), str(path))


def _create(path: Path) -> None:
    """Written beside and linked into place: whoever comes second finds a whole key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        return
    descriptor, name = tempfile.mkstemp(prefix=".secret.key.", dir=path.parent)
    fresh = Path(name)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(fresh)
    finally:
        fresh.unlink()


def decode_key(text: str, place: str) -> bytes:
    """A key's bytes. Raises ConfigurationError that names `place`, never the text."""
    text = text.strip()
    for decode in (bytes.fromhex, _base64):
        with suppress(ValueError):
            if len(key := decode(text)) == KEY_BYTES:
                return key
    raise ConfigurationError(
        f"{place} must hold {KEY_BYTES} bytes in hex or base64.",
        remedy="Make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
    )


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except Base64Error as error:
        raise ValueError(str(error)) from None


def subkey(master: bytes, purpose: str, length: int = KEY_BYTES) -> bytes:
    """A key for one purpose (`journal`, `jwt`, …) by HKDF-SHA256; none tells another."""
    return HKDF(
        algorithm=SHA256(), length=length, salt=None, info=f"tradewright/{purpose}".encode()
    ).derive(master)


def hash_password(password: str) -> str:
    """The argon2id hash to store. Takes about 45 ms of a core: call it in a thread."""
    return PASSWORDS.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password fits. None (no such user) costs as long as a wrong one."""
    try:
        PASSWORDS.verify(stored or _ABSENT, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def needs_rehash(stored: str) -> bool:
    """True when the hash was made with weaker settings than today's."""
    return PASSWORDS.check_needs_rehash(stored)


def new_token(size: int = 32) -> str:
    """A random URL-safe token of `size` bytes."""
    return secrets.token_urlsafe(size)


def hash_token(token: str) -> bytes:
    """What is stored of a token. Tokens are random, so a plain SHA-256 cannot be guessed back."""
    return hashlib.sha256(token.encode()).digest()


def same(left: bytes, right: bytes) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(left, right)
