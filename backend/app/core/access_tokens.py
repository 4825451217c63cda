"""Access tokens: JWT, ten minutes, one algorithm, nothing in them that is a secret."""

import hashlib
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import jwt
import msgspec

from app.core.errors import Unauthenticated

LIFETIME: Final = timedelta(minutes=10)
_ALGORITHM: Final = "HS256"
_ISSUER: Final = "tradewright"
_AUDIENCE: Final = "tradewright-api"
_REQUIRED: Final = ["iss", "aud", "sub", "iat", "exp", "jti", "family"]


class Claims(msgspec.Struct, frozen=True):
    """Whom a token speaks for, and the sign-in that it belongs to."""

    user_id: int
    family: UUID


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"kid" + key).hexdigest()[:16]


def issue(key: bytes, claims: Claims, now: datetime) -> str:
    """A signed token, good from `now` for LIFETIME."""
    payload = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": str(claims.user_id),
        "family": str(claims.family),
        "iat": now,
        "exp": now + LIFETIME,
        "jti": uuid4().hex,
    }
    return jwt.encode(payload, key, algorithm=_ALGORITHM, headers={"kid": _key_id(key)})


def verify(key: bytes, token: str, now: datetime) -> Claims:
    """What a token says. Raises Unauthenticated for anything that we did not sign, or too old."""
    try:
        if jwt.get_unverified_header(token).get("kid") != _key_id(key):
            raise jwt.InvalidKeyError("unknown key id")
        payload = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            issuer=_ISSUER,
            options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False},
        )
        if not payload["iat"] - 60 <= now.timestamp() < payload["exp"]:
            raise jwt.ExpiredSignatureError("expired")
        return Claims(int(payload["sub"]), UUID(payload["family"]))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        raise Unauthenticated(
            "The access token is not valid, or its ten minutes are over.",
            remedy="Refresh it at /api/auth/refresh, or sign in again.",
        ) from None
