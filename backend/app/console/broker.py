"""`tradewright broker`: run the contract of brokers on a paper account at the vendor."""

import asyncio
import sys
from collections import Counter
from contextlib import redirect_stdout
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from app.console.output import Json, show, table
from app.console.words import parameter_of
from app.core import tasks
from app.core.errors import BrokerUnavailable, InvalidInput, TradewrightError

if TYPE_CHECKING:
    from app.certification.case import Outcome
    from app.certification.venue import Venue

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Brokers: certify an adapter on a paper account.",
)
ACCOUNT: Final = 0
"No account of ours has this id, so that an engine beside us takes none of the orders for its own."


@app.callback()
def group() -> None:
    """Brokers: certify an adapter on a paper account."""


@app.command("certify")
def certify(
    name: Annotated[str, typer.Argument(help="Which adapter: alpaca, ibkr, or an installed one.")],
    symbol: Annotated[str, typer.Option(help="What is ordered, far from the market.")] = "AAPL",
    other_symbol: Annotated[str, typer.Option(help="One with a class, as we write it.")] = "BRK.B",
    broker_setting: Annotated[
        list[str] | None,
        typer.Option(help="What the broker has to know, as name=value; repeat it."),
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Only cases that have this in their name or group.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1, help="How long the broker's word is awaited.")
    ] = 20.0,
    pause: Annotated[
        float, typer.Option(min=0, help="Seconds between cases: brokers count requests.")
    ] = 2.0,
    yes: Annotated[
        bool, typer.Option("--yes-place-orders", help="Do not ask before orders are placed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the contract's cases on your paper account there; needs no database and no engine.

    Orders are for a few shares, bought far below the market, and are canceled again. Cases that
    need a market of our own, or faults, are told as not tried. Run it while the market is open.
    """
    _agreed(name, symbol, yes)
    settings = dict(map(parameter_of, broker_setting or []))
    venue = _venue(name, (symbol, other_symbol), settings, seconds)
    with redirect_stdout(sys.stderr):  # adapters log, and our own output may be for a program
        outcomes = tasks.run(_run(venue, only, pause, as_json))
    counts = Counter(str(one.status) for one in outcomes)
    _tell(name, outcomes, counts, as_json)
    if counts["failed"] or not counts["passed"]:
        raise typer.Exit(1)


def _agreed(name: str, symbol: str, yes: bool) -> None:
    """Raises InvalidInput where nobody has said that orders may be placed."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"Certifying {name} places orders on your paper account there.",
            field="yes-place-orders",
            remedy="Say --yes-place-orders.",
        )
    typer.confirm(f"Place small orders for {symbol} on your paper account at {name}?", abort=True)


def _venue(
    name: str, symbols: tuple[str, str], settings: dict[str, Any], seconds: float
) -> "Venue":
    """Raises ConfigurationError for keys or addresses of real money."""
    from app import bootstrap
    from app.certification.venue import Venue
    from app.console.secrets import offer_stored
    from app.domain.deployments import AccountMode
    from app.domain.instruments import Instrument
    from app.domain.ports import Broker, BrokerSetup

    offer_stored()
    setup = BrokerSetup(
        account_id=ACCOUNT,
        mode=AccountMode.PAPER,
        instruments={one: Instrument(one) for one in symbols},
        settings=settings,
    )

    def make() -> Broker:
        return bootstrap.make_broker(name, setup)

    return Venue(
        make, account_id=ACCOUNT, symbol=symbols[0], other_symbol=symbols[1],
        run=f"cert-{token_hex(4)}", seconds=seconds,
    )  # fmt: skip


async def _run(venue: "Venue", only: str | None, pause: float, as_json: bool) -> list["Outcome"]:
    from app.certification.desk import Desk
    from app.certification.suite import CASES, run

    wanted = [one for one in CASES if only is None or only in f"{one.group} {one.title}"]
    if not wanted:
        groups = ", ".join(dict.fromkeys(one.group for one in CASES))
        raise InvalidInput(
            f"No case has {only!r} in its name.", field="only", remedy=f"Groups are {groups}."
        )
    try:
        await venue.join()
    except TimeoutError as error:
        raise TradewrightError(str(error), remedy="See docs/brokers/ for what to set up.") from None
    try:
        await _warmed(Desk(venue, number=-10))
        outcomes = []
        async for outcome in run(venue, wanted, pause_seconds=pause):
            outcomes.append(outcome)
            if not as_json and sys.stderr.isatty():
                print(f"{outcome.status:<9}  {outcome.case}", file=sys.stderr, flush=True)
        return outcomes
    finally:
        await venue.leave()


async def _warmed(desk: Any) -> None:  # noqa: ANN401 - a Desk, imported where it is used
    """Have the broker look up what the symbols are: an order does not wait for that."""
    for symbol in (desk.venue.symbol, desk.venue.other_symbol):
        for _ in range(20):
            try:
                order = await desk.take(symbol=symbol)
            except BrokerUnavailable:
                await asyncio.sleep(0.5)
                continue
            except (TradewrightError, TimeoutError):  # the cases say it better
                break
            await desk.cancel(order.client_order_id)
            break


def _tell(name: str, outcomes: list["Outcome"], counts: Counter[str], as_json: bool) -> None:
    rows = [msgspec.to_builtins(one) for one in outcomes]
    summary = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
    found = {"broker": name, **{k.replace(" ", "_"): n for k, n in counts.items()}, "cases": rows}
    lines = [*table(rows, ("status", "group", "case", "detail")), f"{name}: {summary}."]
    show(found, lines, as_json=as_json)
