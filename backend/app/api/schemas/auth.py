"""Sign-up, sign-in, tokens and tickets."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from app.api.schemas.base import In, Instant, Out, SecretIn
from app.domain.users import Role, Scope

Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(
        min_length=3,
        max_length=254,
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="Address to sign in with; it is not contacted.",
        examples=["ada@example.com"],
    ),
]
Password = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=1024,
        description="At least 12 characters; common passwords are refused.",
        examples=["seven blue herons at dawn"],
    ),
]


Code = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(
        min_length=6,
        max_length=64,
        description="Six digits of the authenticator app, or a recovery code.",
        examples=["492039"],
    ),
]


class SignUpIn(SecretIn):
    """The first person, with the token that the console printed."""

    token: Annotated[SecretStr, Field(min_length=1, max_length=200, examples=["b1f0c2…"])]
    email: Email
    password: Password
    name: str | None = Field(default=None, max_length=100, examples=["Ada"])


class SignInIn(SecretIn):
    """`grant` session sets the browser's cookie; token answers with access and refresh tokens."""

    email: Email
    password: Password
    code: Code | None = Field(
        default=None, description="For people with a second factor; else leave it out."
    )
    grant: Literal["session", "token"] = "session"


class RefreshIn(In):
    """A refresh token works once; using it again revokes its whole family."""

    refresh_token: Annotated[SecretStr, Field(min_length=1, max_length=512)]


class SignOutIn(In):
    """Nothing for a browser; a refresh token to end a token family."""

    refresh_token: Annotated[SecretStr, Field(min_length=1, max_length=512)] | None = None


class PasswordChangeIn(SecretIn):
    """Ends every other session, and every refresh token, of the person."""

    current_password: Password
    new_password: Password


class StepUpIn(SecretIn):
    """Proves again who one is: the password, and a code where there is a second factor."""

    password: Password
    code: Code | None = None


class StepUpOut(Out):
    """Until then users, keys, secrets and live trading are open."""

    fresh_until: Instant


class TotpCodeIn(In):
    """The first code of the authenticator app."""

    code: Code


class TotpOut(Out):
    """For an authenticator app: shown once, and without effect until it is confirmed."""

    secret: str = Field(examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    uri: str = Field(
        description="Draw it as a QR code, or open it on the phone.",
        examples=["otpauth://totp/Tradewright:ada%40example.com?secret=JBSW…&issuer=Tradewright"],
    )


class RecoveryCodesOut(Out):
    """Each is good once in place of a code; they are not shown again."""

    recovery_codes: list[str] = Field(examples=[["m5qx-c3tb-oj2w-k6dl-mfzg-gzlu"]])


class TokensOut(Out):
    """`Authorization: Bearer <access_token>` for ten minutes, then refresh."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiIs…"])
    refresh_token: str = Field(examples=["twr_3x…"])
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="Seconds until the access token ends.", examples=[600])


class MeOut(Out):
    """Who is calling, and what they may do."""

    user_id: int = Field(examples=[1])
    email: str = Field(examples=["ada@example.com"])
    name: str | None = Field(default=None, examples=["Ada"])
    role: Role
    scopes: list[Scope]
    via: Literal["session", "token", "api_key"]
    session_expires_at: Instant | None = None
    has_second_factor: bool = Field(
        default=False, description="A code is asked for at sign-in and at fresh checks."
    )
    recovery_codes_left: int = Field(default=0, examples=[10])
    fresh_until: Instant | None = Field(
        default=None,
        description="What needs a fresh check (POST /api/auth/step-up) is open until then.",
    )


class SignedInOut(Out):
    """The person, and tokens when `grant` was token."""

    user: MeOut
    tokens: TokensOut | None = None


class AuthStateOut(Out):
    """What a visitor's first page has to show."""

    needs_sign_up: bool = Field(description="No user exists yet: ask for the first-run token.")
    signed_in: bool


class WsTicketOut(Out):
    """Good once, for 30 s: `{"op": "auth", "token": "<ticket>"}` or `/ws?ticket=<ticket>`."""

    ticket: str = Field(examples=["twt_5f…"])
    expires_at: Instant
