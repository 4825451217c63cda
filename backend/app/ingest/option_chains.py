"""Whole chains from a vendor that shows them, into a data set."""

from collections import Counter
from collections.abc import Sequence
from datetime import date

import asyncpg
import msgspec
import numpy as np

from app.core.clock import Clock, system, to_ns
from app.domain.options import OptionContract
from app.ingest.option_writer import OptionWriter, contract_of
from app.marketdata.batch import Flags
from app.marketdata.options import QUOTED, MarketModel, OptionBatch
from app.marketdata.ports import ChainSource, OptionSnapshot
from app.repositories import option_contracts


class ChainReport(msgspec.Struct, kw_only=True):
    """What became of every row of a chain."""

    dataset: str
    contracts: int = 0
    rows_stored: int = 0
    rows_corrected: int = 0
    duplicates: int = 0
    rows_valued: int = 0
    "Rows whose price implies a volatility."
    rows_quarantined: int = 0
    reasons: dict[str, int] = {}


async def fetch_chain(
    source: ChainSource,
    pool: asyncpg.Pool,
    dataset: str,
    underlying: str,
    expiry: date | None = None,
    *,
    model: MarketModel | None = None,
    clock: Clock = system,
) -> ChainReport:
    """Ask a vendor for a chain, and store it. Raises NotFound when the vendor has none."""
    found = await source.chain(underlying, expiry)
    return await store_chain(pool, dataset, found, source=source.name, model=model, clock=clock)


async def store_chain(
    pool: asyncpg.Pool,
    dataset: str,
    snapshots: Sequence[OptionSnapshot],
    *,
    source: str,
    model: MarketModel | None = None,
    clock: Clock = system,
) -> ChainReport:
    """Store what a chain says, with our own volatilities and greeks. Again: nothing changes.

    Of contracts that are only named (definitions of a vendor) nothing but themselves is stored.
    """
    writer = OptionWriter(pool, dataset, source=source, model=model)
    named = [contract_of(one.symbol) for one in snapshots]
    codes = np.array([code for _, code in named], dtype=np.uint16)
    batch = _batch(snapshots, named)

    def told(position: int) -> tuple[str, dict[str, str]]:
        fields = msgspec.structs.asdict(snapshots[position])
        return fields.pop("symbol"), {name: str(value) for name, value in fields.items()}

    verdict = await writer.judge(batch, codes, to_ns(clock.now()), told)
    quoted = _has_values(verdict.good)
    await option_contracts.ensure(pool, verdict.good[~quoted].compact().contracts)
    written = await writer.write(verdict.good[quoted])
    reasons: Counter[str] = Counter(
        reason for one in verdict.bad for reason in verdict.reasons(one)
    )
    return ChainReport(
        dataset=dataset,
        contracts=len(batch.contracts),
        rows_stored=written.stored.inserted,
        rows_corrected=written.stored.corrected,
        duplicates=written.stored.unchanged + verdict.repeated,
        rows_valued=written.valued,
        rows_quarantined=len(verdict.bad),
        reasons=dict(reasons),
    )


def _has_values(batch: OptionBatch) -> Flags:
    """Rows that say more than that a contract exists."""
    said = [~np.isnan(batch.rows[name]) for name in QUOTED if name != "underlying_price"]
    found: Flags = np.logical_or.reduce(said)
    return found


def _batch(
    snapshots: Sequence[OptionSnapshot], named: Sequence[tuple[OptionContract, int]]
) -> OptionBatch:
    places = {one: i for i, one in enumerate(dict.fromkeys(contract for contract, _ in named))}
    values = {
        name: np.array([getattr(one, name) for one in snapshots], dtype=np.float64)
        for name in QUOTED
    }
    for name in ("bid", "ask", "last", "underlying_price"):
        values[name][values[name] == 0] = np.nan
    return OptionBatch.of(
        list(places),
        np.array([to_ns(one.at) for one in snapshots], dtype=np.int64),
        np.array([places[contract] for contract, _ in named], dtype=np.int32),
        **values,
    )
