"""Which prints and quotes may be believed: vectorised rules, and a stream's memory beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np

from app.marketdata.batch import QUOTE, TICK, Flags, Floats, Nanos, QuoteBatch, Rows, TickBatch
from app.marketdata.calendar import TradingCalendar
from app.marketdata.tick_memory import RECENT, Groups, Memory, Positions
from app.marketdata.validation import Codes, Reason, bit_of, counted, named

_SECOND: Final = 1_000_000_000
Batch = TypeVar("Batch", TickBatch, QuoteBatch)


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRules:
    """How far a row may stray; instants in ns."""

    largest_jump: float = 3.0
    "How many times above or below the median of the prices before it a price may stand."
    disorder: int | None = 10 * _SECOND
    "How much older than its symbol's newest a row may be; None: no stream, rows come sorted."
    ahead: int = _SECOND
    "How far a vendor's clock may run ahead of ours."
    stale: int | None = 300 * _SECOND
    "How much later than its time says a row may come."
    regular_hours_only: bool = False


SORTED: Final = TickRules(disorder=None, stale=None)
"For files: sorted before they are judged, and old by nature."


@dataclass(frozen=True, slots=True, eq=False)
class StreamVerdict(Generic[Batch]):
    """A batch split in two. `codes` belong to the rows of `bad`."""

    good: Batch
    bad: Batch
    positions: Positions
    "Where the bad rows stood in the batch."
    codes: Codes
    repeated: int
    "Rows that had come before, after a connection was made anew; they are in neither part."

    def reasons(self) -> list[list[Reason]]:
        """The reasons of each bad row."""
        return [named(code) for code in self.codes.tolist()]

    def counts(self) -> dict[Reason, int]:
        """Bad rows by reason; a row with two reasons counts twice."""
        return counted(self.codes)


def validate_ticks(
    batch: TickBatch,
    calendar: TradingCalendar,
    memory: Memory,
    rules: TickRules = TickRules(),
    *,
    now: int | None = None,
    known: Sequence[bool] | None = None,
) -> StreamVerdict[TickBatch]:
    """Split prints by every rule. The verdict does not depend on how the stream was cut.

    `now` (ns) switches the rules about the wall clock on. `known` says of each of the batch's
    symbols whether it exists. Raises TypeError for columns that are no prints.
    """
    rows = batch.rows
    _demand(rows, TICK, "prints")
    judge = _Judge(rows, batch.symbols, memory, rules)
    price, size, label = rows["price"], rows["size"], rows["label"]
    judge.prices(price)
    judge.refuse(Reason.NEGATIVE_SIZE, ~((size >= 0) & (size < np.inf)))
    judge.refuse(Reason.MALFORMED, (label < 0) | (label >= len(batch.labels)))
    judge.times(calendar, now, known)
    judge.come_again(price, size)
    judge.jumps([price])
    return judge.verdict(batch)


def validate_quotes(
    batch: QuoteBatch,
    calendar: TradingCalendar,
    memory: Memory,
    rules: TickRules = TickRules(),
    *,
    now: int | None = None,
    known: Sequence[bool] | None = None,
) -> StreamVerdict[QuoteBatch]:
    """Split tops of book by every rule; `memory` must have two sides.

    A locked book (bid = ask) is sound, a crossed one is not. A side may be absent (NaN or 0 without
    a size); in what is good it is NaN with size 0. One without either side is refused.
    """
    rows = batch.rows
    _demand(rows, QUOTE, "quotes")
    judge = _Judge(rows, batch.symbols, memory, rules)
    sides = [_absent(rows["bid"], rows["bid_size"]), _absent(rows["ask"], rows["ask_size"])]
    if sides[0].any() or sides[1].any():
        batch = _normal(batch, sides)
        rows = batch.rows
    for absent, price, size in zip(sides, ("bid", "ask"), ("bid_size", "ask_size"), strict=True):
        judge.prices(rows[price], but=absent)
        judge.refuse(Reason.NEGATIVE_SIZE, ~((rows[size] >= 0) & (rows[size] < np.inf)))
    judge.refuse(Reason.EMPTY, sides[0] & sides[1])
    judge.refuse(Reason.CROSSED, rows["bid"] > rows["ask"])
    judge.times(calendar, now, known)
    judge.come_again(rows["bid"], rows["ask"])
    judge.jumps([rows["bid"], rows["ask"]])
    return judge.verdict(batch)


def _demand(rows: Rows, kind: "np.dtype[np.void]", what: str) -> None:
    if rows.dtype != kind:
        raise TypeError(f"{what} have the columns {kind.names}, not {rows.dtype.names}")


def _absent(price: Floats, size: Floats) -> Flags:
    missing: Flags = (np.isnan(price) | (price == 0)) & ((size == 0) | np.isnan(size))
    return missing


def _normal(batch: QuoteBatch, absent: list[Flags]) -> QuoteBatch:
    rows = batch.rows.copy()
    for missing, side in zip(absent, ("bid", "ask"), strict=True):
        rows[side][missing], rows[f"{side}_size"][missing] = np.nan, 0
    return QuoteBatch(batch.symbols, rows, batch.partial)


class _Judge:
    """One batch while it is judged: a code a row, and what the memory says of its symbols."""

    def __init__(
        self, rows: Rows, symbols: Sequence[str], memory: Memory, rules: TickRules
    ) -> None:
        self._rows = rows
        self._memory = memory
        self._rules = rules
        self._at: Nanos = np.ascontiguousarray(rows["at"])
        self._sequence: Nanos = np.ascontiguousarray(rows["sequence"])
        self._codes: Codes = np.zeros(len(rows), dtype=np.uint32)
        self._repeats: Flags = np.zeros(len(rows), dtype=np.bool_)
        self._symbols = symbols
        symbol = rows["symbol"]
        nameless = (symbol < 0) | (symbol >= len(symbols))
        self.refuse(Reason.UNKNOWN_SYMBOL, nameless)
        table = memory.numbers(symbols)
        if not len(symbols):
            self._numbers: Positions = np.zeros(len(rows), dtype=np.intp)
        else:
            self._numbers = table[np.where(nameless, 0, symbol)]

    def refuse(self, reason: Reason, failed: Flags) -> None:
        if failed.any():
            self._codes[failed] |= bit_of(reason)

    # ------------------------------------------------------------------- one row alone

    def prices(self, price: Floats, but: Flags | None = None) -> None:
        sound = (price > 0) & (price < np.inf)
        if but is not None:
            sound |= but
        if not sound.all():
            finite = np.isfinite(price)
            self.refuse(Reason.NOT_A_NUMBER, ~sound & ~finite)
            self.refuse(Reason.NOT_POSITIVE, ~sound & finite)

    def times(
        self, calendar: TradingCalendar, now: int | None, known: Sequence[bool] | None
    ) -> None:
        at, rules = self._at, self._rules
        if not len(at):
            return
        if known is not None and len(self._symbols) and not all(known):
            nowhere = ~np.array(known, dtype=np.bool_)
            listed = np.clip(self._rows["symbol"], 0, len(known) - 1)
            self.refuse(Reason.UNKNOWN_SYMBOL, nowhere[listed])
        if now is not None:
            self.refuse(Reason.FUTURE, at > now + rules.ahead)
            if rules.stale is not None:
                self.refuse(Reason.STALE, at < now - rules.stale)
        session = calendar.session_at(int(at.min()))
        if session is None or int(at.max()) >= session.day_end:
            self.refuse(Reason.NO_TRADING_DAY, calendar.day_index(at) < 0)
        if rules.regular_hours_only:
            self.refuse(Reason.OUTSIDE_SESSION, ~calendar.is_regular(at))

    # ------------------------------------------------------------- among the rows before

    def come_again(self, one: Floats, other: Floats) -> None:
        """Rows that are too old, and rows that have come before."""
        disorder = self._rules.disorder
        self._replayed(one, other)
        groups = self._sound()
        if not len(groups.order):
            return
        at, sequence = self._at[groups.order], self._sequence[groups.order]
        tidy = self._tidy(groups, at, sequence)
        if not tidy.all():
            rest = Groups.of(self._numbers, np.sort(groups.order[np.repeat(~tidy, groups.lengths)]))
            if disorder is not None:
                self._too_old(rest, disorder)
            self._duplicates(rest, one, other)
            groups = self._sound()
        self._advance(groups, one, other)

    def _sound(self) -> Groups:
        fine = (self._codes == 0) & ~self._repeats
        return Groups.of(self._numbers, None if fine.all() else np.flatnonzero(fine))

    def _tidy(self, groups: Groups, at: Nanos, sequence: Nanos) -> Flags:
        """Symbols whose rows come in the order of time and sequence, beyond all before."""
        memory = self._memory
        before, rank = np.empty_like(at), np.empty_like(sequence)
        before[1:], rank[1:] = at[:-1], sequence[:-1]
        before[groups.first] = memory.newest[groups.numbers]
        rank[groups.first] = memory.newest_sequence[groups.numbers]
        fine = (at > before) | ((at == before) & ((sequence > rank) | (sequence == 0)))
        return np.logical_and.reduceat(fine, groups.first)

    def _too_old(self, groups: Groups, disorder: int) -> None:
        ends = np.append(groups.first[1:], len(groups.order)).tolist()
        for number, first, end in zip(
            groups.numbers.tolist(), groups.first.tolist(), ends, strict=True
        ):
            mine = groups.order[first:end]
            at = self._at[mine]
            newest = max(int(self._memory.newest[number]), -(2**62))
            highest = np.maximum.accumulate(np.concatenate([[newest], at[:-1]]))
            self._codes[mine[at < highest - disorder]] |= bit_of(Reason.OUT_OF_ORDER)

    def _duplicates(self, groups: Groups, one: Floats, other: Floats) -> None:
        """Rows whose symbol, instant and sequence are those of a sound row before."""
        mine = np.sort(groups.order)
        mine = mine[(self._codes[mine] == 0) & (self._sequence[mine] != 0)]
        if not len(mine):
            return
        recent = self._memory.since(int(self._at[mine].min()))
        rows = np.concatenate([recent, self._slim(mine, one, other)])
        order = np.lexsort((rows["sequence"], rows["at"], rows["number"]))
        keys = rows[["number", "at", "sequence"]][order]
        same = np.zeros(len(order), dtype=np.bool_)
        same[1:] = (keys[1:] == keys[:-1]) & (rows["sequence"][order[1:]] != 0)
        again = order[same]
        hit = mine[again[again >= len(recent)] - len(recent)]
        if self._rules.disorder is None:
            hit = self._leave_repeats(rows, order, same, len(recent), mine)
        self._codes[hit] |= bit_of(Reason.DUPLICATE)

    def _leave_repeats(
        self, rows: Rows, order: Positions, same: Flags, recent: int, mine: Positions
    ) -> Positions:
        """In a file a row that says what another said is no fault; those that differ are left."""
        first = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
        alike = rows[order] == rows[order[first]]
        exact = order[same & alike]
        self._repeats[mine[exact[exact >= recent] - recent]] = True
        differing = order[same & ~alike]
        left: Positions = mine[differing[differing >= recent] - recent]
        return left

    def _replayed(self, one: Floats, other: Floats) -> None:
        """Rows from before the connection was made anew: those that had come are left out."""
        memory = self._memory
        until = memory.replayed[self._numbers]
        old = np.flatnonzero((self._at <= until) & (self._codes == 0))
        if not len(old):
            return
        slack = self._rules.disorder or 0
        beyond_memory = self._at[old] < memory.newest[self._numbers[old]] - slack
        self._repeats[old[beyond_memory]] = True
        old = old[~beyond_memory]
        slim = self._slim(old, one, other)
        for position, row in zip(old.tolist(), slim.tolist(), strict=True):
            if memory.came_before(row):
                self._repeats[position] = True

    def _advance(self, groups: Groups, one: Floats, other: Floats) -> None:
        if not len(groups.order):
            return
        memory, numbers = self._memory, groups.numbers
        at, sequence = self._at[groups.order], self._sequence[groups.order]
        newest = np.maximum(np.maximum.reduceat(at, groups.first), memory.newest[numbers])
        at_newest = np.where(at == groups.spread(newest), sequence, np.iinfo(np.int64).min)
        rank = np.maximum.reduceat(at_newest, groups.first)
        same = newest == memory.newest[numbers]
        memory.newest_sequence[numbers] = np.where(
            same, np.maximum(rank, memory.newest_sequence[numbers]), rank
        )
        memory.newest[numbers] = newest
        memory.remember_rows(self._slim(groups.order, one, other))

    def _slim(self, positions: Positions, one: Floats, other: Floats) -> Rows:
        rows = np.empty(len(positions), dtype=RECENT)
        rows["number"] = self._numbers[positions]
        rows["at"], rows["sequence"] = self._at[positions], self._sequence[positions]
        rows["price"], rows["size"] = one[positions], other[positions]
        return rows

    # ------------------------------------------------------------------------- jumps

    def jumps(self, sides: Sequence[Floats]) -> None:
        """Prices far from the median of those before them, each side by itself."""
        sound = self._sound()
        for side, values in enumerate(sides):
            groups, mine = sound, values[sound.order]
            present = ~np.isnan(mine)
            if not present.all():
                groups = Groups.of(self._numbers, np.sort(sound.order[present]))
                mine = values[groups.order]
            if not len(mine):
                continue
            jumped = self._jumped(side, groups, mine)
            self._memory.remember_prices(side, groups, mine)
            if len(jumped):
                self._codes[jumped] |= bit_of(Reason.JUMP)

    def _jumped(self, side: int, groups: Groups, values: Floats) -> Positions:
        memory, limit = self._memory, self._rules.largest_jump
        past = memory.prices[side][groups.numbers]
        lowest = np.fmin(np.minimum.reduceat(values, groups.first), np.fmin.reduce(past, axis=1))
        highest = np.fmax(np.maximum.reduceat(values, groups.first), np.fmax.reduce(past, axis=1))
        # within one span of the limit nothing can be so far from a median
        wide = (highest > limit * lowest) & memory.jumps_count[groups.numbers]
        ends = np.append(groups.first[1:], len(values))
        found = [np.empty(0, dtype=np.intp)]
        for i in np.flatnonzero(wide).tolist():
            mine = slice(int(groups.first[i]), int(ends[i]))
            before = past[i][~np.isnan(past[i])]
            far = far_from_median(values[mine], before, limit, memory.window)
            found.append(groups.order[mine][far])
        return np.concatenate(found)

    def verdict(self, batch: Batch) -> StreamVerdict[Batch]:
        bad = np.flatnonzero(self._codes)
        repeated = int(np.count_nonzero(self._repeats))
        if not len(bad) and not repeated:
            return StreamVerdict(batch, batch[:0], bad, self._codes[:0], 0)
        good = batch[(self._codes == 0) & ~self._repeats]
        return StreamVerdict(good, batch[bad], bad, self._codes[bad], repeated)


def far_from_median(values: Floats, before: Floats, limit: float, window: int) -> Flags:
    """Values more than `limit` times above or below the median of up to `window` values before.

    `before` came first; refused values count too, so that a new level is believed after half of
    them. The first of all passes.
    """
    joined = np.concatenate([before[-window:], values])
    past = len(joined) - len(values)
    centre, reach = np.median(joined), np.sqrt(limit) * (1 - 1e-9)
    stray = (joined > centre * reach) | (joined * reach < centre)
    ahead = np.concatenate([[0], np.cumsum(stray)])
    at = np.arange(len(joined))
    since = np.maximum(at - window, 0)
    # near the centre, and so is the median of what was before: nothing to look at
    doubtful = (at > 0) & (stray | (2 * (ahead[at] - ahead[since]) >= at - since))
    found = np.flatnonzero(doubtful & (at >= past))
    padded = np.concatenate([np.full(window, np.nan), joined])
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[found]
    far = np.zeros(len(values), dtype=np.bool_)
    if len(found):
        medians = np.nanmedian(windows, axis=1)
        mine = joined[found]
        far[found - past] = (mine > medians * limit) | (mine * limit < medians)
    return far
