"""Which bars may be believed: vectorised rules split a batch into good and quarantined rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.market import Timeframe
from app.marketdata.batch import BAR, PRICES, VALUES, BarBatch, Flags, Floats, Nanos
from app.marketdata.calendar import TradingCalendar

NEIGHBOURS: Final = 10
"Bars on either side whose median a price is compared with."

LARGEST_JUMP: Final = {
    Timeframe.S1: 3.0,
    Timeframe.M1: 3.0,
    Timeframe.M5: 3.0,
    Timeframe.M15: 3.0,
    Timeframe.H1: 4.0,
    Timeframe.D1: 8.0,
}
"""How many times above or below its neighbours' median a price may stand.

Daily bars have moved sevenfold within days; a misplaced decimal point still shows.
"""

_TOLERANCE_NS: Final = 1_000_000_000
"A provider's clock may run this far ahead of ours."


class Reason(StrEnum):
    """Why a row was quarantined."""

    MALFORMED = "malformed"
    BAD_TIME = "bad_time"
    NOT_A_NUMBER = "not_a_number"
    NOT_POSITIVE = "not_positive"
    NEGATIVE_VOLUME = "negative_volume"
    HIGH_LOW = "high_low"
    JUMP = "jump"
    FUTURE = "future"
    OUT_OF_ORDER = "out_of_order"
    DUPLICATE = "duplicate"
    NO_TRADING_DAY = "no_trading_day"
    OFF_GRID = "off_grid"
    NEGATIVE_SIZE = "negative_size"
    CROSSED = "crossed"
    EMPTY = "empty"
    STALE = "stale"
    UNKNOWN_SYMBOL = "unknown_symbol"
    OUTSIDE_SESSION = "outside_session"


EXPLANATIONS: Final = {
    Reason.MALFORMED: "the row has more fields than the header names",
    Reason.BAD_TIME: "the time is missing, unreadable or does not exist in its time zone",
    Reason.NOT_A_NUMBER: "a price or the volume is missing, not a number or infinite",
    Reason.NOT_POSITIVE: "a price is zero or negative",
    Reason.NEGATIVE_VOLUME: "the volume is negative",
    Reason.HIGH_LOW: "open or close lies outside low to high",
    Reason.JUMP: "a price is several times above or below its neighbours",
    Reason.FUTURE: "it lies in the future (a bar: it is not over yet)",
    Reason.OUT_OF_ORDER: "it is older than one before it, by more than is allowed",
    Reason.DUPLICATE: "another of the same time came before",
    Reason.NO_TRADING_DAY: "the exchange is closed on that day",
    Reason.OFF_GRID: "the start is not on the grid that begins at the session's open",
    Reason.NEGATIVE_SIZE: "a size is negative, missing or infinite",
    Reason.CROSSED: "the bid is above the ask",
    Reason.EMPTY: "a quote with neither bid nor ask",
    Reason.STALE: "it came much later than its time says",
    Reason.UNKNOWN_SYMBOL: "nobody knows the symbol",
    Reason.OUTSIDE_SESSION: "it lies outside regular hours, and only those are wanted",
}


def explained(reasons: Mapping[str, int]) -> list[str]:
    """Each reason with its number and meaning: `7 future: it lies in the future`."""
    meanings = {str(reason): text for reason, text in EXPLANATIONS.items()}
    return [
        f"{count} {reason}: {meanings[reason]}" if reason in meanings else f"{count} {reason}"
        for reason, count in reasons.items()
    ]


_REASONS: Final = tuple(Reason)
Codes = NDArray[np.uint32]
"One bit a reason, in the order of `Reason`."


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """A batch split in two. `codes` and `reasons` belong to the rows of `bad`."""

    good: BarBatch
    bad: BarBatch
    positions: NDArray[np.intp]
    "Where the bad rows stood in the batch that was judged."
    codes: Codes
    kept: Flags
    "Which rows of the batch that was judged are good."
    closes: Floats
    newest: int | None
    "What the next batch of the stream is to be given as `before` and `newest`."
    repeated: int
    "Rows that said exactly what another row had said; they are in neither part."

    def reasons(self) -> list[list[Reason]]:
        """The reasons of each bad row."""
        return [named(code) for code in self.codes.tolist()]

    def counts(self) -> dict[Reason, int]:
        """Bad rows by reason; a row with two reasons counts twice."""
        return counted(self.codes)


def validate(
    batch: BarBatch,
    calendar: TradingCalendar,
    *,
    now: int | None = None,
    before: Floats | None = None,
    newest: int | None = None,
    in_order: bool = False,
    malformed: Flags | None = None,
    factors: Floats | None = None,
) -> Verdict:
    """Split `batch` by every rule.

    `factors`: what the prices of each row are multiplied with before they are compared with others,
    so that a split is no jump; `before` and the closes of the verdict are multiplied already.

    `now` (ns) switches the rule about the future on. `malformed` marks rows that the reader could
    not take apart. `in_order` is for streams: rows older than one before them are quarantined, and
    a row is judged by those before it alone, so that the verdict does not depend on how the stream
    was cut into batches; `before` holds the closes seen last, `newest` the start of the last bar.
    """
    rows = batch.rows
    if rows.dtype != BAR:
        raise TypeError(f"bars have the columns {BAR.names}, not {rows.dtype.names}")
    codes = np.zeros(len(rows), dtype=np.uint32)
    for reason, failed in _row_rules(batch, calendar, now).items():
        codes[failed] |= bit_of(reason)
    if malformed is not None:
        codes[malformed] |= bit_of(Reason.MALFORMED)
    if in_order:
        codes[_out_of_order(batch.start, codes == 0, newest)] |= bit_of(Reason.OUT_OF_ORDER)
    repeats, conflicts = _duplicates(batch, codes == 0)
    codes[conflicts] |= bit_of(Reason.DUPLICATE)
    sound = (codes == 0) & ~repeats
    jumps, closes = _jumps(batch, sound, before, in_order, factors)
    codes[jumps] |= bit_of(Reason.JUMP)
    bad = np.flatnonzero(codes)
    kept = sound & ~jumps
    starts = batch.start[sound]
    return Verdict(
        good=batch[kept],
        bad=batch[bad],
        positions=bad,
        codes=codes[bad],
        kept=kept,
        closes=closes,
        newest=int(starts.max()) if len(starts) else newest,
        repeated=int(np.count_nonzero(repeats)),
    )


def _row_rules(batch: BarBatch, calendar: TradingCalendar, now: int | None) -> dict[Reason, Flags]:
    """Rules that need one row only."""
    rows, start = batch.rows, batch.start
    prices = np.stack([rows[name] for name in PRICES])
    finite = np.isfinite(prices).all(axis=0) & np.isfinite(rows["volume"])
    with np.errstate(invalid="ignore"):
        rules = {
            Reason.BAD_TIME: batch.end <= start,
            Reason.NOT_A_NUMBER: ~finite,
            Reason.NOT_POSITIVE: (prices <= 0).any(axis=0),
            Reason.NEGATIVE_VOLUME: rows["volume"] < 0,
            Reason.HIGH_LOW: (prices > rows["high"]).any(axis=0)
            | (prices < rows["low"]).any(axis=0),
        }
    timed = ~rules[Reason.BAD_TIME]
    trading = np.zeros(len(rows), dtype=np.bool_)
    trading[timed] = calendar.day_index(start[timed]) >= 0
    rules[Reason.NO_TRADING_DAY] = timed & ~trading
    rules[Reason.OFF_GRID] = np.zeros(len(rows), dtype=np.bool_)
    on_grid = calendar.bounds(batch.timeframe, start[trading])[0] == start[trading]
    rules[Reason.OFF_GRID][trading] = ~on_grid
    if now is not None:
        rules[Reason.FUTURE] = batch.end > now + _TOLERANCE_NS
    return rules


def _out_of_order(start: Nanos, sound: Flags, newest: int | None) -> Flags:
    """Rows that are older than a sound one before them, or not newer than `newest`."""
    least = np.iinfo(np.int64).min
    floor = np.array([least if newest is None else newest + 1])
    seen = np.concatenate([floor, np.where(sound, start, least)[:-1]])
    return start < np.maximum.accumulate(seen)


def _duplicates(batch: BarBatch, sound: Flags) -> tuple[Flags, Flags]:
    """Sound rows whose start was seen before: exact repetitions, and those that differ."""
    repeats = np.zeros(len(batch), dtype=np.bool_)
    conflicts = repeats.copy()
    index = np.flatnonzero(sound)
    order = index[np.argsort(batch.start[index], kind="stable")]
    starts = batch.start[order]
    again = np.flatnonzero(np.diff(starts, prepend=starts[:1] - 1) == 0)
    if len(again):
        first = np.searchsorted(starts, starts[again])
        values = np.stack([batch.rows[name][order] for name in VALUES])
        same = (values[:, again] == values[:, first]).all(axis=0)
        repeats[order[again[same]]] = True
        conflicts[order[again[~same]]] = True
    return repeats, conflicts


def _jumps(
    batch: BarBatch,
    sound: Flags,
    before: Floats | None,
    past_only: bool,
    factors: Floats | None,
) -> tuple[Flags, Floats]:
    """Sound rows with a price far from the median of the closes around them, and the last closes.

    A level that stays (a split that nobody told, a crash) is its own neighbourhood; a lone spike is
    not. Refused closes count as neighbours: by the past alone, a new level is believed after half
    of them.
    """
    jumps = np.zeros(len(batch), dtype=np.bool_)
    index = np.flatnonzero(sound)
    order = index[np.argsort(batch.start[index], kind="stable")]
    past = np.array([]) if before is None else before[-NEIGHBOURS:]
    highest, lowest, last = (batch.rows[name][order] for name in ("high", "low", "close"))
    if factors is not None:
        highest, lowest, last = (column * factors[order] for column in (highest, lowest, last))
    closes = np.concatenate([past, last])
    if len(closes) > 1:
        medians = _neighbour_medians(closes, past_only)[len(past) :]
        limit = LARGEST_JUMP[batch.timeframe]
        jumps[order] = (highest > medians * limit) | (lowest * limit < medians)
    return jumps, closes[-NEIGHBOURS:]


def _neighbour_medians(closes: Floats, past_only: bool) -> Floats:
    """Median of up to NEIGHBOURS closes before each (and after it), itself left out."""
    padded = np.pad(closes, NEIGHBOURS, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    if past_only:
        around = windows[:, :NEIGHBOURS].copy()
        around[0, 0] = closes[0]  # the first has nothing before it and passes
    else:
        around = np.delete(windows, NEIGHBOURS, axis=1)
    return np.nanmedian(around, axis=1)


def bit_of(reason: Reason) -> np.uint32:
    """The bit of a reason in `Codes`."""
    return np.uint32(1 << _REASONS.index(reason))


def named(code: int) -> list[Reason]:
    """The reasons whose bits are set."""
    return [reason for i, reason in enumerate(_REASONS) if code >> i & 1]


def counted(codes: Codes) -> dict[Reason, int]:
    """Rows by reason; a row with two reasons counts twice."""
    bits = {r: int(np.count_nonzero(codes & bit_of(r))) for r in _REASONS}
    return {reason: count for reason, count in bits.items() if count}
