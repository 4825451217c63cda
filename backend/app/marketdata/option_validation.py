"""Which rows of an option chain may be believed: vectorised rules, each with its name."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.options import OptionType
from app.marketdata.batch import Flags
from app.marketdata.calendar import TradingCalendar
from app.marketdata.options import QUOTED, OptionBatch, expiry_closes

_LATE_NS: Final = 8 * 3_600_000_000_000
"So long after the close of its last session a contract may still be quoted."
_AHEAD_NS: Final = 1_000_000_000
"A source's clock may run this far ahead of ours."
_BEYOND: Final = 1.2
"Prices may exceed share (call) or strike (put) by this factor: their clocks differ."
_PRICES: Final = ("bid", "ask", "last")
Codes = NDArray[np.uint16]
"One bit a reason, in the order of `OptionReason`."


class OptionReason(StrEnum):
    """Why a row of a chain was quarantined."""

    BAD_CONTRACT = "bad_contract"
    ADJUSTED = "adjusted"
    BAD_TIME = "bad_time"
    NOT_A_NUMBER = "not_a_number"
    NEGATIVE = "negative"
    CROSSED = "crossed"
    IMPOSSIBLE_PRICE = "impossible_price"
    EXPIRED = "expired"
    FUTURE = "future"
    DUPLICATE = "duplicate"


EXPLANATIONS: Final = {
    OptionReason.BAD_CONTRACT: "symbol, expiry, strike or type do not name a contract",
    OptionReason.ADJUSTED: "the contract delivers something else than 100 shares",
    OptionReason.BAD_TIME: "the time is missing or unreadable",
    OptionReason.NOT_A_NUMBER: "a price or size is not a number, or infinite",
    OptionReason.NEGATIVE: "a price or size is negative",
    OptionReason.CROSSED: "the bid is above the ask",
    OptionReason.IMPOSSIBLE_PRICE: "a call costs far more than the share, or a put than its strike",
    OptionReason.EXPIRED: "the contract had expired",
    OptionReason.FUTURE: "the time has not come yet",
    OptionReason.DUPLICATE: "another row of the same contract and time came before",
}
_REASONS: Final = tuple(OptionReason)


@dataclass(frozen=True, slots=True, eq=False)
class OptionVerdict:
    """A batch split in two; `codes` has one bit a reason for every row that was judged."""

    good: OptionBatch
    kept: Flags
    "Which of the rows that were judged are good."
    codes: Codes
    repeated: int
    "Rows that said exactly what another row had said; they are neither good nor bad."

    def reasons(self, position: int) -> list[OptionReason]:
        """Why a row was refused; empty for a good one."""
        code = int(self.codes[position])
        return [reason for i, reason in enumerate(_REASONS) if code >> i & 1]

    @property
    def bad(self) -> list[int]:
        """Positions of the refused rows."""
        found: list[int] = np.flatnonzero(self.codes).tolist()
        return found


def bit(reason: OptionReason) -> np.uint16:
    """A reason as it stands in codes."""
    return np.uint16(1 << _REASONS.index(reason))


def validate(
    batch: OptionBatch,
    calendar: TradingCalendar,
    *,
    now: int | None = None,
    codes: Codes | None = None,
) -> OptionVerdict:
    """Split a batch by every rule. `codes` holds what the reader knows to be wrong already; the
    contract of such a row may be any. `now` (ns) switches the rule about the future on."""
    codes = np.zeros(len(batch), dtype=np.uint16) if codes is None else codes.copy()
    for reason, failed in _row_rules(batch, calendar, now).items():
        codes[failed & (codes == 0)] |= bit(reason)
    repeats, conflicts = _duplicates(batch, codes == 0)
    codes[conflicts] |= bit(OptionReason.DUPLICATE)
    kept = (codes == 0) & ~repeats
    return OptionVerdict(batch[kept], kept, codes, int(np.count_nonzero(repeats)))


def _row_rules(
    batch: OptionBatch, calendar: TradingCalendar, now: int | None
) -> dict[OptionReason, Flags]:
    """Rules that need one row only."""
    rows = batch.rows
    columns = np.stack([rows[name] for name in QUOTED])
    expired: Flags = rows["at"] > expiry_closes(batch, calendar) + _LATE_NS
    with np.errstate(invalid="ignore"):
        rules: dict[OptionReason, Flags] = {
            OptionReason.NOT_A_NUMBER: np.isinf(columns).any(axis=0),
            OptionReason.NEGATIVE: (columns < 0).any(axis=0) | (rows["underlying_price"] == 0),
            OptionReason.CROSSED: (rows["bid"] > rows["ask"]) & (rows["ask"] > 0),
            OptionReason.IMPOSSIBLE_PRICE: _impossible(batch),
            OptionReason.EXPIRED: expired,
        }
    if now is not None:
        rules[OptionReason.FUTURE] = rows["at"] > now + _AHEAD_NS
    return rules


def _impossible(batch: OptionBatch) -> Flags:
    """Prices that no option can have: a call above its share, a put above its strike."""
    rows = batch.rows
    strikes = np.array([float(one.strike) for one in batch.contracts])
    puts = np.array([one.option_type is OptionType.PUT for one in batch.contracts], dtype=np.bool_)
    which = rows["contract"]
    most = np.where(puts[which], strikes[which], rows["underlying_price"])
    found: Flags = np.logical_or.reduce([rows[name] > _BEYOND * most for name in _PRICES])
    return found


def _duplicates(batch: OptionBatch, sound: Flags) -> tuple[Flags, Flags]:
    """Sound rows whose contract and time came before: exact repetitions, and those that differ."""
    repeats = np.zeros(len(batch), dtype=np.bool_)
    conflicts = repeats.copy()
    index = np.flatnonzero(sound)
    rows = batch.rows[index]
    keys = np.stack([rows["contract"].astype(np.int64), rows["at"]])
    _, first, inverse = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    earlier = first[np.ravel(inverse)]
    again = np.flatnonzero(earlier != np.arange(len(index)))
    values = np.stack([rows[name] for name in QUOTED])
    left, right = values[:, again], values[:, earlier[again]]
    same = ((left == right) | (np.isnan(left) & np.isnan(right))).all(axis=0)
    repeats[index[again[same]]] = True
    conflicts[index[again[~same]]] = True
    return repeats, conflicts
