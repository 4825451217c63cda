"""Two stored days decided again: the same by the same code, and by other code the cause is told."""

import asyncio
import json
import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import Parts
from app.cli import main
from app.core.clock import now, system
from app.core.errors import NotFound
from app.jobs import replay_day as nightly
from app.jobs.registry import JobContext
from app.repositories import accounts
from app.repositories.stock_data import Policy, StockData
from app.runner.replay_day import DayAgain, DayReplay
from app.strategies.base import Columns
from app.strategies.catalog import Catalogue
from app.strategies.sma_cross import SmaCross
from tests.core_process import REPLAY_OVER
from tests.factories import make_batch
from tests.runner.conftest import trading, until, waves, write_bars

FIRST, SECOND = date(2024, 3, 1), date(2024, 3, 4)
prepared = SmaCross.prepare


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A whole session and an hour of the next."""
    return write_bars(tmp_path / "waves", {"AAPL": waves(450), "SPY": waves(450, 400)})


@pytest.fixture
async def traded(parts: Parts) -> Parts:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
    return parts


async def again(parts: Parts, day: date) -> DayReplay:
    account = await accounts.get(parts.pool, 1)
    return await DayAgain(parts.pool, account, parts.catalogue, day, parts.journal_key).run()


async def test_both_days_are_decided_as_they_were(traded: Parts) -> None:
    first, second = await again(traded, FIRST), await again(traded, SECOND)
    assert (first.is_same, first.cause, first.differences) == (True, None, [])
    assert (second.is_same, second.cause) == (True, None)
    assert first.inputs > 390
    assert 60 < second.inputs < first.inputs
    stored = "SELECT count(*) FROM trading_events WHERE event_type = $1 AND stream = 'account:1'"
    for name, told in (("signal_raised", "signals"), ("order_approved", "orders")):
        many = await traded.pool.fetchval(stored, name)
        assert getattr(first, told) + getattr(second, told) == many > 0


async def test_other_code_is_told_with_the_first_difference(
    traded: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def later(self: SmaCross, bars: Columns) -> Columns:
        return dict(prepared(SmaCross(fast=self.fast + 3, slow=self.slow), bars))

    monkeypatch.setattr(SmaCross, "prepare", later)
    found = await again(traded, FIRST)
    assert found.different >= 1
    assert found.cause is not None
    assert found.cause.startswith("The code")
    assert found.differences[0].was != found.differences[0].now


async def test_a_strategy_that_rolls_dice_is_told(
    traded: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_chance(self: SmaCross, bars: Columns) -> Columns:
        return dict(prepared(SmaCross(fast=random.randint(2, 28), slow=self.slow), bars))

    monkeypatch.setattr(SmaCross, "prepare", by_chance)
    found = await again(traded, FIRST)
    assert found.cause is not None
    assert "chance" in found.cause


async def test_a_strategy_that_is_gone_is_told(
    traded: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: Catalogue, name: str, *given: Any) -> Any:
        raise NotFound(f"There is no strategy {name}.")

    monkeypatch.setattr(type(traded.catalogue), "make", gone)
    found = await again(traded, FIRST)
    assert found.cause is not None
    assert "sma_cross" in found.cause


async def test_corrected_bars_are_told(traded: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    spikes = make_batch([round(p * 1.2, 2) for p in waves(450)], volume=100_000)
    stock_data = StockData(traded.pool, "replay:waves")
    await stock_data.store([spikes[300:390]], "other", Policy.CORRECT)
    found = await again(traded, SECOND)
    assert found.different >= 1
    assert found.cause is not None
    assert "90 of AAPL (1m)" in found.cause


async def test_a_journal_that_was_changed_is_told(traded: Parts) -> None:
    async with traded.pool.acquire() as db, db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute(
            "UPDATE trading_events SET payload = replace(payload::text,"
            " '\"AAPL\"', '\"SPY\"')::json"
            " WHERE stream = 'account:1' AND event_type = 'signal_raised'"
        )
    found = await again(traded, FIRST)
    assert found.cause is not None
    assert found.cause.startswith("The journal was changed")


async def test_a_day_without_anything_says_which_days_there_are(traded: Parts) -> None:
    with pytest.raises(NotFound) as told:
        await again(traded, date(2024, 3, 2))
    assert told.value.remedy == "Its journal goes from 2024-03-01 to 2024-03-04."


async def test_the_nightly_job_replays_the_last_session_and_a_difference_raises_an_alert(
    traded: Parts,
) -> None:
    context = JobContext(
        run_id=1,
        scheduled_for=now(),
        attempt=1,
        settings=traded.settings,
        url=traded.url,
        pool=traded.pool,
        journal=traded.system,
        clock=system,
        worker="test",
    )
    (said,) = (await nightly.run(context, {})).values()
    assert (said["day"], said["different"]) == (FIRST, 0)
    await traded.pool.execute("UPDATE accounts SET starting_cash = starting_cash / 2")
    (said,) = (await nightly.run(context, {})).values()
    assert said["different"] > 0
    (alert,) = await traded.pool.fetch(
        "SELECT title, detail FROM alerts WHERE category = 'trading'"
    )
    assert alert["title"] == "2024-03-01 is decided otherwise now than it was then"


def asked(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["replay-day", *arguments])
    return int(ended.value.code or 0)


async def test_the_command_answers_right_and_wrong_questions(
    traded: Parts, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = asyncio.to_thread
    assert await ask(asked, "1", "2024-03-01") == 0
    assert "Everything is decided as it was." in capsys.readouterr().out
    assert await ask(asked, "Replay waves", "2024-03-04", "--json") == 0
    assert json.loads(capsys.readouterr().out)["different"] == 0
    for wrong in (("1", "yesterday"), ("9", "2024-03-01"), ("1", "2024-03-02")):
        assert await ask(asked, *wrong) == 2
    said = capsys.readouterr().err
    assert "no day" in said
    assert "no account" in said
    assert "2024-03-01 to 2024-03-04" in said
