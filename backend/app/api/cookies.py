"""The session's cookie: HttpOnly, SameSite=Strict, under TLS bound to the host."""

from starlette.requests import Request
from starlette.responses import Response

from app.api.gate import COOKIE, SECURE_COOKIE, is_secure
from app.core.clock import now
from app.services.auth import Opened


def set_session(request: Request, response: Response, opened: Opened) -> None:
    """Hand the browser its session; no script can read it and no other site send it."""
    secure = is_secure(request)
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        opened.cookie,
        max_age=max(0, int((opened.expires_at - now()).total_seconds())),
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def forget_session(request: Request, response: Response) -> None:
    """Let the browser drop its session."""
    secure = is_secure(request)
    response.delete_cookie(
        SECURE_COOKIE if secure else COOKIE,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )
