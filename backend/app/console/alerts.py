"""`tradewright alerts`: what needs a person, who was told, and the channels they are told by."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.console.connection import Connected, run
from app.console.output import Json, show, table
from app.console.words import Many, Row, choice_of, show_list
from app.domain.events import Severity

if TYPE_CHECKING:
    from app.services.alerts import Alerts
    from app.services.notifications import Notifications

app = typer.Typer(
    help="Alerts and their channels: list, acknowledge, resolve, test.",
    add_completion=False,
    no_args_is_help=True,
)
AlertId = Annotated[int, typer.Argument(help="As `tradewright alerts list` shows.")]
Note = Annotated[str | None, typer.Option(help="What was done about it; kept in the audit trail.")]
Name = Annotated[str, typer.Argument(help="Of the channel, as `alerts channels` shows.")]


# ---------------------------------------------------------------------------------------- alerts


@app.command("list")
def list_alerts(
    every: Annotated[bool, typer.Option("--all", help="Resolved ones as well.")] = False,
    limit: Many = 50,
    as_json: Json = False,
) -> None:
    """List the alerts that are open, the newest first."""
    from app.repositories import alerts

    async def work(at: Connected) -> Sequence[Row]:
        states = () if every else ("open", "acknowledged")
        return (await alerts.listing(at.pool, states)(limit, None)).items

    columns = ("id", "severity", "state", "category", "title", "occurrences", "raised_at")
    show_list("alerts", run(work), columns, as_json=as_json)


@app.command()
def deliveries(alert: AlertId, limit: Many = 50, as_json: Json = False) -> None:
    """Who was told of an alert, when, and why not."""
    from app.repositories import alert_deliveries, alerts

    async def work(at: Connected) -> Sequence[Row]:
        await alerts.get(at.pool, alert)
        return (await alert_deliveries.listing(at.pool, alert)(limit, None)).items

    columns = ("id", "channel", "kind", "round", "status", "attempts", "delivered_at", "error")
    show_list("deliveries", run(work), columns, as_json=as_json)


@app.command()
def acknowledge(alert: AlertId, note: Note = None, as_json: Json = False) -> None:
    """Say that somebody is on it: it is not escalated any more."""
    row = run(lambda at: _alerts(at).acknowledge(at.caller, alert, note))
    show(row, f"Alert {alert} is {row['state']}: {row['title']}", as_json=as_json)


@app.command()
def resolve(alert: AlertId, note: Note = None, as_json: Json = False) -> None:
    """Say that it is over."""
    row = run(lambda at: _alerts(at).resolve(at.caller, alert, note))
    show(row, f"Alert {alert} is {row['state']}: {row['title']}", as_json=as_json)


# ----------------------------------------------------------------------------------------- rules


@app.command()
def rules(as_json: Json = False) -> None:
    """List what raises an alert, and how it ends."""
    from app.alerting.catalogue import RULES

    rows = [{field: getattr(rule, field) for field in rule.__struct_fields__} for rule in RULES]
    lines = table(rows, ("name", "source", "category", "severity", "title", "clears"))
    show({"rules": rows}, lines, as_json=as_json)


@app.command()
def thresholds(as_json: Json = False) -> None:
    """List the numbers that rules measure by."""
    from app.services.alert_rules import AlertRules

    async def work(at: Connected) -> Sequence[Row]:
        return await AlertRules(at.pool, *_journal_and_audit(at)).thresholds()

    columns = ("key", "value", "default", "minimum", "maximum", "description")
    show_list("thresholds", run(work), columns, as_json=as_json)


@app.command("set")
def set_threshold(
    key: Annotated[str, typer.Argument(help="As `tradewright alerts thresholds` shows.")],
    value: Annotated[str, typer.Argument(help="A number.")],
    reason: Annotated[str | None, typer.Option(help="Why; kept in the history.")] = None,
    as_json: Json = False,
) -> None:
    """Change a threshold; the next look uses it."""
    from app.services.alert_rules import AlertRules

    async def work(at: Connected) -> Row:
        service = AlertRules(at.pool, *_journal_and_audit(at))
        return await service.change(at.caller, key, value, reason)

    row = run(work)
    show(row, f"{row['key']} is {row['value']}.", as_json=as_json)


# -------------------------------------------------------------------------------------- channels


@app.command()
def channels(as_json: Json = False) -> None:
    """List the ways to reach people; never an address."""
    from app.repositories import notification_channels

    async def work(at: Connected) -> Sequence[Row]:
        return (await notification_channels.listing(at.pool)(1000, None)).items

    columns = ("name", "service", "hint", "min_severity", "categories", "level", "is_enabled")
    show_list("channels", run(work), columns, as_json=as_json)


@app.command()
def add_channel(
    name: Annotated[str, typer.Argument(help="What you call it.")],
    min_severity: Annotated[Severity, typer.Option(help="What is less is not sent.")] = (
        Severity.WARNING
    ),
    category: Annotated[
        list[str] | None, typer.Option(help="system, trading, performance, security; repeat it.")
    ] = None,
    level: Annotated[int, typer.Option(min=0, max=9, help="0 hears at once, 1 later.")] = 0,
    quiet: Annotated[
        str | None, typer.Option(help="Hours such as 22:00-07:00; what is critical passes.")
    ] = None,
    zone: Annotated[str, typer.Option(help="Of the quiet hours.")] = "UTC",
    as_json: Json = False,
) -> None:
    """Add a channel. Its address is asked for, or read from stdin; never an argument."""
    from app.alerting.rules import Category

    settings = {
        "min_severity": min_severity,
        "categories": [choice_of(one, Category, "category") for one in category or []],
        **_quiet(quiet),
        "time_zone": zone,
        "level": level,
        "tells_resolved": True,
        "wants_digest": True,
        "is_enabled": True,
    }
    url = _address()
    row = run(lambda at: _notifications(at).add(at.caller.actor, name, url, settings))
    lines = [
        f"Alerts go to {name} ({row['service']}, {row['hint']}).",
        f"Try it: tradewright alerts test {name!r}",
    ]
    show(row, lines, as_json=as_json)


@app.command()
def remove_channel(name: Name, as_json: Json = False) -> None:
    """Send nothing there any more."""

    async def work(at: Connected) -> None:
        await _notifications(at).remove(at.caller.actor, await _channel(at, name))

    run(work)
    show({"removed": name}, f"{name} is removed.", as_json=as_json)


@app.command("test")
def try_out(name: Name, as_json: Json = False) -> None:
    """Send a message now. Exit code 1 when it did not arrive."""

    async def work(at: Connected) -> dict[str, Any]:
        found = await _notifications(at).try_out(at.caller.actor, await _channel(at, name))
        return {field: getattr(found, field) for field in found.__struct_fields__}

    said = run(work)
    word = "arrived" if said["is_delivered"] else "did not arrive"
    show(said, f"The message {word}: {said['detail']}", as_json=as_json)
    if not said["is_delivered"]:
        raise typer.Exit(1)


async def _channel(at: Connected, name: str) -> int:
    from app.core.errors import NotFound
    from app.core.registry import suggestion
    from app.repositories import notification_channels

    known = {row["name"]: row["id"] for row in await notification_channels.sealed(at.pool)}
    if name not in known:
        raise NotFound(f"There is no channel {name!r}.", remedy=suggestion(name, known))
    return int(known[name])


def _address() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    return str(typer.prompt("Address, as apprise writes it", hide_input=True)).strip()


def _quiet(text: str | None) -> dict[str, Any]:
    from datetime import time

    from app.core.errors import InvalidInput

    if text is None:
        return {"quiet_from": None, "quiet_to": None}
    start, _, end = text.partition("-")
    try:
        return {"quiet_from": time.fromisoformat(start), "quiet_to": time.fromisoformat(end)}
    except ValueError:
        raise InvalidInput(
            f"{text!r} are no hours.", field="quiet", remedy="Write them like 22:00-07:00."
        ) from None


def _alerts(at: Connected) -> "Alerts":
    from app.services.alerts import Alerts

    return Alerts(at.pool, *_journal_and_audit(at))


def _notifications(at: Connected) -> "Notifications":
    from app.core import registry
    from app.core.clock import system
    from app.core.config import settings
    from app.core.vault import open_vault
    from app.services.notifications import Notifications

    vault = open_vault(settings.home, settings.app)
    notifier = registry.load("notifiers", "apprise")()
    return Notifications(at.pool, vault, notifier, at.audit_key, system)


def _journal_and_audit(at: Connected) -> Any:  # noqa: ANN401 - three arguments, in their order
    from app.core.clock import system
    from app.repositories.journal import SharedJournal

    return SharedJournal(at.pool, at.journal_key), at.audit_key, system
