"""Sign up once, sign in, stay signed in, sign out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Request, Response

from app.api.cookies import forget_session, set_session
from app.api.deps import (
    FRESH_READ,
    PUBLIC,
    READ,
    Auth,
    CurrentCaller,
    CurrentVisit,
    SecondFactor,
    Tickets,
    guard,
    parts_of,
)
from app.api.gate import cookie_of
from app.api.limits import RateLimits
from app.api.schemas.auth import (
    AuthStateOut,
    MeOut,
    PasswordChangeIn,
    RecoveryCodesOut,
    RefreshIn,
    SignedInOut,
    SignInIn,
    SignOutIn,
    SignUpIn,
    StepUpIn,
    StepUpOut,
    TokensOut,
    TotpCodeIn,
    TotpOut,
    WsTicketOut,
)
from app.core.errors import Forbidden, InvalidInput, SecondFactorNeeded, Unauthenticated
from app.domain.users import FRESH, Caller, Scope
from app.services.auth import NEW_PASSWORD, Opened, Tokens

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
    body: SignInIn,
    request: Request,
    response: Response,
    auth: Auth,
    second_factor: SecondFactor,
    visit: CurrentVisit,
) -> SignedInOut:
    """Prove who you are: a browser gets its cookie, a program (`grant` token) its tokens.

    401 with the code `second_factor_required`: the password was right, send `code` too.
    """
    gate = parts_of(request).gate
    email = body.email.lower()
    # Failures from elsewhere must not lock a person out of where they always sign in.
    known = await auth.knows_address(email, visit)
    bucket = f"{email} at {visit.address}" if known else email
    async with _counted(gate.limits, bucket):
        user_id = await auth.check_password(email, body.password.get_secret_value(), visit)
        await second_factor.prove(user_id, body.code)
    if body.grant == "session":
        return await _opened(request, response, await auth.open_session(user_id, email, visit))
    tokens = await auth.open_tokens(user_id, email, visit)
    caller = await gate.access.by_bearer(tokens.access, visit.address)
    return SignedInOut(user=await _me(request, caller), tokens=_tokens(tokens))


@router.post("/step-up", dependencies=[guard(Scope.READ, "sign_in")])
async def step_up(
    body: StepUpIn,
    request: Request,
    response: Response,
    caller: CurrentCaller,
    auth: Auth,
    second_factor: SecondFactor,
    visit: CurrentVisit,
) -> StepUpOut:
    """Prove again who you are: for five minutes users, keys, secrets and live trading are open.

    401 with the code `second_factor_required`: the password was right, send `code` too.
    A browser gets another cookie.
    """
    async with _counted(parts_of(request).gate.limits, f"user:{caller.user_id}"):
        await auth.confirm_password(caller, body.password.get_secret_value(), visit)
        await second_factor.prove(caller.user_id, body.code)
    opened = await auth.step_up(caller, visit)
    if opened is not None:
        set_session(request, response, opened)
    return StepUpOut(fresh_until=parts_of(request).clock.now() + FRESH)


@router.post("/totp", status_code=201, dependencies=[FRESH_READ])
async def propose_totp(caller: CurrentCaller, second_factor: SecondFactor) -> TotpOut:
    """A secret for an authenticator app; it counts once a first code has confirmed it."""
    proposal = await second_factor.propose(caller)
    return TotpOut(secret=proposal.secret, uri=proposal.uri)


@router.post("/totp/confirm", dependencies=[guard(Scope.READ, "sign_in", fresh=True)])
async def confirm_totp(
    body: TotpCodeIn, caller: CurrentCaller, second_factor: SecondFactor
) -> RecoveryCodesOut:
    """From now on sign-in asks for a code. The recovery codes are shown this once."""
    return RecoveryCodesOut(recovery_codes=await second_factor.confirm(caller, body.code))


@router.delete("/totp", status_code=204, dependencies=[FRESH_READ])
async def turn_off_totp(caller: CurrentCaller, second_factor: SecondFactor) -> None:
    """Sign in with the password alone again."""
    await second_factor.turn_off(caller)


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
    response.headers["clear-site-data"] = '"cache"'


@router.get("/me", dependencies=[READ])
async def get_me(request: Request, caller: CurrentCaller) -> MeOut:
    """Who is calling, and what they may do."""
    return await _me(request, caller)


@router.post("/password", status_code=204, dependencies=[guard(Scope.READ, "sign_in")])
async def change_password(
    body: PasswordChangeIn,
    request: Request,
    caller: CurrentCaller,
    auth: Auth,
    visit: CurrentVisit,
) -> None:
    """Change one's own password; every other session and token ends."""
    async with _counted(parts_of(request).gate.limits, f"user:{caller.user_id}"):
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
    return SignedInOut(user=await _me(request, caller))


@asynccontextmanager
async def _counted(limits: RateLimits, bucket: str) -> AsyncIterator[None]:
    """Ten failures an hour of one person, then nobody may try.

    A missing code is no failure, and neither is a weak new password: the old one was right.
    """
    await limits.check("failed_sign_in", bucket)
    try:
        yield
    except SecondFactorNeeded:
        raise
    except (Unauthenticated, InvalidInput) as error:
        is_guess = not (isinstance(error, InvalidInput) and error.field == NEW_PASSWORD)
        if is_guess:
            await limits.admit("failed_sign_in", bucket)
        raise


async def _me(request: Request, caller: Caller) -> MeOut:
    is_on, left = await parts_of(request).second_factor.state(caller.user_id)
    return MeOut.model_validate(
        {
            "user_id": caller.user_id,
            "email": caller.email,
            "name": caller.name,
            "role": caller.role,
            "scopes": sorted(caller.scopes),
            "via": caller.via,
            "session_expires_at": caller.session_expires_at,
            "has_second_factor": is_on,
            "recovery_codes_left": left,
            "fresh_until": caller.fresh_until,
        }
    )


def _tokens(tokens: Tokens) -> TokensOut:
    return TokensOut(
        access_token=tokens.access, refresh_token=tokens.refresh, expires_in=tokens.expires_in
    )
