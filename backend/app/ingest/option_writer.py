"""Rows of option chains on their way to the table: judged, refused with reasons, given greeks."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg
import msgspec
import numpy as np

from app.core.clock import from_ns
from app.core.errors import InvalidInput
from app.core.pricing import PricingOptions
from app.domain.options import OptionContract, is_adjusted, parse_occ
from app.marketdata.calendar import TradingCalendar, trading_calendar
from app.marketdata.option_validation import Codes, OptionReason, OptionVerdict, bit, validate
from app.marketdata.options import MarketModel, OptionBatch, valued
from app.repositories import quarantine
from app.repositories.options_data import OptionsData
from app.repositories.quarantine import Refused
from app.repositories.stock_data import Stored

NOBODY: Final = parse_occ("NONE990102C00001000")
"Stands where a symbol names no contract."
_SECOND: Final = 1_000_000_000
Told = Callable[[int], tuple[str, dict[str, str]]]
"What a refused row says of itself: its symbol, and the record as it came."


class Written(msgspec.Struct, frozen=True):
    """Rows that are durable, with their greeks, and what of them was new."""

    batch: OptionBatch
    stored: Stored

    @property
    def valued(self) -> int:
        """Rows whose price implies a volatility."""
        return int(np.count_nonzero(~np.isnan(self.batch.rows["implied_volatility"])))


def market_model(options: PricingOptions | None = None) -> MarketModel:
    """Rates and dividend yields as the settings have them; yields by the roots of symbols."""
    options = options or PricingOptions()
    return MarketModel(
        options.curve, {root_of(symbol): share for symbol, share in options.yields.items()}
    )


def root_of(symbol: str) -> str:
    """The root under which options on a stock are listed: BRKB for BRK.B."""
    return symbol.replace(".", "").replace("-", "")


def contract_of(symbol: str) -> tuple[OptionContract, int]:
    """The contract of a symbol, and a code where it is none that we keep."""
    try:
        contract = parse_occ(symbol)
    except InvalidInput:
        return NOBODY, int(bit(OptionReason.BAD_CONTRACT))
    return contract, int(bit(OptionReason.ADJUSTED)) if is_adjusted(contract.underlying) else 0


class OptionWriter:
    """Brings rows into one data set."""

    def __init__(
        self, pool: asyncpg.Pool, dataset: str, *, source: str, model: MarketModel | None = None
    ) -> None:
        self.dataset = dataset
        self.source = source
        self.table = OptionsData(pool, dataset)
        self.calendar: TradingCalendar = trading_calendar()
        self.model = model or market_model()
        self._pool = pool

    async def judge(self, batch: OptionBatch, codes: Codes, now: int, told: Told) -> OptionVerdict:
        """Split a batch by every rule, and quarantine what is refused."""
        verdict = validate(batch, self.calendar, now=now, codes=codes)
        refused = refusals(batch, verdict, told, verdict.bad)
        await quarantine.add(self._pool, self.dataset, self.source, refused)
        return verdict

    async def quarantine(self, refused: Sequence[Refused]) -> None:
        """Keep refused rows of a stream."""
        await quarantine.append(self._pool, self.dataset, self.source, refused)

    async def write(self, batch: OptionBatch, *, announced: bool = True) -> Written:
        """Give rows their greeks and store them, all or none.

        Underlying prices that are missing come from the stored quotes and bars.
        """
        await self._fill_prices(batch)
        # tens of milliseconds for a thousand contracts: bars of stocks must not wait for it
        found = await asyncio.to_thread(valued, batch, self.calendar, self.model)
        return Written(found, await self.table.store(found, self.source, announced=announced))

    async def _fill_prices(self, batch: OptionBatch) -> None:
        rows = batch.rows
        wanted: dict[tuple[str, int], list[int]] = {}
        for row in np.flatnonzero(np.isnan(rows["underlying_price"])).tolist():
            root = batch.contracts[rows["contract"][row]].underlying
            second = int(rows["at"][row]) // _SECOND
            wanted.setdefault((root, second), []).append(row)
        for (root, second), places in wanted.items():
            price = await self.table.underlying_price(root, from_ns((second + 1) * _SECOND))
            rows["underlying_price"][places] = np.nan if price is None else price


def refusals(
    batch: OptionBatch, verdict: OptionVerdict, told: Told, positions: Sequence[int]
) -> list[Refused]:
    """Bad rows of a verdict as the quarantine keeps them."""
    found = []
    for position in positions:
        symbol, record = told(position)
        reasons = verdict.reasons(position)
        at = int(batch.rows["at"][position])
        is_timed = OptionReason.BAD_TIME not in reasons
        found.append(
            Refused(
                symbol=symbol,
                kind="option",
                at=from_ns(at) if is_timed else None,
                reason=",".join(reasons),
                record=record,
            )
        )
    return found
