"""Corporate actions of an account's symbols, as its engine and strategies learn of them."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

import asyncpg

from app.domain.events import CorporateActionDue, SessionOpened
from app.marketdata.adjustments import Adjustment, adjustments
from app.marketdata.calendar import TradingCalendar
from app.marketdata.due_actions import Schedule
from app.repositories import corporate_actions

SIMULATED_DATASET: Final = "simulated"
_LATEST: Final = timedelta(days=366)
"How long after its ex-date an action may become known and still be told."


class Actions:
    """The actions of one data set, read where they are needed: there are few."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        dataset: str,
        calendar: TradingCalendar,
        lived_since: date | None = None,
    ) -> None:
        """`lived_since`: of an account on the real market, the day it began.

        From then on an action counts as known when it was stored, at the earliest: what a vendor
        tells afterwards never changes what the account was shown before.
        """
        self._pool, self._dataset, self._calendar = pool, dataset, calendar
        self._lived_since = lived_since

    async def due(
        self, symbols: Iterable[str], after: date | None, opened: SessionOpened
    ) -> list[CorporateActionDue]:
        """What takes effect after session `after` up to the one that opens, in order."""
        if self._dataset == SIMULATED_DATASET:
            return []  # nothing happens to companies that are made up
        known = await corporate_actions.load(
            self._pool,
            self._dataset,
            sorted(symbols),
            start=opened.session - _LATEST,
            end=opened.session + timedelta(days=1),
            known_by=opened.at,
            lived_since=self._lived_since,
        )
        return Schedule(known, self._calendar).due(after, opened.session, opened.at)

    async def adjustments(self, symbol: str) -> list[Adjustment]:
        """How the symbol's bars before each action are seen after it."""
        known = await corporate_actions.load(
            self._pool, self._dataset, [symbol], lived_since=self._lived_since
        )
        return adjustments(known, self._calendar)
