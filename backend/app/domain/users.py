"""People, what their role allows, and what a key may be given."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec


class Role(StrEnum):
    """viewer reads; trader also trades; admin also configures."""

    VIEWER = "viewer"
    TRADER = "trader"
    ADMIN = "admin"


class Scope(StrEnum):
    """What one request needs, and what a key or session carries."""

    READ = "read"
    TRADE = "trade"
    DATA = "data"
    ADMIN = "admin"


SCOPES: Final[dict[Role, frozenset[Scope]]] = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.TRADER: frozenset({Scope.READ, Scope.TRADE, Scope.DATA}),
    Role.ADMIN: frozenset(Scope),
}
"""The most that each role can do; a key has a subset of its owner's."""


CONSOLE: Final = "console@localhost"
"Owner of keys that the console made before anybody signed up; nobody can sign in as it."


FRESH: Final = timedelta(minutes=5)
"For so long after somebody proved who they are, they may do what must not be done by a thief."


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what they may do. `accounts` None means every account."""

    user_id: int
    email: str
    name: str | None
    role: Role
    scopes: frozenset[Scope]
    via: str
    "session, token or api_key."
    credential: str
    "Which session, token family or key: revoking it ends what it opened."
    accounts: tuple[int, ...] | None = None
    session_expires_at: datetime | None = None
    verified_at: datetime | None = None
    "When the person last proved who they are; a key never does."
    notional_cap: Decimal | None = None
    "Largest value of one order that this key may ask for."

    @property
    def actor(self) -> str:
        """As journal, commands and audit trail name the caller."""
        return f"{self.email} ({self.credential})" if self.via == "api_key" else self.email

    @property
    def visible(self) -> list[int] | None:
        """Accounts to narrow a list to; None for no narrowing."""
        return None if self.accounts is None else list(self.accounts)

    @property
    def fresh_until(self) -> datetime | None:
        """Until when what needs a fresh check is open; None where it never was."""
        return None if self.verified_at is None else self.verified_at + FRESH

    def may_as(self, other: "Caller | None") -> bool:
        """Whether `other`, the same caller asked for anew, may do just as much."""
        return other is not None and (other.scopes, other.accounts) == (self.scopes, self.accounts)

    def may_see(self, account_id: int) -> bool:
        return self.accounts is None or account_id in self.accounts
