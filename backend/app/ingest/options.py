"""Live quotes of options: judged, folded to the last a second, valued and stored in batches."""

from collections import Counter
from collections.abc import Callable
from typing import Final

import asyncpg
import msgspec
import numpy as np

from app.core.clock import Clock, from_ns, system, to_ns
from app.domain.options import OptionContract, is_occ
from app.ingest.option_writer import OptionWriter, Told, Written, contract_of, refusals, root_of
from app.marketdata.batch import Flags, Nanos, QuoteBatch, Rows
from app.marketdata.option_chain import Chain
from app.marketdata.option_validation import Codes, OptionVerdict, validate
from app.marketdata.options import OPTION, MarketModel, OptionBatch
from app.marketdata.ports import PricePublisher
from app.repositories.quarantine import NOT_KEPT, Refused

QUARANTINE_A_MINUTE: Final = 600
"Refused rows that are kept; those beyond are counted."
_SECOND: Final = 1_000_000_000


class OptionCounts(msgspec.Struct, frozen=True):
    """What became of quotes that were handed over."""

    taken: int = 0
    refused: int = 0
    folded: int = 0
    "Quotes that a later one of the same contract and second replaced before they were stored."
    stored: int = 0
    valued: int = 0
    "Stored rows whose price implies a volatility."

    def __add__(self, other: "OptionCounts") -> "OptionCounts":
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return OptionCounts(*(a + b for a, b in zip(mine, theirs, strict=True)))


def split_options(batch: QuoteBatch) -> tuple[QuoteBatch, QuoteBatch]:
    """The rows of stocks, and the rows of options."""
    options = np.array([is_occ(symbol) for symbol in batch.symbols], dtype=np.bool_)
    if not options.any():
        return batch, batch[:0]
    mask = options[batch.rows["symbol"]]
    return batch[~mask], batch[mask]


