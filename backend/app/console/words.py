"""Words on the command line made into values, and what became of them into words."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any

import typer

from app.console.output import show, table
from app.core.errors import InvalidInput
from app.core.registry import suggestion
from app.domain.events import EVENT_NAMES
from app.domain.market import Timeframe
from app.domain.orders import OrderStatus

Row = Mapping[str, Any]

Account = Annotated[int | None, typer.Option("--account", help="Id; default: the only one.")]
Many = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many to show.")]
OfDeployment = Annotated[int | None, typer.Option("--deployment", help="Only this deployment's.")]
Symbol = Annotated[str | None, typer.Option("--symbol", help="Only this symbol's.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is audited.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as they come.")]


def show_list(name: str, rows: Sequence[Row], columns: Sequence[str], *, as_json: bool) -> None:
    show({name: [dict(row) for row in rows]}, table(rows, columns), as_json=as_json)


def report(found: dict[str, Any], what: str, *, as_json: bool) -> None:
    """A command's outcome; exit code 1 when the engine said no."""
    result = found["result"] or {}
    said = {
        "completed": f"{what} runs.",
        "pending": f"{what}: the engine has not answered yet (command {{command_id}}).",
    }.get(found["status"], f"{what} was refused: {result.get('detail', 'no reason given')}")
    show(found, said.format(**found), as_json=as_json)
    if found["status"] == "failed":
        raise typer.Exit(1)


def parameter_of(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(
            f"--param takes name=value, not {text!r}.", field="param", remedy="As in fast=10."
        )
    return name.strip(), value_of(value.strip())


def value_of(text: str) -> Any:  # noqa: ANN401 - whatever JSON says
    try:
        return json.loads(text)
    except ValueError:
        return text


def timeframe_of(text: str) -> Timeframe:
    try:
        return Timeframe(text)
    except ValueError:
        raise InvalidInput(
            f"There is no timeframe {text!r}.",
            field="timeframe",
            remedy=suggestion(text, Timeframe),
        ) from None


def money_of(text: str) -> Decimal:
    return positive_of(text, "capital")


def positive_of(text: str, field: str) -> Decimal:
    """A number above zero, exact. Raises InvalidInput with the field."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise InvalidInput(
            f"{field} must be above zero, not {text!r}.", field=field, remedy="As in 12.50."
        )
    return value


def choice_of(text: str, known: type[StrEnum], field: str) -> str:
    """One of the names of `known`. Raises InvalidInput with the nearest."""
    names = [one.value for one in known]
    if text not in names:
        raise InvalidInput(
            f"There is no {field} {text!r}.", field=field, remedy=suggestion(text, names)
        )
    return text


def names_in(text: str) -> list[str]:
    names = [part.strip().upper() for part in text.split(",") if part.strip()]
    if not names:
        raise InvalidInput("Name at least one symbol.", field="symbols", remedy="As in AAPL,SPY.")
    return names


def status_of(text: str) -> str:
    known = {*OrderStatus, "open", "closed"}
    if text not in known:
        raise InvalidInput(
            f"There is no status {text!r}.", field="status", remedy=suggestion(text, known)
        )
    return text


def event_type_of(text: str) -> str:
    if text not in EVENT_NAMES:
        raise InvalidInput(
            f"There is no event type {text!r}.", field="type", remedy=suggestion(text, EVENT_NAMES)
        )
    return text


def instant_of(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no instant.", field="at", remedy="Write it as 2026-01-05T15:00Z."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def upper(symbol: str | None) -> str | None:
    return None if symbol is None else symbol.upper()
