"""`tradewright drill`: hurt a running system on a paper account, and measure how it recovers."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, TypeVar

import asyncpg
import msgspec
import typer

from app.console.output import Json, show, table
from app.core import drills, tasks
from app.core.drills import EXPLAINED, Drill
from app.core.environment import home
from app.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from app.core.live import LiveOptions
from app.core.registry import suggestion
from app.db.address import database_url
from app.domain.deployments import AccountMode
from app.repositories import accounts
from app.repositories import drills as seen
from app.repositories.accounts import Account
from app.repositories.drills import Seen

SECONDS: Final = 20.0
PATIENCE: Final = 120.0
"Seconds that a recovery may take before the drill gives up."
LOOK_SECONDS: Final = 0.05
T = TypeVar("T")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a drill showed. Seconds; None where that cannot be known."""

    drill: Drill
    account: str
    seconds_to_detect: float | None
    "From the fault until the platform itself knew."
    seconds_to_recover: float
    "From the end of the fault (of a kill: from the kill) until orders could be sent again."
    orders_lost: int
    "Differences between our books and the broker's that were left."
    orders_doubled: int
    "Orders that were filled for more than they are for."
    fills_before: int
    fills_after: int
    alerts: list[str]
    "What an operator was told."

    @property
    def is_sound(self) -> bool:
        return not self.orders_lost and not self.orders_doubled