class OptionIngest:
    """Live quotes of options. It holds one row a contract and second that is not over yet.

    Nothing raises because of a bad row. Where PostgreSQL is away the call raises and the rows wait
    for the next one, folded to one a contract.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        dataset: str,
        *,
        source: str,
        model: MarketModel | None = None,
        publisher: PricePublisher | None = None,
        clock: Clock = system,
    ) -> None:
        self._writer = OptionWriter(pool, dataset, source=source, model=model)
        self._publisher = publisher
        self._clock = clock
        self._known: dict[str, tuple[int, int]] = {}
        self._places: dict[OptionContract, int] = {}
        self._contracts: list[OptionContract] = []
        self._waiting: Rows = np.empty(0, dtype=OPTION)
        self._prices: dict[str, float] = {}
        self._chains: dict[str, Chain] = {}
        self._minute, self._kept_now = -1, 0

    @property
    def waiting(self) -> int:
        """Rows that were judged, and are not stored yet."""
        return len(self._waiting)

    def underlying(self, symbol: str, price: float) -> None:
        """The newest price of a stock: what its options are compared with."""
        self._prices[root_of(symbol)] = price

    async def take(self, batch: QuoteBatch) -> OptionCounts:
        """Judge and fold quotes; seconds that are over by the quotes' own time are stored."""
        options, codes = self._read(batch)

        def told(position: int) -> tuple[str, dict[str, str]]:
            row = batch.rows[[position]]
            named = {name: str(row[name][0]) for name in row.dtype.names or ()}
            return batch.symbols[int(named.pop("symbol"))], named

        now = to_ns(self._clock.now())
        verdict = validate(options, self._writer.calendar, now=now, codes=codes)
        before = len(self._waiting)
        self._waiting = last_by(
            np.concatenate([self._waiting, self._kept(verdict.good)]), by=lambda at: at // _SECOND
        )
        folded = before + len(verdict.good) - len(self._waiting) + verdict.repeated
        counts = OptionCounts(len(batch), len(verdict.bad), folded)
        if verdict.bad:  # after the good rows are safe: the database may be away
            await self._quarantine(options, verdict, told)
        seconds = self._waiting["at"] // _SECOND
        newest = seconds.max() if len(seconds) else 0
        return counts + await self._store(seconds < newest)

    async def flush(self) -> OptionCounts:
        """Store the second under way too: when a feed falls silent, and at the end."""
        return await self._store(np.ones(len(self._waiting), dtype=np.bool_))

    async def aclose(self) -> None:
        """Store what waits."""
        await self.flush()

    # -------------------------------------------------------------------------- helpers

    async def _quarantine(self, batch: OptionBatch, verdict: OptionVerdict, told: Told) -> None:
        """Keep so many refused rows a minute; of a flood only how many there were, by reason."""
        minute = int(self._clock.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._kept_now = minute, 0
        bad, room = verdict.bad, QUARANTINE_A_MINUTE - self._kept_now
        kept = refusals(batch, verdict, told, bad[:room])
        self._kept_now += len(kept)
        flood = Counter(int(code) for code in verdict.codes[bad[room:]])
        examples = {int(verdict.codes[position]): position for position in bad[room:]}
        for code, count in flood.items():
            reason = ",".join(verdict.reasons(examples[code]))
            symbol, _ = told(examples[code])
            record = {NOT_KEPT: count}
            kept.append(Refused(symbol=symbol, kind="option", reason=reason, record=record))
        await self._writer.quarantine(kept)

    def _read(self, batch: QuoteBatch) -> tuple[OptionBatch, Codes]:
        """Quotes as rows of options, and what is wrong with their symbols."""
        used, which = np.unique(batch.rows["symbol"], return_inverse=True)
        named = [self._known_as(batch.symbols[i]) for i in used.tolist()]
        contracts = [self._contracts[place] for place, _ in named]
        codes = np.array([code for _, code in named], dtype=np.uint16)
        prices = np.array([self._prices.get(one.underlying, np.nan) for one in contracts])
        values = {name: batch.rows[name].copy() for name in ("bid", "ask")}
        for column in values.values():
            column[column == 0] = np.nan
        spot = prices[which] if len(which) else np.empty(0)
        rows = OptionBatch.of(contracts, batch.rows["at"], which, underlying_price=spot, **values)
        return rows, codes[which]

    def _known_as(self, symbol: str) -> tuple[int, int]:
        """Where the contract of a symbol stands, and what is wrong with the symbol."""
        found = self._known.get(symbol)
        if found is None:
            contract, code = contract_of(symbol)
            place = self._places.setdefault(contract, len(self._contracts))
            if place == len(self._contracts):
                self._contracts.append(contract)
            found = self._known[symbol] = place, code
        return found

    def _kept(self, good: OptionBatch) -> Rows:
        """Rows of one batch, their contracts as this feed numbers them."""
        rows = good.rows.copy()
        places = np.array([self._places[one] for one in good.contracts], dtype=np.int32)
        rows["contract"] = places[rows["contract"]] if len(rows) else 0
        return rows

    async def _store(self, over: Flags) -> OptionCounts:
        if not over.any():
            return OptionCounts()
        batch = OptionBatch(tuple(self._contracts), self._waiting[over]).compact()
        try:
            written = await self._writer.write(batch, announced=self._publisher is None)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._waiting = last_by(self._waiting, by=np.zeros_like)
            raise
        self._waiting = self._waiting[~over]
        await self._publish(written)
        stored = written.stored.inserted + written.stored.corrected
        return OptionCounts(stored=stored, valued=written.valued)

    async def _publish(self, written: Written) -> None:
        """Renew the chains of which contracts have moved."""
        if self._publisher is None:
            return
        batch = written.batch
        roots = np.array([one.underlying for one in batch.contracts], dtype=object)
        moved = roots[batch.rows["contract"]]
        for root in sorted(set(moved.tolist())):
            symbol, chain = await self._chain(root, batch)
            chain.apply(batch[moved == root])
            current = self._chains[root] = chain.without_expired()
            at = from_ns(current.at or 0)
            self._publisher.offer_chain(self._writer.dataset, symbol, current.document(), at)

    async def _chain(self, root: str, batch: OptionBatch) -> tuple[str, Chain]:
        """The stock's symbol, and the chain of a root as it was stored when it first moved."""
        stock_id, symbol = await self._writer.table.symbol_of(root)
        if root not in self._chains:
            today = from_ns(int(batch.rows["at"].max())).date()
            self._chains[root] = await self._writer.table.chain(stock_id, since=today)
        return symbol, self._chains[root]


def last_by(rows: Rows, by: Callable[[Nanos], Nanos]) -> Rows:
    """Of each contract the last row for every value of `by(at)`, in the order of time."""
    if not len(rows):
        return rows
    group = by(rows["at"])
    order = np.lexsort((rows["at"], group, rows["contract"]))
    ordered, groups = rows[order], group[order]
    is_last = np.ones(len(rows), dtype=np.bool_)
    is_last[:-1] = (np.diff(ordered["contract"]) != 0) | (np.diff(groups) != 0)
    kept = ordered[is_last]
    in_time: Rows = kept[np.argsort(kept["at"], kind="stable")]
    return in_time
