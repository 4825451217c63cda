"""The numbers that rules and announcements measure by: in `system_config`, changed at any time."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.core.errors import InvalidInput, NotFound
from app.core.registry import suggestion

PREFIX: Final = "alerts."
"Of the keys in `system_config`, scope `all`."


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """Every threshold with its default; meaning and bounds are below."""

    look_seconds: float = 15.0
    blip_seconds: float = 30.0
    unwell_seconds: float = 60.0
    escalate_minutes: float = 10.0
    escalations: int = 5
    settle_hours: float = 24.0
    retry_seconds: float = 10.0
    retries: int = 12
    bar_silence_seconds: float = 300.0
    backup_hours: float = 26.0
    reconciliation_minutes: float = 30.0
    unknown_order_seconds: float = 60.0
    command_ms: float = 2_000.0
    memory_percent: float = 95.0
    errors_per_5_minutes: int = 20
    failed_sign_ins: int = 5
    order_volume_factor: float = 5.0
    order_volume_least: int = 100


EXPLANATIONS: Final[Mapping[str, str]] = {
    "look_seconds": "How often conditions are looked at",
    "blip_seconds": "A lost connection that is back within this wakes nobody",
    "unwell_seconds": "A component that is unwell for this long raises an alert",
    "escalate_minutes": "An unacknowledged critical alert is sent again after this, to the next"
    " channels",
    "escalations": "How often at most an alert is escalated; 0 switches it off",
    "settle_hours": "An alert about a single event, not critical, that did not happen again for"
    " this long is resolved by itself",
    "retry_seconds": "First wait after a delivery that failed; doubled each time, at most 10 min",
    "retries": "Attempts at one delivery until it is given up",
    "bar_silence_seconds": "No bar for this long in an open session is critical",
    "backup_hours": "No finished backup for this long is critical",
    "reconciliation_minutes": "A broker's account that was not compared for this long",
    "unknown_order_seconds": "An order whose state nobody knows for this long is critical",
    "command_ms": "95th percentile of commands in ten minutes that is too slow",
    "memory_percent": "Use of the machine's memory that is too much",
    "errors_per_5_minutes": "Logged errors in five minutes that are too many",
    "failed_sign_ins": "Failed sign-ins from one address, or for one person, in ten minutes",
    "order_volume_factor": "Orders of an hour that are this many times the week's usual",
    "order_volume_least": "Fewer orders an hour than this are never unusual",
}
BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "look_seconds": (1, 3_600),
    "blip_seconds": (0, 3_600),
    "unwell_seconds": (0, 86_400),
    "escalate_minutes": (0.05, 1_440),
    "escalations": (0, 100),
    "settle_hours": (0.1, 8_760),
    "retry_seconds": (0.1, 600),
    "retries": (1, 100),
    "bar_silence_seconds": (60, 86_400),
    "backup_hours": (1, 8_760),
    "reconciliation_minutes": (1, 1_440),
    "unknown_order_seconds": (1, 3_600),
    "command_ms": (1, 600_000),
    "memory_percent": (1, 100),
    "errors_per_5_minutes": (1, 1_000_000),
    "failed_sign_ins": (1, 10_000),
    "order_volume_factor": (1, 1_000),
    "order_volume_least": (1, 1_000_000),
}
_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(Thresholds)}


def loaded(stored: Mapping[str, Any]) -> Thresholds:
    """From the values of `system_config` by key; what is not stored has its default."""
    given = {
        key.removeprefix(PREFIX): value
        for key, value in stored.items()
        if key.startswith(PREFIX) and key.removeprefix(PREFIX) in _FIELDS
    }
    return msgspec.convert(given, Thresholds)


def checked(key: str, value: object) -> int | float:
    """The value as it is stored. Raises NotFound for an unknown key, InvalidInput for the rest."""
    name = key.removeprefix(PREFIX)
    if name not in _FIELDS:
        raise NotFound(f"There is no threshold {key!r}.", remedy=suggestion(name, _FIELDS))
    kind, (least, most) = _FIELDS[name].type, BOUNDS[name]
    remedy = f"A {'whole ' if kind is int else ''}number from {least:g} to {most:g}."
    try:
        found: int | float = msgspec.convert(value, kind, strict=not isinstance(value, str))
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"{PREFIX}{name} cannot be {value!r}: {error}.", field="value", remedy=remedy
        ) from None
    if not least <= found <= most:
        raise InvalidInput(f"{PREFIX}{name} cannot be {found}.", field="value", remedy=remedy)
    return found


def default(name: str) -> int | float:
    """What it is while nobody changed it."""
    value: int | float = _FIELDS[name].default
    return value
