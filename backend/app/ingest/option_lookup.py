"""Which contracts of an underlying there are to follow: asked of vendors, stored, bounded."""

from collections.abc import Iterable, Sequence
from datetime import date

import asyncpg

from app.core.clock import Clock
from app.core.errors import NotFound, TradewrightError, Unavailable
from app.core.logging import get_logger
from app.domain.options import OptionContract
from app.ingest.option_writer import contract_of, root_of
from app.marketdata.option_choice import OptionLimits, chosen
from app.marketdata.ports import ChainSource
from app.repositories import option_contracts, stocks
from app.repositories.options_data import OptionsData

log = get_logger("trading")


class OptionLookup:
    """Asks the providers of a chain in their order; where none answers, what is stored must do."""

    def __init__(
        self,
        sources: Sequence[ChainSource],
        pool: asyncpg.Pool,
        dataset: str,
        limits: OptionLimits,
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._pool = pool
        self._table = OptionsData(pool, dataset)
        self._limits = limits
        self._clock = clock
        self._defined: dict[str, OptionContract] = {}

    def defined(self, symbols: Iterable[str]) -> set[str]:
        """Contracts that a vendor has just defined; returns the roots of those that are news."""
        named = (
            (symbol, *contract_of(symbol)) for symbol in symbols if symbol not in self._defined
        )
        new = {symbol: contract for symbol, contract, code in named if not code}
        self._defined |= new
        return {contract.underlying for contract in new.values()}

    async def contracts(
        self, underlying: str, price: float | None, today: date
    ) -> list[OptionContract]:
        """The contracts to follow, which are rows of `option_contracts` from now on.

        `price` None: the newest stored one, else what the vendor says. Raises NotFound where
        nobody knows a contract within the limits, FeedRefused where nobody lists contracts to us,
        TransientError and Unavailable where another try may help.
        """
        root = root_of(underlying)
        found, said, refused = await self._asked(underlying)
        if not found:
            found = await self._stored(underlying, today)
        if not found and refused is not None:
            raise refused
        if price is None:
            price = await self._table.underlying_price(root, self._clock.now()) or said
        if price is None:
            raise Unavailable(
                f"No price of {underlying} is known yet, so its strikes cannot be chosen."
            )
        known = dict.fromkeys([*found, *self._defined.values()])
        wanted = chosen(
            (one for one in known if one.underlying == root), price, today, self._limits
        )
        if not wanted:
            raise NotFound(
                f"{underlying} has no contract within {self._limits.days} days and"
                f" {self._limits.percent:g} % of {price:g}.",
                remedy="Widen option_limits in the account's settings.",
                symbol=underlying,
            )
        await option_contracts.ensure(self._pool, wanted)
        return wanted

    async def _stored(self, underlying: str, today: date) -> list[OptionContract]:
        stock = await stocks.find(self._pool, underlying)
        if stock is None:
            return []
        return list((await option_contracts.listed(self._pool, stock.id, today)).values())

    async def _asked(
        self, underlying: str
    ) -> tuple[list[OptionContract], float | None, TradewrightError | None]:
        """All contracts that a vendor lists, its price of the underlying, or why there are none."""
        refused: TradewrightError | None = None
        for source in self._sources:
            try:
                snapshots = await source.chain(underlying)
            except TradewrightError as error:
                log.warning(
                    "chain_not_listed", feed=source.name, symbol=underlying, error=str(error)
                )
                refused = refused or error
                continue
            named = [contract_of(one.symbol) for one in snapshots]
            prices = [one.underlying_price for one in snapshots if one.underlying_price]
            said = prices[-1] if prices else None
            return [contract for contract, code in named if not code], said, None
        return [], None, refused
