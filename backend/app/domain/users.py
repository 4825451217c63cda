"""People, what their role allows, and what a key may be given."""

from enum import StrEnum
from typing import Final


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
