"""What every event is made of: the base of all, how soon it must be heard of, a rule's answer."""

from decimal import Decimal
from enum import IntEnum, StrEnum

import msgspec


class Priority(IntEnum):
    """How soon a subscriber should hear of it. Never reorders the journal."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Check(msgspec.Struct, frozen=True, gc=False):
    """One risk rule's answer: `value` measured against `limit`. Both in the rule's own unit."""

    rule: str
    passed: bool
    value: Decimal | None = None
    limit: Decimal | None = None
    scope: str | None = None
    "Whose limit it is, where it is not the account's own: `deployment:3`, `symbol:AAPL`."


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=_snake, tag_field="type"):
    """Base of every event; the tag is the class name in snake case, e.g. `order_filled`."""
