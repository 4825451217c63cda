"""The page docs/limits.md, made from the limits and the denial codes."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, get_args

import msgspec

from app.domain.denials import LIMIT_OF, MEANING, Denial
from app.domain.limits import BOUNDS, EXPLANATIONS, Limits
from app.risk.rules import ADDITIONS

CUTS: Final = frozenset(
    {
        Denial.POSITION_LIMIT,
        Denial.SECTOR_LIMIT,
        Denial.EXPOSURE_LIMIT,
        Denial.BUYING_POWER,
        Denial.SETTLED_CASH,
        Denial.DAILY_NOTIONAL,
    }
)
"""Codes that first make an order smaller, and deny when nothing is left."""

INTRODUCTION: Final = f"""\
# Limits and denial codes

This page is made from the code by `tradewright reference limits`; a test keeps it true.

The risk engine is the only maker of orders. Every order is asked about the state of trading, and
one that adds to a position about {len(ADDITIONS)} things more, in the order of the second table.
Each answer is stored with its value and its limit (`risk_checks`), and each denial is a row of
`risk_violations`. **Limits never deny a reduction**, and protective legs pass without being
asked.

## Limits

They are rows of `system_config` and are changed while everything runs: under *Engine →
Configuration* in the UI, by `PUT /api/config/{{key}}` or `tradewright risk set`; `tradewright risk
show` and `tradewright config history` show them, `tradewright risk rollback` takes a change back. A
change is checked, audited and journaled, and every engine learns of it as an input. Fractions are
of the account's equity unless the meaning says otherwise.

A limit has a **scope**: `all`, `account:1`, `deployment:3` or `symbol:AAPL`. **The tightest of all
that apply to an order holds**: a scope can tighten and never loosen. A deployment's position,
exposure, open orders, orders a minute, money moved and loss of the day are measured on what that
deployment itself has; a symbol's on what the account has of it. The other limits of a scope say
what its orders may be. Sectors, drawdown, day trades, settled cash and self-crossing are limits of
whole accounts. A denial names the scope whose limit it met.

| limit | default | may be | meaning |
|---|---|---|---|
"""
CODES: Final = """
A backtest applies the same limits; `--limits none` shows the strategy alone.

## Denial codes

**Denied** is ours, with one of these codes; **rejected** is the broker's word. The codes marked
*cuts* make an order smaller first: then the order names them in `limited_by`, and the target
becomes what the limits left. A signal is denied by the first rule that says no.

| code | meaning | limit | |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return INTRODUCTION + "".join(limit_rows()) + CODES + "".join(denial_rows())


def limit_rows() -> Iterator[str]:
    """One row a limit, in the order of the settings page."""
    for field in msgspec.structs.fields(Limits):
        allowed = bounds(field.name, field.default)
        if type(None) in get_args(field.type):
            allowed += ", or off"
        meaning = EXPLANATIONS[field.name]
        yield f"| `{field.name}` | {shown_value(field.default)} | {allowed} | {meaning} |\n"


def denial_rows() -> Iterator[str]:
    """One row a code, in the order in which the rules are asked."""
    for code in Denial:
        limit = f"`{LIMIT_OF[code]}`" if code in LIMIT_OF else ""
        yield f"| `{code}` | {MEANING[code]} | {limit} | {'cuts' if code in CUTS else ''} |\n"


def shown_value(value: object) -> str:
    """A limit's value as people write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Decimal):
        return f"{value} ({value * 100:f} %)".replace(".00 %", " %")
    return "none" if value in (None, ()) else str(value)


def bounds(name: str, default: object) -> str:
    """What a person may set."""
    if name in BOUNDS:
        least, most = BOUNDS[name]
        return f"{least} to {most:,}"
    return "on, off" if isinstance(default, bool) else "symbols"
