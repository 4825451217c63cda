"""Limits for a part of an account: of a deployment, of a symbol. The tightest that applies holds.

A scope is named `all`, `account:1`, `deployment:3` or `symbol:AAPL`. Nothing loosens: a scope that
says more than the account may have no effect.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from app.core.errors import InvalidInput
from app.domain.deployments import ledger_of
from app.domain.limits import Limits, out_of_bounds

ALL: Final = "all"
ACCOUNT: Final = "account"
"What an engine calls its own account: the tightest of `all` and `account:N`."
_NAME: Final = re.compile(
    r"all|account(:[1-9]\d{0,17})?|deployment:[1-9]\d{0,17}|symbol:[A-Z0-9][A-Z0-9 ./^=_-]{0,31}"
)
NOBODY: Final = ("",)
"Allowed symbols of two scopes that have none in common: no symbol is empty."

MEASURED: Final = frozenset(
    {
        "max_position_size", "max_concurrent_orders", "max_orders_per_minute",
        "max_daily_notional", "max_portfolio_exposure", "max_daily_loss",
    }
)  # fmt: skip
"In a scope they are held against what the scope itself has: its orders, positions and losses."
_PLAIN: Final = frozenset(
    {
        "order_timeout_seconds", "default_stop_loss", "price_collar", "stale_price_seconds",
        "trade_extended_hours", "allow_short",
    }
)  # fmt: skip
OF_SYMBOL: Final = _PLAIN | (MEASURED - {"max_portfolio_exposure", "max_daily_loss"})
OF_DEPLOYMENT: Final = _PLAIN | MEASURED | {"restricted_symbols", "allowed_symbols"}
"The others belong to whole accounts."

_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(Limits)}


class Scope(msgspec.Struct, frozen=True):
    """What a deployment or a symbol may at most, beside the limits of its account."""

    name: str
    limits: Mapping[str, Any]
    ledger: str | None = None
    symbol: str | None = None

    def covers(self, ledger: str, symbol: str) -> bool:
        """Whether an order or a position of this ledger and symbol is its."""
        return self.ledger in (None, ledger) and self.symbol in (None, symbol)


def scope(name: str, given: Mapping[str, Any]) -> Scope:
    """A deployment's or a symbol's scope from stored values; None and unknown keys are left out.

    Raises InvalidInput that names what is wrong.
    """
    kind, _, key = checked(name).partition(":")
    limits = {k: typed(k, v, name) for k, v in sorted(given.items()) if v is not None}
    if kind == "deployment":
        return Scope(name, limits, ledger=ledger_of(int(key)))
    return Scope(name, limits, symbol=key)


def checked(name: str) -> str:
    """The name of a scope. Raises InvalidInput."""
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"There is no scope {name!r}.",
            field="scope",
            remedy="Use all, account:1, deployment:3 or symbol:AAPL with your own number or name.",
        )
    return name


def typed(key: str, value: object, name: str = ACCOUNT) -> Any:  # noqa: ANN401 - any limit's value
    """A limit's value as its type. Raises InvalidInput; also where the scope has no such limit."""
    kind = name.partition(":")[0]
    keys = {"deployment": OF_DEPLOYMENT, "symbol": OF_SYMBOL}.get(kind, _FIELDS.keys())
    if key not in keys:
        remedy = f"Of a {kind} you can limit {', '.join(sorted(keys))}."
        raise InvalidInput(f"{key} cannot be set for {name}.", field="key", remedy=remedy)
    try:
        found = msgspec.convert(value, _FIELDS[key].type, strict=not isinstance(value, str))
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{key}: {error}", field=key) from error
    problem = out_of_bounds(key, found)
    if problem is not None:
        raise InvalidInput(problem, field=key)
    return found


# ------------------------------------------------------------------------------- the tightest

Pick = Callable[[Any, Any], Any]


def _lesser(one: Any, other: Any) -> Any:  # noqa: ANN401 - two values of one limit
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _within_both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    if not one or not other:
        return one or other
    return tuple(symbol for symbol in one if symbol in other) or NOBODY


def _either(one: bool, other: bool) -> bool:
    return one or other


def _both(one: bool, other: bool) -> bool:
    return one and other


def _together(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


_PICKS: Final[dict[str, Pick]] = {
    "day_trade_equity": max,  # more accounts are small ones
    "risk_checking": _either,
    "emergency_stop": _either,
    "settled_cash_only": _either,
    "prevent_self_crossing": _either,
    "trade_extended_hours": _both,
    "allow_short": _both,
    "restricted_symbols": _together,
    "allowed_symbols": _within_both,
}


def tightest(limits: Limits, *others: Mapping[str, Any]) -> Limits:
    """`limits`, each tightened by what `others` say of it (values of its type)."""
    changed: dict[str, Any] = {}
    for other in others:
        for key, value in other.items():
            now = changed.get(key, getattr(limits, key))
            changed[key] = _PICKS.get(key, _lesser)(now, value)
    return msgspec.structs.replace(limits, **changed) if changed else limits
