"""A feed is as it always is, but for the drill that mutes it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from app import bootstrap
from app.adapters.clients.muted import MutedSource
from app.core import drills
from app.core.drills import Drill
from app.domain.deployments import AccountMode
from app.marketdata.ports import Channel, Heartbeat, LiveItem, LiveSource, Subscription
from app.repositories.accounts import Account, AccountSettings

WANTED = Subscription(symbols=("AAPL",), channels=frozenset({Channel.BARS}))


class Beating:
    """A vendor that says that it lives, and nothing else."""

    name = "beating"
    channels = frozenset({Channel.BARS})
    replays = True

    def __init__(self) -> None:
        self.said = 0
        self.is_open = False

    async def live(self, subscription: Subscription) -> AsyncGenerator[LiveItem]:
        self.is_open = True
        try:
            while self.said < 9:
                self.said += 1
                yield Heartbeat(datetime(2026, 1, 2, 15, self.said, tzinfo=UTC))
        finally:
            self.is_open = False


def muted(home: Path) -> tuple[Beating, MutedSource]:
    (home / "run").mkdir()
    vendor = Beating()
    return vendor, MutedSource(vendor, 1, home)


async def test_a_muted_feed_says_nothing_and_stays_connected(tmp_path: Path) -> None:
    vendor, source = muted(tmp_path)
    async with aclosing(source.live(WANTED)) as items:
        assert await anext(items)
        drills.ask(tmp_path, 1, Drill.MUTE_FEED, 60)
        assert [item async for item in items] == []
        assert vendor.said == 9


async def test_it_is_heard_again_and_other_drills_and_accounts_leave_it_alone(
    tmp_path: Path,
) -> None:
    vendor, source = muted(tmp_path)
    drills.ask(tmp_path, 1, Drill.STORM, 60)
    drills.ask(tmp_path, 2, Drill.MUTE_FEED, 60)
    async with aclosing(source.live(WANTED)) as items:
        assert await anext(items)
        assert vendor.is_open
    assert not vendor.is_open, "the vendor's connection ends with ours"


def test_it_is_what_the_vendor_is(tmp_path: Path) -> None:
    _, source = muted(tmp_path)
    assert isinstance(source, LiveSource)
    assert (source.name, source.channels, source.replays) == ("beating", Beating.channels, True)


def test_only_a_paper_account_that_allows_drills_can_be_muted() -> None:
    vendor = Beating()
    allowed = Account(
        id=1,
        name="One",
        broker="alpaca",
        mode=AccountMode.PAPER,
        currency="USD",
        dataset="live",
        starting_cash=Decimal(0),
        clock_at=None,
        settings=AccountSettings(broker={"drills": True}),
    )
    assert isinstance(bootstrap.drilled_source(allowed, vendor), MutedSource)
    for other in (
        msgspec.structs.replace(allowed, settings=AccountSettings()),
        msgspec.structs.replace(allowed, mode=AccountMode.LIVE),
    ):
        assert bootstrap.drilled_source(other, vendor) is vendor
