"""Codes of authenticator apps (TOTP, RFC 6238), and the recovery codes that stand in for them."""

import base64
import secrets
from datetime import datetime
from typing import Final

import pyotp
from pyotp.utils import strings_equal

STEP_SECONDS: Final = 30
_ISSUER: Final = "Tradewright"
_AROUND: Final = (0, -1, 1)
"Steps around now that count: clocks of telephones are not ours."
RECOVERY_CODES: Final = 10
_RECOVERY_BYTES: Final = 15
_GROUP: Final = 4


def new_secret() -> str:
    """160 random bits in base32, as apps want them."""
    return pyotp.random_base32(32)


def address(secret: str, email: str) -> str:
    """`otpauth://…`, which an app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER)


def step_of(secret: str, code: str, at: datetime) -> int | None:
    """The 30 s step that `code` belongs to, of the one at `at` and its neighbours; else None."""
    totp = pyotp.TOTP(secret)
    now = int(at.timestamp()) // STEP_SECONDS
    plain = code.replace(" ", "")
    matches = [
        now + shift for shift in _AROUND if strings_equal(totp.generate_otp(now + shift), plain)
    ]
    return matches[0] if matches else None


def new_recovery_codes() -> list[str]:
    """Codes of 120 random bits, in groups that a person can copy."""
    return [_grouped(secrets.token_bytes(_RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]


def normal(code: str) -> str:
    """A recovery code as it was typed -> as it is hashed: case, spaces and dashes do not matter."""
    return "".join(character for character in code.lower() if character.isalnum())


def is_recovery(code: str) -> bool:
    """Whether a code has the form of a recovery code rather than of an app's six digits."""
    return len(normal(code)) == _RECOVERY_BYTES * 8 // 5


def _grouped(value: bytes) -> str:
    text = base64.b32encode(value).decode().lower()
    return "-".join(text[first : first + _GROUP] for first in range(0, len(text), _GROUP))
