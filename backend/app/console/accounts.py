"""`tradewright accounts`: list them, or open one on live data, paper or at a broker."""

import asyncio
import sys
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from app.console.connection import Connected, run
from app.console.output import Json, show
from app.console.words import money_of, names_in, parameter_of, show_list
from app.core.clock import system
from app.core.config import settings
from app.core.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from app.core.live import FEED_ORDER
from app.core.registry import suggestion
from app.domain.deployments import AccountMode
from app.marketdata.option_choice import OptionLimits

if TYPE_CHECKING:
    from app.repositories.accounts import Account

_LIMITS: Final = OptionLimits()
Days = Annotated[int, typer.Option(help="Options: contracts that expire within so many days.")]
Percent = Annotated[float, typer.Option(help="Options: strikes so many percent from the price.")]
Contracts = Annotated[int, typer.Option(help="Options: at most so many contracts of each stock.")]
app = typer.Typer(
    help="List the accounts, or add one.", add_completion=False, invoke_without_command=True
)


@app.callback()
def listing(context: typer.Context, as_json: Json = False) -> None:
    """List the accounts, or add one."""
    if context.invoked_subcommand is not None:
        return

    async def work(at: Connected) -> list[dict[str, Any]]:
        from app.repositories import account_reports

        return (await account_reports.listing(at.pool)(1000, None)).items

    columns = (
        "id",
        "name",
        "broker",
        "mode",
        "dataset",
        "equity",
        "cash",
        "trading_state",
        "is_running",
    )
    show_list("accounts", run(work), columns, as_json=as_json)


@app.command("create", help="The same as add.", hidden=True)
@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What you call it.")],
    feeds: Annotated[
        str, typer.Option(help="Comma-separated providers, the best first: alpaca,twelve_data.")
    ],
    symbols: Annotated[str, typer.Option(help="Comma-separated, such as AAPL,SPY.")],
    cash: Annotated[
        str, typer.Option(help="Money to begin with; at a real broker it is what is there.")
    ] = "100000",
    broker: Annotated[str, typer.Option(help="Who trades: paper, alpaca or ibkr.")] = "paper",
    mode: Annotated[
        str, typer.Option(help="paper: the broker's own demonstration account; live: real money.")
    ] = "paper",
    broker_setting: Annotated[
        list[str] | None,
        typer.Option(help="What the broker has to know, as name=value; repeat it."),
    ] = None,
    options: Annotated[
        str, typer.Option(help="Comma-separated stocks whose option chains are followed.")
    ] = "",
    option_days: Days = _LIMITS.days,
    option_strikes: Percent = _LIMITS.percent,
    option_contracts: Contracts = _LIMITS.contracts,
    as_json: Json = False,
) -> None:
    """Open an account on live data. Each provider but the first steps in for those before."""
    wish = _Wish(
        name=name,
        chain=[one.lower() for one in feeds.replace(" ", "").split(",") if one],
        symbols=names_in(symbols),
        cash=money_of(cash),
        underlyings=_some(options),
        limits=OptionLimits(days=option_days, percent=option_strikes, contracts=option_contracts),
        broker=broker,
        mode=mode_of(mode),
        settings=dict(map(parameter_of, broker_setting or [])),
    )
    check_feeds(wish.chain, with_options=bool(wish.underlyings))
    check_broker(wish.broker, wish.mode, wish.settings)
    row = run(partial(_open, wish=wish))
    show(row, _opened(row, wish), as_json=as_json)


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """An account to be opened, as the words of the command say it."""

    name: str
    chain: list[str]
    symbols: list[str]
    cash: Decimal
    underlyings: tuple[str, ...]
    limits: OptionLimits
    broker: str
    mode: AccountMode
    settings: dict[str, Any]


async def _open(at: Connected, wish: _Wish) -> dict[str, Any]:
    from app.services.live_accounts import LiveAccounts

    account = await LiveAccounts(at.pool, at.audit_key, system).open(
        "console",
        wish.name,
        wish.chain,
        wish.symbols,
        cash=wish.cash,
        options=wish.underlyings,
        option_limits=wish.limits,
        broker=wish.broker,
        mode=wish.mode,
        broker_settings=wish.settings,
    )
    return _shown(account)


