"""What a rule is: a name, what it watches, how bad that is and how it ends."""

from enum import StrEnum
from typing import Any

import msgspec

from app.domain.events import Severity


class Source(StrEnum):
    """What a rule looks at."""

    EVENT = "event"
    PROBE = "probe"
    METRIC = "metric"
    EXPECTED = "expected"
    "Something that should have happened, and did not."
    SECURITY = "security"


class Category(StrEnum):
    """Whose business it is."""

    SYSTEM = "system"
    TRADING = "trading"
    PERFORMANCE = "performance"
    SECURITY = "security"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One reason to tell a person."""

    name: str
    title: str
    "What it watches, in a sentence."
    source: Source
    category: str
    "system, trading, performance or security."
    severity: Severity
    clears: str
    "How the alert ends."
    events: tuple[str, ...] = ()
    "Types that raise it."
    thresholds: tuple[str, ...] = ()
    "Names in `alerting.thresholds`."
    patience: str | None = None
    "The threshold of seconds for which it must last before anybody is told."


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that does not hold just now, about one thing: `key` names both."""

    key: str
    title: str
    detail: str = ""
    severity: Severity | None = None
    "None: the rule's."
    account_id: int | None = None
    deployment_id: int | None = None
    context: dict[str, Any] = {}
    is_once: bool = False
    "Told once and never again, even after it was resolved: it is about the past."
