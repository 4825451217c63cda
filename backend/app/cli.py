"""The `tradewright` command: a table of names; only the command that is asked for is imported."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

from app.core.errors import InvalidInput, NotFound, TradewrightError

WRONG_USE: Final = 2
FAILED: Final = 1


class Entry(NamedTuple):
    """Where a command lives: `app.console.<module>`, under its own name or as `app`."""

    module: str
    help: str


COMMANDS: Final = {
    "up": Entry("up", "Start everything and keep it running until Ctrl-C."),
    "status": Entry("status", "Show trading state, health, deployments, orders and positions."),
    "doctor": Entry("doctor", "Check this machine, the settings and the running parts."),
    "config": Entry("config", "Settings and limits: check, get, set, history, rollback."),
    "db": Entry("db", "The database: url, upgrade, downgrade, check, sample."),
    "data": Entry("data", "Market data: fetch, import, check, gaps, export."),
    "strategy": Entry("strategy", "Strategies: new, list, show, validate."),
    "indicators": Entry("strategy", "List the indicators of the catalogue."),
    "backtest": Entry("backtest", "Run a strategy over stored bars."),
    "deploy": Entry("trading", "Put a strategy to work on an account."),
    "accounts": Entry("accounts", "List the accounts, or add one on live data."),
    "deployments": Entry("trading", "List the deployments."),
    "signals": Entry("trading", "List the signals."),
    "order": Entry("order", "Orders by hand: buy, sell, replace, cancel."),
    "orders": Entry("trading", "List the orders."),
    "positions": Entry("trading", "List the positions."),
    "trades": Entry("trading", "List the round trips."),
    "options": Entry("options", "Show the option chain on a stock, with greeks."),
    "events": Entry("trading", "List the journal's events."),
    "alerts": Entry("alerts", "Alerts and their channels: list, acknowledge, resolve, test."),
    "dead-letters": Entry("dead_letters", "Events that a handler gave up on: list, redrive."),
    "estop": Entry("control", "Emergency stop: nothing but cancels reaches a broker."),
    "reduce": Entry("control", "Let positions only shrink."),
    "resume": Entry("control", "Trade again after a stop."),
    "reconcile": Entry("reconcile", "Hold our books against the broker's."),
    "broker": Entry("broker", "Brokers: certify an adapter on a paper account."),
    "explain": Entry("explain", "Say why there was, or was not, a trade."),
    "replay-day": Entry("replay_day", "Decide a day of an account again, and compare."),
    "risk": Entry("risk", "Limits by scope: show, set, rollback, what-if."),
    "jobs": Entry("jobs", "Jobs and schedules: list, history, run, pause, resume."),
    "audit": Entry("audit", "What people did, and the hash chains: verify, anchor, list."),
    "secrets": Entry("secrets", "Keys of vendors, sealed: set, list, rotate, delete."),
    "keys": Entry("keys", "API keys: create, list, revoke."),
    "users": Entry("users", "People and their roles."),
    "backup": Entry("backup", "Backups: create, list, verify, restore."),
    "upgrade": Entry("upgrade", "Migrate a copy first, then the database."),
    "openapi": Entry("openapi", "Print the OpenAPI document."),
    "reference": Entry("reference", "Print a page of docs/ that is made from the code."),
    "sim": Entry("sim", "Prove the order path on a simulated world: run, replay."),
    "drill": Entry("drill", "Hurt a running system on a paper account; measure recovery."),
    "torture": Entry("torture", "Kill the real thing again and again, and hold the books."),
    "bench": Entry("bench", "Measure this machine against the figures to reach."),
    "core": Entry("core", "Run the trading process alone (`up` runs it for you)."),
    "api": Entry("api", "Run the web server alone (`up` runs it for you)."),
    "guardian": Entry("guardian", "Run the guardian alone (`up` runs it for you)."),
    "worker": Entry("worker", "Run jobs and schedules alone (`up` runs it for you)."),
}


class Commands(TyperGroup):
    """Looks commands up in the table, so that --help imports none of them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - Typer keeps its class private
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - as above
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as above
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from app.core.registry import suggestion

            ctx.fail(f"There is no command {name!r}. {suggestion(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def load(name: str) -> Any:  # noqa: ANN401 - a command of Typer
    """The command from its module: a Typer app or a function of that name, else `app`."""
    entry = COMMANDS[name]
    module = import_module(f"app.console.{entry.module}")
    found = getattr(module, name, None) or module.app
    if not isinstance(found, typer.Typer):
        alone = plain_app()
        alone.command(name)(found)
        found = alone
    found.rich_markup_mode = None
    command = get_command(found)
    command.name = name
    return command


def plain_app(**options: Any) -> typer.Typer:  # noqa: ANN401 - Typer's own options
    """A Typer app in the house's style: plain text, no completion options."""
    return typer.Typer(
        rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False, **options
    )


def print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tradewright {version('tradewright')}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=print_version, is_eager=True, help="Print it and stop."),
]
app = plain_app(cls=Commands)


@app.callback(no_args_is_help=True)
def tradewright(version: Version = False) -> None:
    """Tradewright: a self-hosted trading platform. Everything runs on this machine."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 failed, 2 wrong use."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        get_command(app).main(args=given, prog_name="tradewright")
    except TradewrightError as error:
        report(error, as_json="--json" in given)
        sys.exit(WRONG_USE if isinstance(error, InvalidInput | NotFound) else FAILED)


def report(error: TradewrightError, *, as_json: bool) -> None:
    """Say what went wrong, as a sentence on stderr or as JSON on stdout."""
    if not as_json:
        print(f"tradewright: {error}", file=sys.stderr)
        return
    import json

    problem = {"code": error.code, "detail": error.message, "remedy": error.remedy}
    print(json.dumps({"error": problem}))


if __name__ == "__main__":
    main()