def _opened(row: dict[str, Any], wish: _Wish) -> str:
    line = f"Account {row['id']} {row['name']!r} gets its prices from {', then '.join(wish.chain)}."
    if wish.broker != "paper":
        line += f" It trades at {wish.broker} ({wish.mode}), with what is there."
    if wish.mode is AccountMode.LIVE:
        line += f" Not before it is armed: tradewright accounts arm {wish.name!r} --email ADMIN"
    return line


@app.command()
def arm(
    name: Annotated[str, typer.Argument(help="The account.")],
    email: Annotated[str, typer.Option(help="The admin who takes the responsibility.")],
    as_json: Json = False,
) -> None:
    """Let an account trade real money: asks for its number, and for password and code of an admin.

    Needs TRADEWRIGHT_LIVE_TRADING=true. Without a terminal it reads one answer a line.
    """
    typed = _ask(f"Number of account {name!r} (at the broker, or its id here)")
    password = _ask(f"Password of {email}", hidden=True)
    code = _ask("Code of the authenticator app, empty without one")

    async def work(at: Connected) -> dict[str, Any]:
        from app.services.interlock import Interlock

        user_id = await _proved(at, email, password, code)
        interlock = Interlock(at.pool, at.audit_key, system, is_on=settings.app.live_trading)
        account = await _named(at, name)
        return msgspec.structs.asdict(await interlock.arm(email, user_id, account.id, typed))

    row = run(work)
    line = f"Account {name!r} may trade real money from now on."
    if row["trading_state"] != "active":
        line += f" Its trading is {row['trading_state']} until you resume it: tradewright resume"
    show(row, line, as_json=as_json)


@app.command()
def disarm(
    name: Annotated[str, typer.Argument(help="The account.")], as_json: Json = False
) -> None:
    """Halt an account of real money at once; its engine does not connect again until it is armed.

    Protective legs and positions stay at the broker: flatten it first to leave nothing there.
    """

    async def work(at: Connected) -> dict[str, Any]:
        from app.services.interlock import Interlock

        interlock = Interlock(at.pool, at.audit_key, system, is_on=settings.app.live_trading)
        account = await _named(at, name)
        return msgspec.structs.asdict(await interlock.disarm("console", None, account.id))

    row = run(work)
    line = f"Account {name!r} is not armed; its trading is {row['trading_state']}."
    show(row, line, as_json=as_json)


async def _named(at: Connected, name: str) -> "Account":
    from app.repositories import accounts

    found = await accounts.find(at.pool, name)
    if found is None:
        known = [one.name for one in await accounts.active(at.pool)]
        raise NotFound(f"There is no account {name!r}.", remedy=suggestion(name, known))
    return found


async def _proved(at: Connected, email: str, password: str, code: str) -> int:
    """The admin's id. Raises Unauthenticated, Forbidden for somebody who is no admin."""
    from app.core.security import verify_password
    from app.core.vault import open_vault
    from app.repositories import users
    from app.services.second_factor import SecondFactor

    found = await users.credentials(at.pool, email)
    stored = found["password_hash"] if found and found["active"] else None
    if not verify_password(stored, password) or found is None:
        raise Unauthenticated("The address or the password is wrong.", remedy="Check both.")
    vault = open_vault(settings.home, settings.app)
    await SecondFactor(at.pool, vault, at.audit_key, system).prove(found["id"], code or None)
    if found["id"] not in await users.admins(at.pool):
        raise Forbidden(f"{email} is no admin.", remedy="An admin arms accounts.")
    return int(found["id"])


def _ask(question: str, *, hidden: bool = False) -> str:
    if sys.stdin.isatty():
        answer: str = typer.prompt(question, default="", show_default=False, hide_input=hidden)
        return answer
    return sys.stdin.readline().strip()


@app.command()
def options(
    name: Annotated[str, typer.Argument(help="The account.")],
    follow: Annotated[
        str, typer.Option(help="Comma-separated stocks whose chains are followed; empty for none.")
    ],
    days: Days = _LIMITS.days,
    strikes: Percent = _LIMITS.percent,
    contracts: Contracts = _LIMITS.contracts,
    as_json: Json = False,
) -> None:
    """Choose the option chains that a live account follows. A running one takes it up at once."""
    from app.services.live_accounts import LiveAccounts

    limits = OptionLimits(days=days, percent=strikes, contracts=contracts)

    async def work(at: Connected) -> dict[str, Any]:
        service = LiveAccounts(at.pool, at.audit_key, system)
        return _shown(await service.follow_options("console", name, _some(follow), limits))

    row = run(work)
    followed = ", ".join(row["options"]) or "none"
    show(row, f"Account {row['id']} {name!r} follows option chains: {followed}.", as_json=as_json)