def drill(
    name: Annotated[str | None, typer.Argument(help="Which fault; see --list.")] = None,
    account: Annotated[
        str | None, typer.Option(help="Name or id of a paper account; default: the only one.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=300,
            help="How long the fault lasts; default 20, for mute-feed what it takes to notice it.",
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say which drills there are.")] = False,
    as_json: Json = False,
) -> None:
    """Hurt a running system on a paper account, and say how long it took to notice and recover."""
    if list_ or name is None:
        rows = [{"drill": str(one), "fault": text} for one, text in EXPLAINED.items()]
        show(rows, table(rows, ("drill", "fault")), as_json=as_json)
        return
    if name not in set(Drill):
        raise InvalidInput(
            f"There is no drill {name!r}.", field="name", remedy=suggestion(name, Drill)
        )
    try:
        found = tasks.run(drilled(Drill(name), account, seconds or _long_enough(Drill(name))))
    except (OSError, asyncpg.PostgresError) as error:
        raise Unavailable(
            f"The database does not answer: {error}", remedy="Start it with `tradewright up`."
        ) from None
    show(msgspec.to_builtins(found), _lines(found), as_json=as_json)
    if not found.is_sound:
        raise typer.Exit(1)


def _long_enough(which: Drill) -> float:
    """A feed is silent only after a while."""
    return SECONDS + (LiveOptions().silent_seconds if which is Drill.MUTE_FEED else 0.0)


async def drilled(which: Drill, wanted: str | None, seconds: float) -> Found:
    """Hurt it and look. Raises where it may not be hurt, or nobody notices or recovers."""
    chosen = await _account(which, wanted)
    before = await _look(lambda db: seen.look(db, chosen.id))
    if not before.is_well:
        raise Conflict(
            f"{chosen.name} is not well before the drill: {_plight(before)}.",
            remedy="Wait until `tradewright status` shows it connected and reconciled.",
        )
    counted = await _look(lambda db: seen.counts(db, chosen.id))
    if which is Drill.DUPLICATE_FILL and not counted.fills:
        raise Conflict(
            f"{chosen.name} has no fill that could be told twice.",
            remedy="Let one order fill since the last start, then drill.",
        )
    detect, recover = await _FAULTS[which](chosen, which, seconds)
    after = await _look(lambda db: seen.look(db, chosen.id))
    then = await _look(lambda db: seen.counts(db, chosen.id))
    is_more = which is Drill.DUPLICATE_FILL and then.fills > counted.fills
    return Found(
        drill=which,
        account=chosen.name,
        seconds_to_detect=detect,
        seconds_to_recover=recover,
        orders_lost=after.differences,
        orders_doubled=then.doubled + is_more,
        fills_before=counted.fills,
        fills_after=then.fills,
        alerts=await _look(lambda db: seen.alerts_since(db, chosen.id, before.at)),
    )


async def _account(which: Drill, wanted: str | None) -> Account:
    """Raises where it is not there, where it is real money, or where it has no drills."""
    known = await _look(accounts.active)
    if which is Drill.DATABASE_LOSS and (
        live := [one.name for one in known if one.mode is AccountMode.LIVE]
    ):
        raise Conflict(
            f"The database is that of real money too: {', '.join(live)}.",
            remedy="Drill on an installation without live accounts.",
        )
    fitting = [one for one in known if wanted in (None, one.name, str(one.id))]
    if len(fitting) != 1:
        names = [one.name for one in known]
        if wanted is not None:
            raise NotFound(f"There is no account {wanted!r}.", remedy=suggestion(wanted, names))
        raise InvalidInput(
            f"There are {len(known)} accounts.", field="account",
            remedy=f"Name one of: {', '.join(names)}.",
        )  # fmt: skip
    (one,) = fitting
    if one.mode is not AccountMode.PAPER:
        raise Conflict(
            f"{one.name} trades real money.", remedy="Drill on a paper account at the broker."
        )
    if which is not Drill.DATABASE_LOSS and not one.settings.broker.get(drills.SETTING):
        raise Conflict(
            f"{one.name} allows no drills.",
            remedy=f"Add a paper account with --broker-setting {drills.SETTING}=true.",
        )
    return one


# -------------------------------------------------------------------------------------- faults


async def _at_the_broker(chosen: Account, which: Drill, seconds: float) -> tuple[float, float]:
    """A fault of so many seconds, then what comes after it."""
    return await _for_a_while(chosen, which, seconds, lambda now: now.is_well)


async def _for_a_while(
    chosen: Account, which: Drill, seconds: float, is_well: Callable[[Seen], bool]
) -> tuple[float, float]:
    """Until it was noticed that all is not well, and from the fault's end until it is again."""
    began = time.monotonic()
    drills.ask(home(), chosen.id, which, seconds)
    try:
        await _until(chosen, lambda now: not is_well(now), "notices it", seconds)
        detected = time.monotonic() - began
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
    finally:
        drills.stop(home(), chosen.id)
    ended = time.monotonic()
    await _until(chosen, is_well, "recovers", PATIENCE)
    return detected, time.monotonic() - ended


async def _at_the_feed(chosen: Account, which: Drill, seconds: float) -> tuple[float, float]:
    """Feeds that say nothing, then what comes after that."""
    if not (await _look(lambda db: seen.look(db, chosen.id))).has_feed:
        raise Conflict(
            f"{chosen.name} hears no live feed that could fall silent.",
            remedy="Drill while the market is open and the Data page shows a source that is up.",
        )
    silence = LiveOptions().silent_seconds
    if seconds <= silence:
        raise InvalidInput(
            f"A feed counts as silent after {silence:g} s, and {seconds:g} s are less.",
            field="seconds",
            remedy=f"Let it last {silence + SECONDS:g} s, or lower LIVE_SILENT_SECONDS.",
        )
    return await _for_a_while(chosen, which, seconds, lambda now: now.is_well and now.has_feed)


async def _at_the_fills(chosen: Account, which: Drill, seconds: float) -> tuple[None, float]:
    """Fills told again: nothing may come of it, also when the books are compared next."""
    began, start = time.monotonic(), await _look(lambda db: seen.look(db, chosen.id))
    drills.ask(home(), chosen.id, which, seconds)
    try:
        await asyncio.sleep(seconds)
    finally:
        drills.stop(home(), chosen.id)

    def is_compared(now: Seen) -> bool:
        looked = now.looked_at
        return now.is_well and looked is not None and looked > start.at

    await _until(chosen, is_compared, "compares its books", PATIENCE)
    return None, time.monotonic() - began - seconds


async def _at_the_database(chosen: Account, which: Drill, seconds: float) -> tuple[None, float]:
    """Kill -9 of the PostgreSQL that `up` keeps; it comes back by itself.

    The engine is back when it has renewed its hold on the account. When it noticed is known to
    nobody but its log: there is no database to write that to.
    """
    before = await _look(lambda db: seen.look(db, chosen.id))
    os.kill(_postmaster(home()), signal.SIGKILL)
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            now = await _look(lambda db: seen.look(db, chosen.id))
            if now.is_well and now.engine_until > before.engine_until:
                return None, time.monotonic() - began
        await asyncio.sleep(LOOK_SECONDS)
    raise Unavailable(f"{chosen.name} has not recovered in {PATIENCE:g} s.")


def _postmaster(place: Path) -> int:
    """Raises Conflict where PostgreSQL is not one that `up` keeps."""
    from app.db.home import running

    with suppress(OSError, ValueError, IndexError):
        if running(place) is not None:
            return int((place / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    raise Conflict(
        "PostgreSQL is not one that `tradewright up` keeps here.",
        remedy="This drill kills the embedded one only; start `up` without DATABASE_URL.",
    )


_FAULTS: Final[
    dict[Drill, Callable[[Account, Drill, float], Awaitable[tuple[float | None, float]]]]
] = {
    Drill.GATEWAY_RESTART: _at_the_broker,
    Drill.STORM: _at_the_broker,
    Drill.MUTE_FEED: _at_the_feed,
    Drill.DUPLICATE_FILL: _at_the_fills,
    Drill.DATABASE_LOSS: _at_the_database,
}

# ------------------------------------------------------------------------------------- looking


async def _look(ask: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """One question, by a connection of its own: the database may be what is hurt."""
    db = await asyncpg.connect(database_url(), timeout=5)
    try:
        return await ask(db)
    finally:
        await db.close()


async def _until(chosen: Account, is_so: Callable[[Seen], bool], what: str, seconds: float) -> None:
    """Raises Unavailable that says how the account is instead."""
    ends = time.monotonic() + seconds
    while not is_so(now := await _look(lambda db: seen.look(db, chosen.id))):
        if time.monotonic() > ends:
            raise Unavailable(f"{seconds:g} s and nobody {what}; {_plight(now)}.")
        await asyncio.sleep(LOOK_SECONDS)


def _plight(now: Seen) -> str:
    engine = "an engine has it" if now.has_engine else "no engine has it"
    books = "reconciled" if now.is_reconciled else "not reconciled"
    link = "" if now.state is None else f", its link is {now.state}, {books}"
    return f"{engine}{link}, {now.failures} looks at the books failed"


def _lines(found: Found) -> list[str]:
    noticed = found.seconds_to_detect
    lines = [
        f"{found.drill} on {found.account}",
        "noticed: not measured, see docs/drills.md"
        if noticed is None
        else f"noticed after {noticed:.2f} s",
        f"recovered in {found.seconds_to_recover:.2f} s",
        f"orders lost {found.orders_lost}, doubled {found.orders_doubled};"
        f" fills {found.fills_before} before, {found.fills_after} after",
    ]
    return [*lines, *(f"the operator saw: {one}" for one in found.alerts)]
