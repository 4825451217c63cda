"""Sign up once, sign in, stay signed in, sign out."""

from fastapi import APIRouter, Request, Response

from app.api.cookies import forget_session, set_session
from app.api.deps import (
    PUBLIC,
    READ,
    Auth,
    CurrentCaller,
    CurrentVisit,
    Tickets,
    guard,
    parts_of,
)
from app.api.gate import cookie_of
from app.api.schemas.auth import (
    AuthStateOut,
    MeOut,
    PasswordChangeIn,
    RefreshIn,
    SignedInOut,
    SignInIn,
    SignOutIn,
    SignUpIn,
    TokensOut,
    WsTicketOut,
)
from app.core.errors import Forbidden, Unauthenticated
from app.domain.users import Caller, Scope
from app.services.auth import Opened, Tokens

router = APIRouter(prefix="/api/auth", tags=["auth"])
SIGN_IN = guard(None, "sign_in")


@router.get("/state", dependencies=[PUBLIC])
async def get_auth_state(request: Request, auth: Auth) -> AuthStateOut:
    """Whether the first page should ask for the first-run token, for a password, or neither."""
    return AuthStateOut(
        needs_sign_up=await auth.needs_sign_up(), signed_in=request.state.caller is not None
    )


@router.post("/sign-up", status_code=201, dependencies=[SIGN_IN])
async def sign_up(
    body: SignUpIn, request: Request, response: Response, auth: Auth, visit: CurrentVisit
) -> SignedInOut:
    """Make the first user, an admin, with the token that the console printed; signs in too."""
    opened = await auth.sign_up(
        body.token.get_secret_value(),
        body.email,
        body.name or "",
        body.password.get_secret_value(),
        visit,
    )
    parts_of(request).first_run.forget()
    return await _opened(request, response, opened)


@router.post("/sign-in", dependencies=[SIGN_IN])
async def sign_in(
    body: SignInIn, request: Request, response: Response, auth: Auth, visit: CurrentVisit
) -> SignedInOut:
    """Prove who you are: a browser gets its cookie, a program (`grant` token) its tokens."""
    gate = parts_of(request).gate
    email = body.email.lower()
    await gate.limits.check("failed_sign_in", email)
    try:
        user_id = await auth.check_password(email, body.password.get_secret_value(), visit)
    except Unauthenticated:
        await gate.limits.admit("failed_sign_in", email)
        raise
    if body.grant == "session":
        return await _opened(request, response, await auth.open_session(user_id, email, visit))
    tokens = await auth.open_tokens(user_id, email, visit)
    caller = await gate.access.by_bearer(tokens.access, visit.address)
    return SignedInOut(user=_me(caller), tokens=_tokens(tokens))


@router.post("/refresh", dependencies=[guard(None, "refresh")])
async def refresh_tokens(body: RefreshIn, auth: Auth, visit: CurrentVisit) -> TokensOut:
    """A new access token and a new refresh token; the old one is spent."""
    return _tokens(await auth.refresh(body.refresh_token.get_secret_value(), visit))


@router.post("/sign-out", status_code=204, dependencies=[PUBLIC])
async def sign_out(
    request: Request, response: Response, auth: Auth, body: SignOutIn | None = None
) -> None:
    """End this session, or the family of a refresh token."""
    token = body.refresh_token if body else None
    await auth.sign_out(request.state.caller, token.get_secret_value() if token else None)
    forget_session(request, response)


@router.get("/me", dependencies=[READ])
async def get_me(caller: CurrentCaller) -> MeOut:
    """Who is calling, and what they may do."""
    return _me(caller)


@router.post("/password", status_code=204, dependencies=[guard(Scope.READ, "sign_in")])
async def change_password(
    body: PasswordChangeIn, caller: CurrentCaller, auth: Auth, visit: CurrentVisit
) -> None:
    """Change one's own password; every other session and token ends."""
    await auth.change_password(
        caller,
        body.current_password.get_secret_value(),
        body.new_password.get_secret_value(),
        visit,
    )


@router.post("/ws-ticket", status_code=201, dependencies=[READ])
async def create_ws_ticket(caller: CurrentCaller, tickets: Tickets) -> WsTicketOut:
    """A ticket for one WebSocket, good once within 30 s."""
    ticket, expires_at = await tickets.issue(caller)
    return WsTicketOut(ticket=ticket, expires_at=expires_at)


async def _opened(request: Request, response: Response, opened: Opened) -> SignedInOut:
    old = cookie_of(request)
    parts = parts_of(request)
    if old is not None:
        await parts.auth.sign_out(await parts.access.by_session(old), None)
    set_session(request, response, opened)
    caller = await parts.access.by_session(opened.cookie)
    if caller is None:
        raise Forbidden("The session ended at once.")
    return SignedInOut(user=_me(caller))


def _me(caller: Caller) -> MeOut:
    return MeOut.model_validate(
        {
            "user_id": caller.user_id,
            "email": caller.email,
            "name": caller.name,
            "role": caller.role,
            "scopes": sorted(caller.scopes),
            "via": caller.via,
            "session_expires_at": caller.session_expires_at,
        }
    )


def _tokens(tokens: Tokens) -> TokensOut:
    return TokensOut(
        access_token=tokens.access, refresh_token=tokens.refresh, expires_in=tokens.expires_in
    )