@app.command()
def policy(
    name: Annotated[str, typer.Argument(help="The account, at a real broker.")],
    foreign_orders: Annotated[
        str | None, typer.Option(help="Orders that others make there: adopt or flag.")
    ] = None,
    positions: Annotated[
        str | None, typer.Option(help="Holdings that no trade explains: adopt or flag.")
    ] = None,
    cash: Annotated[str | None, typer.Option(help="Cash paid in or out: adopt or flag.")] = None,
    cash_tolerance: Annotated[
        str | None, typer.Option(help="Fees are booked up to this fraction of the equity.")
    ] = None,
    resume: Annotated[
        bool | None, typer.Option(help="Trade on by ourselves once all is explained.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show, or change, what is done about what came to an account without us."""
    from app.services.live_accounts import LiveAccounts

    wished = {
        "foreign_orders": foreign_orders,
        "positions": positions,
        "cash": cash,
        "cash_tolerance": cash_tolerance,
        "resume": resume,
    }
    given = {key: value for key, value in wished.items() if value is not None}

    async def work(at: Connected) -> dict[str, Any]:
        service = LiveAccounts(at.pool, at.audit_key, system)
        account = await service.change_policy("console", name, given)
        policy: dict[str, Any] = msgspec.to_builtins(account.settings.reconciliation)
        return {"account": account.name, **policy}

    row = run(work)
    lines = [f"{key}: {value}" for key, value in row.items()]
    show(row, lines, as_json=as_json)


def _some(text: str) -> tuple[str, ...]:
    """Symbols, each once; none are allowed."""
    return tuple(dict.fromkeys(names_in(text))) if text.strip(" ,") else ()


def _shown(account: "Account") -> dict[str, Any]:
    settings = account.settings
    return {
        "id": account.id,
        "name": account.name,
        "broker": account.broker,
        "mode": account.mode.value,
        "dataset": account.dataset,
        "feeds": list(settings.chain),
        "symbols": list(settings.symbols),
        "options": list(settings.options),
        "option_limits": msgspec.to_builtins(settings.option_limits),
    }


def mode_of(text: str) -> AccountMode:
    try:
        return AccountMode(text)
    except ValueError:
        raise InvalidInput(
            f"There is no mode {text!r}.", field="mode", remedy=suggestion(text, AccountMode)
        ) from None


def check_broker(name: str, mode: AccountMode, settings: dict[str, Any]) -> None:
    """Raises NotFound with the nearest name, ConfigurationError with the variable of a key."""
    from app import bootstrap
    from app.console.secrets import offer_stored
    from app.domain.ports import BrokerSetup

    async def work() -> None:
        made = bootstrap.make_broker(name, BrokerSetup(account_id=0, mode=mode, settings=settings))
        await made.close()

    offer_stored()
    asyncio.run(work())


def check_feeds(names: list[str], *, with_options: bool = False) -> None:
    """Raises NotFound with the nearest name, ConfigurationError with the variable of a key.

    `with_options` one of them must carry quotes of options.
    """
    from app import bootstrap
    from app.console.secrets import offer_stored
    from app.marketdata.ports import OptionSource

    async def work() -> None:
        made, refused = bootstrap.chain(names, "XNYS")
        has_options = any(isinstance(provider, OptionSource) for provider in made)
        for provider in made:
            await provider.close()
        for error in refused.values():
            raise error
        if with_options and not has_options:
            raise InvalidInput(
                f"{', '.join(names)} carries no quotes of options.",
                field="options",
                remedy="Add databento or alpaca to the feeds.",
            )

    not_live = sorted(set(names) & {"simulator", "replay", "csv"})
    if not_live:
        raise InvalidInput(
            f"{not_live[0]} has no live data.",
            field="feeds",
            remedy=f"There are: {', '.join(FEED_ORDER)}, ibkr, yfinance.",
        )
    offer_stored()
    asyncio.run(work())
