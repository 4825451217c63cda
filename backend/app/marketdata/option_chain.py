"""The newest row of every contract on one underlying, kept up to date and written as JSON."""

from datetime import date
from typing import Any, Final

import numpy as np
import orjson

from app.core.clock import from_ns
from app.domain.options import OptionContract
from app.marketdata.batch import Rows
from app.marketdata.options import OPTION, QUOTED, VALUED, OptionBatch

NUMBERS: Final = (*QUOTED, *VALUED)
Document = dict[str, Any]
"""`at` (ns) of the whole, and parallel lists: symbol, expiry, strike (text), type, quoted_at (ns)
and the numbers of `OPTION`, null where unknown; sorted by expiry and strike, calls first."""


class Chain:
    """Contracts of one underlying, each with what it showed last."""

    def __init__(self, contracts: list[OptionContract], rows: Rows) -> None:
        """`rows` run parallel to `contracts`, whatever they say of themselves."""
        self._hold(contracts, rows)

    def __len__(self) -> int:
        return len(self.contracts)

    @property
    def at(self) -> int | None:
        """The newest instant (ns), None for an empty chain."""
        return int(self.rows["at"].max()) if len(self.rows) else None

    def apply(self, batch: OptionBatch) -> None:
        """Take over newer rows; contracts that are new join the chain."""
        rows = batch.rows[np.argsort(batch.rows["at"], kind="stable")]
        named = [batch.contracts[i] for i in rows["contract"].tolist()]
        new = sorted({one for one in named if one not in self._place})
        if new:
            fresh = np.zeros(len(new), dtype=OPTION)
            fresh["at"] = np.iinfo(np.int64).min
            self._hold([*self.contracts, *new], np.concatenate([self.rows, fresh]))
        places = np.array([self._place[one] for one in named], dtype=np.intp)
        newer = rows["at"] >= self.rows["at"][places] if len(rows) else np.array([], dtype=bool)
        self.rows[places[newer]] = rows[newer]

    def without_expired(self) -> "Chain":
        """The chain as of its newest row: what had expired the day before is left out."""
        if self.at is None:
            return self
        today = from_ns(self.at).date()
        kept = [i for i, one in enumerate(self.contracts) if one.expiry >= today]
        if len(kept) == len(self):
            return self
        return Chain([self.contracts[i] for i in kept], self.rows[kept])

    def document(self) -> bytes:
        """The chain as JSON, for caches and the API."""
        columns = {name: np.ascontiguousarray(self.rows[name]) for name in NUMBERS}
        return orjson.dumps(
            {
                "at": self.at,
                **self._texts,
                "quoted_at": np.ascontiguousarray(self.rows["at"]),
                **columns,
            },
            option=orjson.OPT_SERIALIZE_NUMPY,
        )

    def _hold(self, contracts: list[OptionContract], rows: Rows) -> None:
        order = sorted(range(len(contracts)), key=contracts.__getitem__)
        self.contracts = [contracts[i] for i in order]
        self.rows: Rows = rows[order]
        self._place = {one: i for i, one in enumerate(self.contracts)}
        self._texts = {
            "symbol": [one.symbol for one in self.contracts],
            "expiry": [one.expiry.isoformat() for one in self.contracts],
            "strike": [f"{one.strike.normalize():f}" for one in self.contracts],
            "type": [one.option_type.value for one in self.contracts],
        }


def expiries(document: Document) -> list[date]:
    """Every expiry of a chain, the nearest first."""
    return [date.fromisoformat(text) for text in sorted(set(document["expiry"]))]
