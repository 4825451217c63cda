"""What a backtest feeds its driver: every slice, or only those where something may happen.

Between visited slices nothing is decided, no order can fill and no target is unmet, so positions
are constant. The searches are generous: a slice too many costs time, one too few would cost truth.
"""

import math
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime
from typing import cast

import numpy as np

from app.domain.deployments import DeploymentState
from app.domain.events import SessionClosed, SessionOpened
from app.domain.orders import AT_ONCE, Side
from app.domain.resting import Resting
from app.engine.driver import Item
from app.engine.engine import Engine
from app.engine.history import Tape
from app.engine.panel_runtime import PanelRuntime
from app.engine.paper import PaperBroker
from app.engine.runtime import Runtime
from app.marketdata.batch import to_ns
from app.marketdata.due_actions import Schedule
from app.research.heights import Heights
from app.research.market import Day, Market, Positions, Track
from app.research.panel_feed import PanelReader, turns_of
from app.strategies.base import Opinion, Row

_NOBODY: frozenset[str] = frozenset()


class Feed:
    """Yields the items of a market; with `visit_all` every one of them."""

    def __init__(
        self,
        market: Market,
        engine: Engine,
        broker: PaperBroker,
        *,
        visit_all: bool = False,
        actions: Schedule | None = None,
    ) -> None:
        self.market, self.engine, self.broker = market, engine, broker
        self.visit_all = visit_all
        self.visited = 0
        self._actions = actions
        self._acted_on: frozenset[str] = actions.symbols if actions else _NOBODY
        "Symbols that may become others, which are worth then what these were."
        self._first = 0
        "First slice of the session."
        self._readers: list[Runtime] = []
        "Those who decide by columns."
        self._turning: dict[str, dict[int, frozenset[str]]] = {}
        "By ledger and slice the symbols that turn there."
        self._turns: list[int] = []
        self._turn = 0
        self._until = market.days[0].close
        self._thinkers: list[tuple[Runtime, str, Track]] = []
        self._panels: list[PanelReader] = []
        self._deciding: list[PanelReader] = []
        "Panels that decide row by row."
        self._panel_symbols: set[str] = set()
        self._heights = Heights(market, engine.book)
        self._ready = -1
        "Slice whose answers were computed ahead."

    async def items(self) -> AsyncIterator[Item]:
        """Every item in order of time."""
        if not self.visit_all:
            self._prepare()
        before: date | None = None
        for day in self.market.days:
            self._until, self._first = day.close, day.first
            self._heights.begin(day)
            if self._actions is not None:
                for action in self._actions.due(before, day.session, day.open):
                    yield action
                before = day.session
            yield SessionOpened(session=day.session, at=day.open)
            for item in self._every(day) if self.visit_all else self._eventful(day):
                yield item
            yield SessionClosed(session=day.session, at=day.close)

    def _every(self, day: Day) -> Iterator[Item]:
        for k in range(day.first, day.last):
            self.visited += 1
            yield from self.market.opened(k, day)
            yield self.market.closed(k, day)

    def _eventful(self, day: Day) -> Iterator[Item]:
        k, has_opened = day.first, False
        while True:
            order_slice = self._order_slice(k, has_opened, day.last)
            visit = self._next(k, order_slice)
            if visit > k:
                self._pass(k, visit)
                k, has_opened = visit, False
            if k >= day.last:
                return
            if k == order_slice and not has_opened:
                yield from self.market.opened(k, day, self._tell_volumes(k))
                has_opened = True
                continue  # what the open filled decides whether the rest of the bar matters
            self.visited += 1
            self._hush(k)
            yield self.market.closed(k, day)
            k, has_opened = k + 1, False

    # ------------------------------------------------------------------- where to look next

    def _prepare(self) -> None:
        """Find the turning points of those who decide by columns; the others must be asked."""
        for runtime in self.engine.runtimes.values():
            if isinstance(runtime, PanelRuntime):
                self._add_panel(PanelReader(runtime, self.market, self.engine.desk))
            for symbol, strategy in runtime.strategies.items():
                if strategy.decides_by_row:
                    self._thinkers.append((runtime, symbol, self.market.tracks[symbol]))
                else:
                    self._find_turns(runtime, symbol)
        turns = {k for slices in self._turning.values() for k in slices}
        self._turns = sorted(turns.union(*(panel.turns for panel in self._panels)))

    def _find_turns(self, runtime: Runtime, symbol: str) -> None:
        turning, alone = self._turning.setdefault(runtime.ledger, {}), frozenset((symbol,))
        for k in turning_slices(_tape(runtime, symbol), self.market.tracks[symbol]).tolist():
            turning[k] = turning[k] | alone if k in turning else alone
        if runtime not in self._readers:
            self._readers.append(runtime)

    def _add_panel(self, panel: PanelReader) -> None:
        self._panels.append(panel)
        self._panel_symbols.update(panel.symbols)
        if panel.decides_by_row:
            self._deciding.append(panel)

    def _next(self, k: int, best: int) -> int:
        """The next slice >= k to visit, at most `best`."""
        for standing in self.engine.desk.standings.values():
            if standing.is_live:
                return k
        turns = self._turns
        while self._turn < len(turns) and turns[self._turn] < k:
            self._turn += 1
        if self._turn < len(turns):
            best = min(best, turns[self._turn])
        due = self.engine.deadline
        if due is not None and due < self._until:
            best = min(best, max(k, int(np.searchsorted(self.market.ends, to_ns(due)))))
        best = self._heights.fall(k, best)
        if not (self._thinkers or self._deciding) or self._ready == k:
            return k if self._ready == k else best
        return self._ask(k, best)

    def _order_slice(self, k: int, has_opened: bool, last: int) -> int:
        """The first slice from `k` on whose bars may fill an open order, else `last`."""
        best = last
        for resting in self.broker.matcher.resting.values():
            track = self.market.tracks.get(resting.order.symbol)
            if track is None:
                continue  # shares of a merger or a spin-off, which have no bars here
            at_open = k + 1 if has_opened else k
            order = resting.order
            if order.time_in_force in AT_ONCE:
                best = _next_slice(track, k, best)
            elif order.limit_price is None and not resting.waits:
                best = _next_slice(track, at_open, best)
            elif order.trail is not None and resting.waits:
                best = self._trailed_touch(resting, track, k, best)
            else:
                best = self._touch(resting, track, k, best)
        return best

    def _touch(self, resting: Resting, track: Track, k: int, best: int) -> int:
        """The first slice in [k, best) whose bar comes within a tick of the order's price."""
        order = resting.order
        first, last = track.bars_before(k), track.bars_before(best)
        if first >= last:
            return best
        waits_for_stop = resting.waits
        price = order.stop_price if waits_for_stop else order.limit_price
        tick = float(self.engine.book.instrument(order.symbol).tick)
        rises = (order.side is Side.BUY) == waits_for_stop
        at = float(price or 0)
        if rises:
            touched = track.high[first:last] >= at - tick
        else:
            touched = track.low[first:last] <= at + tick
        hit = int(touched.argmax())
        return track.slice_at(first + hit) if touched[hit] else best

    def _trailed_touch(self, resting: Resting, track: Track, k: int, best: int) -> int:
        """The same for a trailing stop, which each bar before has brought closer."""
        order = resting.order
        first, last = track.bars_before(k), track.bars_before(best)
        if first >= last or self.broker.matcher.model.latency_seconds:
            return _next_slice(track, k, best)  # late orders let some bars pass
        tick = float(self.engine.book.instrument(order.symbol).tick)
        is_sale = order.side is Side.SELL
        # A purchase is a sale in the mirror, where prices are negative and lows are highs.
        high, low = (track.high, track.low) if is_sale else (-track.low, -track.high)
        stop = -math.inf
        if resting.stop is not None:
            stop = float(resting.stop) if is_sale else -float(resting.stop)
        reached = np.maximum.accumulate(high[first:last]) - float(order.trail or 0)
        stops = np.maximum(np.concatenate(([stop], reached[:-1])), stop)
        touched = low[first:last] <= stops + 2 * tick
        hit = int(touched.argmax())
        return track.slice_at(first + hit) if touched[hit] else best

    # --------------------------------------------------------------------- asking strategies

    def _ask(self, k: int, best: int) -> int:
        """Ask deciding strategies slice by slice until one changes its opinion, up to `best`."""
        asked = [
            (runtime, symbol, track, self.engine.desk.held_exposure(runtime.ledger, symbol))
            for runtime, symbol, track in self._thinkers
            if runtime.state is DeploymentState.RUNNING
        ]
        panels = [panel for panel in self._deciding if panel.is_at_work]
        if len(asked) == 1 and asked[0][2].is_complete and not panels:
            return self._ask_one(*asked[0], k, best)
        for at in range(k, best):
            changed = False
            for runtime, symbol, track, held in asked:
                bar = track.bar_at(at)
                if bar >= 0:
                    changed |= self._changes(runtime, symbol, bar, held)
            for panel in panels:
                changed |= panel.changes(at)
            if changed:
                self._ready = at
                return at
            for runtime in (*(one[0] for one in asked), *(panel.runtime for panel in panels)):
                runtime.ready.clear()
        return best

    def _changes(self, runtime: Runtime, symbol: str, bar: int, held: float) -> bool:
        self._answer(runtime, symbol, bar, held)
        return _differs(runtime.ready[symbol][1], self._opinion(runtime, symbol, held))

    def _ask_one(
        self, runtime: Runtime, symbol: str, track: Track, held: float, k: int, best: int
    ) -> int:
        """The same for one strategy that has a bar in every slice, without the detours."""
        tape, decide = _tape(runtime, symbol), runtime.strategies[symbol].decide
        before = self._opinion(runtime, symbol, held)
        row: Row | None = None
        answer: object = None
        bar, last = track.first_bar + k, track.first_bar + best
        while bar < last:
            try:
                row = tape.row(bar)
                answer = None if row is None else decide(row, held)
            except Exception as error:  # noqa: BLE001  user code: it is told at the visit
                answer = error
            if answer is not None and answer != before and _differs(answer, before):
                runtime.ready[symbol] = row, answer
                self._ready = bar - track.first_bar
                return self._ready
            bar += 1
        return best

    def _opinion(self, runtime: Runtime, symbol: str, held: float) -> float:
        return runtime.opinions.get(symbol, 0.0 if not held else float("nan"))

    # ------------------------------------------------------------------------- passing over

    def _pass(self, k: int, until: int) -> None:
        """Slices k <= i < until change nothing but prices."""
        book = self.engine.book
        marks: list[tuple[str, float, datetime]] = []
        # Nobody asks for the price of what is neither held nor ordered before its next bar,
        # except for panels, which may want what has no bar in a slice.
        held = {s for s, q in book.net.items() if q}
        for symbol in held | {s for _, s in book.by_key} | self._panel_symbols | self._acted_on:
            track = self.market.tracks.get(symbol)
            if track is None:
                continue
            bar = track.bars_before(until) - 1
            if bar >= track.bars_before(k):
                at = self.market.instant(track.ended(bar))
                marks.append((symbol, track.closes(bar), at))
        self._trail(k, until)
        self.engine.pass_over(self.market.ended(until - 1), marks, self._heights.peaks(k, until))

    def _trail(self, k: int, until: int) -> None:
        """Trailing stops follow the bars that nobody visits."""
        for resting in self.broker.matcher.resting.values():
            track = self.market.tracks.get(resting.order.symbol)
            if resting.order.trail is None or track is None:
                continue
            first, last = track.bars_before(k), track.bars_before(until)
            if first < last:
                self.broker.matcher.follow(
                    resting, float(track.high[first:last].max()), float(track.low[first:last].min())
                )

    def _hush(self, k: int) -> None:
        """Who decides by columns and does not turn at slice `k` need not be asked."""
        for runtime in self._readers:
            turning = self._turning[runtime.ledger].get(k, _NOBODY)
            runtime.quiet = runtime.strategies.keys() - turning
            for symbol in turning:
                if runtime.state is DeploymentState.RUNNING:
                    held = self.engine.desk.held_exposure(runtime.ledger, symbol)
                    self._answer(runtime, symbol, self.market.tracks[symbol].bar_at(k), held)
        for panel in self._panels:
            panel.hush(k)

    def _answer(self, runtime: Runtime, symbol: str, bar: int, held: float) -> None:
        """Ask ahead of the visit, by the bar's number, which the engine would have to search."""
        row, answer = None, None
        try:
            row = _tape(runtime, symbol).row(bar)
            answer = runtime.ask(symbol, row, held)
        except Exception as error:  # noqa: BLE001  user code: it is told when the bar is visited
            answer = error
        runtime.ready[symbol] = row, answer

    def _tell_volumes(self, k: int) -> set[str]:
        """The matcher caps fills at the open by the bar before, which it may not have seen.

        Returns the symbols that have orders: only their opens matter.
        """
        symbols = {resting.order.symbol for resting in self.broker.matcher.resting.values()}
        symbols &= self.market.tracks.keys()
        for symbol in symbols:
            track = self.market.tracks[symbol]
            bar = track.bars_before(k) - 1
            if bar >= track.first_bar:
                self.broker.matcher.volumes[symbol] = track.volume(bar)
                if bar >= track.bars_before(self._first):
                    self.broker.matcher.volume_factors.pop(symbol, None)
        return symbols


def _tape(runtime: Runtime, symbol: str) -> Tape:
    return cast("Tape", runtime.histories[symbol])


def turning_slices(tape: Tape, track: Track) -> Positions:
    """Slices at which the wanted exposure changes, or where the strategy must be looked at."""
    wanted = tape.exposures()[track.first_bar : track.last_bar]
    slices: Positions = track.slice_of[turns_of(wanted)]
    return slices


def _next_slice(track: Track, k: int, best: int) -> int:
    """The first slice in [k, best) in which the symbol has a bar, else `best`."""
    bar = track.bars_before(k)
    return min(track.slice_at(bar), best) if bar < track.last_bar else best


def _differs(answer: object, before: float) -> bool:
    if answer is None:
        return False
    wanted = answer.exposure if isinstance(answer, Opinion) else answer
    return wanted != before
