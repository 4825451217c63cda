"""Sign up once, sign in, stay signed in, sign out."""

from fastapi import APIRouter, Request, Response

from app.api.deps import PUBLIC, READ, Auth, CurrentCaller, guard
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

router = APIRouter(prefix="/api/auth", tags=["auth"])
SIGN_IN = guard(None, "sign_in")


@router.get("/state", dependencies=[PUBLIC])
async def get_auth_state(request: Request, auth: Auth) -> AuthStateOut:
    """Whether the first page should ask for the first-run token, for a password, or neither."""


@router.post("/sign-up", status_code=201, dependencies=[SIGN_IN])
async def sign_up(body: SignUpIn, request: Request, response: Response, auth: Auth) -> SignedInOut:
    """Make the first user, an admin, with the token that the console printed; signs in too."""


@router.post("/sign-in", dependencies=[SIGN_IN])
async def sign_in(body: SignInIn, request: Request, response: Response, auth: Auth) -> SignedInOut:
    """Prove who you are: a browser gets its cookie, a program (`grant` token) its tokens."""


@router.post("/refresh", dependencies=[SIGN_IN])
async def refresh_tokens(body: RefreshIn, request: Request, auth: Auth) -> TokensOut:
    """A new access token and a new refresh token; the old one is spent."""


@router.post("/sign-out", status_code=204, dependencies=[PUBLIC])
async def sign_out(
    request: Request, response: Response, auth: Auth, body: SignOutIn | None = None
) -> None:
    """End this session, or the family of a refresh token."""


@router.get("/me", dependencies=[READ])
async def get_me(caller: CurrentCaller) -> MeOut:
    """Who is calling, and what they may do."""


@router.post("/password", status_code=204, dependencies=[guard("read", "sign_in")])
async def change_password(body: PasswordChangeIn, caller: CurrentCaller, auth: Auth) -> None:
    """Change one's own password; every other session and token ends."""


@router.post("/ws-ticket", status_code=201, dependencies=[READ])
async def create_ws_ticket(caller: CurrentCaller, auth: Auth) -> WsTicketOut:
    """A ticket for one WebSocket, good once within 30 s."""
