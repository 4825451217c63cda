"""What the guardian does about an engine that is silent: the halt first, then the broker."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.core.errors import ConfigurationError, NotFound
from app.db import pulses
from app.db.halt_file import HaltFile, halt_now
from app.domain.deployments import AccountMode
from app.guardian.guardian import Guardian
from app.guardian.process import broker_of
from app.repositories import heartbeats, trading_state
from app.repositories.accounts import Account, AccountSettings
from tests.venue import Venue
from tests.waiting import until

from .conftest import Door, make_pulse

Guard = Callable[..., Guardian]


async def truly(question: Callable[[], Any]) -> Any:
    async def ask() -> Any:
        return question()

    return await until(ask, 60)


def asked(venue: Venue, kind: str) -> list[str]:
    return [identity for what, identity in venue.requests if what == kind]


async def state_of(pool: asyncpg.Pool, account_id: int) -> str:
    found = await pool.fetchval(
        "SELECT state FROM trading_state WHERE scope = $1", f"account:{account_id}"
    )
    return str(found)


async def commands_of(pool: asyncpg.Pool) -> list[tuple[str, str]]:
    rows = await pool.fetch("SELECT kind, actor FROM commands ORDER BY id")
    return [(row["kind"], row["actor"]) for row in rows]


async def test_a_silent_engine_is_halted_and_its_orders_cancelled(
    guard: Guard, pool: asyncpg.Pool, account_id: int, venue: Venue, tmp_path: Path
) -> None:
    pulses.write(tmp_path, make_pulse(account_id))
    guard()
    await truly(lambda: not venue.exchange.open())
    assert HaltFile(tmp_path, account_id).is_there()
    await until(lambda: told(pool, account_id), 60)
    assert await commands_of(pool) == [("trading_halt", "guardian")]
    assert venue.exchange.positions["AAPL"] == 10
    assert asked(venue, "submit") == []


async def told(pool: asyncpg.Pool, account_id: int) -> bool:
    alert = "SELECT detail FROM alerts WHERE account_id = $1 AND severity = 'critical'"
    detail = await pool.fetchval(alert, account_id)
    return detail is not None and await state_of(pool, account_id) == "halted"


async def test_the_halt_comes_before_the_cancels(
    guard: Guard, account_id: int, venue: Venue, tmp_path: Path
) -> None:
    """At the instant of the first cancel the file is there already."""
    was_there: list[bool] = []
    file = HaltFile(tmp_path, account_id)
    begin = venue.exchange.end
    venue.exchange.end = lambda *given: (was_there.append(file.is_there()), begin(*given))  # type: ignore[method-assign,func-returns-value,assignment]  # looks, and goes on
    pulses.write(tmp_path, make_pulse(account_id))
    guard()
    await truly(lambda: was_there)
    assert was_there[0]


async def test_without_a_database_the_file_halts_and_the_broker_cancels(
    guard: Guard, door: Door, pool: asyncpg.Pool, account_id: int, venue: Venue, tmp_path: Path
) -> None:
    await door.shut()
    pulses.write(tmp_path, make_pulse(account_id))
    guard()
    await truly(lambda: not venue.exchange.open())
    assert HaltFile(tmp_path, account_id).is_there()
    assert await state_of(pool, account_id) == "active"
    await door.open()
    await until(lambda: told(pool, account_id), 60)


async def test_told_to_flatten_it_closes_what_is_ours_after_the_cancels(
    guard: Guard, pool: asyncpg.Pool, account_id: int, venue: Venue, tmp_path: Path
) -> None:
    await pool.execute("INSERT INTO strategies (name) VALUES ('sma_cross')")
    venue.hold("AAPL", 110)
    held = {"d1": {"AAPL": Decimal(10)}, "external": {"AAPL": Decimal(100)}}
    pulses.write(tmp_path, make_pulse(account_id, held=held))
    guard(flatten=True)
    await truly(lambda: venue.exchange.positions["AAPL"] == 100)

    async def is_paused() -> bool:
        return ("deployment_pause", "guardian") in await commands_of(pool)

    await until(is_paused, 60)
    (identity,) = asked(venue, "submit")
    assert identity.startswith(f"{account_id}-d1-AAPL-guardian")
    kinds = [kind for kind, _ in venue.requests]
    assert kinds.index("cancel_all") < kinds.index("submit")


async def test_a_flatten_whose_answer_was_lost_is_not_sent_again(
    guard: Guard, account_id: int, venue: Venue, tmp_path: Path
) -> None:
    venue.faults.lose_answers = 1
    pulses.write(tmp_path, make_pulse(account_id))
    guard(flatten=True)
    await truly(lambda: venue.exchange.positions.get("AAPL") == 0)
    await truly(lambda: "Nothing of ours" in str(venue.requests) or asked(venue, "find")[1:])
    assert len(asked(venue, "submit")) == 1


async def test_a_guardian_that_was_killed_half_way_goes_on(
    guard: Guard, account_id: int, venue: Venue, tmp_path: Path
) -> None:
    """The file names the incident, so the second guardian finds the orders of the first."""
    halt = halt_now(HaltFile(tmp_path, account_id), "silent")
    venue.hold("AAPL", 10)
    pulses.write(tmp_path, make_pulse(account_id))
    guard(flatten=True)
    await truly(lambda: venue.exchange.positions.get("AAPL") == 0)
    (identity,) = asked(venue, "submit")
    assert halt.incident in identity


async def test_a_broker_that_is_away_is_asked_until_it_is_back(
    guard: Guard, account_id: int, venue: Venue, tmp_path: Path
) -> None:
    venue.disconnect()
    pulses.write(tmp_path, make_pulse(account_id))
    guard()
    await truly(lambda: HaltFile(tmp_path, account_id).is_there())
    assert venue.exchange.open()
    venue.connect()
    await truly(lambda: not venue.exchange.open())


async def test_an_engine_that_beats_is_left_alone_and_the_guardian_says_so(
    guard: Guard, pool: asyncpg.Pool, account_id: int, venue: Venue, tmp_path: Path
) -> None:
    made = guard()

    async def seen() -> Any:
        pulses.write(tmp_path, make_pulse(account_id))
        row = await heartbeats.find(pool, heartbeats.GUARDIAN)
        accounts = row["state"]["accounts"] if row else []
        return accounts and accounts[0]["broker_up"] and accounts[0]

    said = await until(seen, 60)
    assert said["state"] == "watching"
    assert said["at_risk"] is True
    assert not HaltFile(tmp_path, account_id).is_there()
    assert asked(venue, "cancel_all") == []
    assert made.links == {account_id: True}


async def test_a_paper_account_is_only_latched(
    guard: Guard, pool: asyncpg.Pool, venue: Venue, tmp_path: Path, account_id: int
) -> None:
    await pool.execute("UPDATE accounts SET broker = 'paper'")
    pulses.write(tmp_path, make_pulse(account_id, broker="paper"))
    guard(flatten=True)
    await until(lambda: told(pool, account_id), 60)
    assert venue.requests == []


async def test_a_pulse_of_another_machine_counts_too(
    guard: Guard, pool: asyncpg.Pool, account_id: int, venue: Venue, tmp_path: Path
) -> None:
    await heartbeats.beat(pool, f"account:{account_id}", make_pulse(account_id))
    guard()
    await truly(lambda: not venue.exchange.open())
    assert HaltFile(tmp_path, account_id).is_there()


@pytest.mark.parametrize("flatten", [True, False])
async def test_a_stop_that_no_gate_confirms_is_carried_out(
    guard: Guard, pool: asyncpg.Pool, account_id: int, venue: Venue, tmp_path: Path, flatten: bool
) -> None:
    """A person stopped; the engine seems well, and does not obey."""
    scope = f"account:{account_id}"
    await pool.execute("INSERT INTO leases (resource, holder, epoch) VALUES ($1, 'core', 1)", scope)
    await trading_state.latch(pool, scope, "halted", "stop", "ann")
    await pool.execute(
        "INSERT INTO commands (account_id, kind, payload, actor)"
        " VALUES ($1, 'trading_halt', jsonb_build_object('flatten', $2::boolean), 'ann')",
        account_id,
        flatten,
    )
    guard(confirm_seconds=0.2, heartbeat_seconds=60, hang_seconds=60)

    async def is_canceled() -> bool:
        pulses.write(tmp_path, make_pulse(account_id))
        return not venue.exchange.open() and (
            not flatten or venue.exchange.positions.get("AAPL") == 0
        )

    await until(is_canceled, 60)
    assert HaltFile(tmp_path, account_id).is_there()
    assert bool(asked(venue, "submit")) is flatten


async def test_a_broker_without_its_key_is_told(
    guard: Guard, pool: asyncpg.Pool, account_id: int, tmp_path: Path, records: Any
) -> None:
    def refuse(*_: Any) -> None:
        raise ConfigurationError("VENUE_KEY is not set.")

    made = guard()
    made._make = refuse
    pulses.write(tmp_path, make_pulse(account_id))
    await truly(lambda: made.status()["accounts"] and made.status()["accounts"][0]["problem"])
    await until(lambda: told(pool, account_id), 60)


async def test_an_account_can_be_known_by_its_pulse_alone(
    guard: Guard, door: Door, venue: Venue, tmp_path: Path
) -> None:
    """The guardian started while the database was away."""
    await door.shut()
    pulses.write(tmp_path, make_pulse(77))
    guard()
    await truly(lambda: not venue.exchange.open())
    await asyncio.sleep(0)


async def test_what_the_broker_does_not_let_it_close_is_told_by_name(
    guard: Guard, pool: asyncpg.Pool, account_id: int, venue: Venue, tmp_path: Path
) -> None:
    venue.faults.refuse = "the symbol is halted"
    pulses.write(tmp_path, make_pulse(account_id))
    guard(flatten=True)

    async def says() -> bool:
        return "NOT closed yet: AAPL" in str(await pool.fetchval("SELECT detail FROM alerts"))

    await until(says, 60)
    assert len({*asked(venue, "submit")}) == 3, "each attempt under an id of its own"


async def test_a_broker_that_cannot_show_its_book_is_asked_again(
    guard: Guard, account_id: int, venue: Venue, tmp_path: Path
) -> None:
    venue.faults.book_fails = RuntimeError("a part of it only")
    pulses.write(tmp_path, make_pulse(account_id))
    guard(flatten=True)
    await truly(lambda: len(asked(venue, "book")) > 1)
    assert asked(venue, "submit") == []
    venue.faults.book_fails = None
    await truly(lambda: venue.exchange.positions.get("AAPL") == 0)


def account_at(broker: str) -> Account:
    return Account(
        id=1, name="Mine", broker=broker, mode=AccountMode.PAPER, currency="USD", dataset="live",
        starting_cash=Decimal(0), clock_at=None, settings=AccountSettings(),
    )  # fmt: skip


def test_adapters_are_found_by_name_and_paper_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert broker_of(account_at("paper"), {}) is None
    with pytest.raises(NotFound, match="No brokers adapter is named 'alpacca'"):
        broker_of(account_at("alpacca"), {})
    with pytest.raises(ConfigurationError, match="ALPACA_API_KEY"):
        broker_of(account_at("alpaca"), {})
    monkeypatch.setenv("ALPACA_API_KEY", "k" * 20)
    monkeypatch.setenv("ALPACA_SECRET_KEY", "s" * 40)
    made = broker_of(account_at("alpaca"), {})
    assert made is not None
    assert made.name == "alpaca"
