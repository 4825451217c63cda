"""The process of one deployment: its strategies, asked over one link until that ends."""

import socket
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.domain.parameters import accept_all
from app.engine.runtime import described
from app.hosting import messages, wire
from app.hosting.messages import Made, told_of
from app.strategies.base import BaseStrategy, Row, Strategy, parameters_of
from app.strategies.catalog import Catalogue
from app.strategies.loading import files_in, load_file
from app.strategies.panel import Panel, PanelStrategy, View

REMEMBERED: Final = 8
"Prepared columns kept, the newest; the engine counts the same way."
_read: Final = msgspec.convert
_REFUSING: Final = (messages.Make, messages.Check, messages.Restore)


class Worker:
    """Answers requests. What the user's code raises is an answer too."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._strategies: list[BaseStrategy] = []
        self._columns: OrderedDict[int, Mapping[str, Any]] = OrderedDict()
        "Bars and what `prepare` made of them, by token; of a panel by symbol."
        self._made: tuple[int, Mapping[str, Any]] | None = None
        "Columns of the request under way: remembered once the answer is sure to arrive."
        self._doing: dict[type, Callable[[Any], Any]] = {
            messages.Make: self._make,
            messages.Check: self._check,
            messages.Prepare: self._prepare,
            messages.PreparePanel: self._prepare_panel,
            messages.Decide: self._decide,
            messages.Restore: self._restore,
            messages.Shares: self._shares,
            messages.Describe: self._describe,
        }

    def serve(self, link: socket.socket) -> None:
        """Until the other side is gone."""
        while True:
            try:
                request = _read(wire.receive(link), messages.Request)
                wire.send_whole(link, self.answer(request))
            except wire.Closed:
                return

    def answer(self, request: messages.Request) -> bytes:
        """`{"is": …}`, or `{"error": …}`, packed: what cannot travel is an error too."""
        self._made = None
        try:
            answer = wire.packed({"is": self._doing[type(request)](request)})
        except Exception as error:  # noqa: BLE001 - user code may raise anything
            is_refusal = isinstance(request, _REFUSING)
            told = told_of(error, described(error), is_refusal=is_refusal)
            return wire.packed({"error": told})
        if self._made is not None:
            self._remember(*self._made)
        return answer

    # ---------------------------------------------------------------------------- strategies

    def _make(self, asked: messages.Make) -> Made:
        kind = self._find(asked.name)
        settings = accept_all(parameters_of(kind), asked.parameters, asked.name)
        try:
            strategy = kind(**settings)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{asked.name} refuses its parameters: {error}") from error
        self._strategies.append(strategy)
        return _described(len(self._strategies) - 1, strategy)

    def _find(self, name: str) -> type[BaseStrategy]:
        """Its own file first: others may be broken, or never end."""
        files = [path for folder in self._folders for path in files_in(folder)]
        for path in sorted(files, key=lambda path: path.stem != name):
            try:
                found = load_file(path)
            except InvalidInput:
                continue
            for one in found:
                if one.name == name:
                    return one
        return Catalogue(self._folders).find(name)

    def _check(self, asked: messages.Check) -> None:
        strategy = self._strategies[asked.strategy]
        strategy.check_deployment(tuple(asked.symbols), Timeframe(asked.timeframe))

    def _restore(self, asked: messages.Restore) -> Any:  # noqa: ANN401 - a memory
        strategy = self._strategies[asked.strategy]
        strategy.restore(asked.memory)
        return strategy.checkpoint()

    def _shares(self, asked: messages.Shares) -> int:
        return cast("PanelStrategy", self._strategies[asked.strategy]).shares(asked.symbols)

    def _describe(self, _asked: messages.Describe) -> dict[str, Any]:
        catalogue = Catalogue(self._folders)
        return {"strategies": catalogue.describe_all(), "problems": catalogue.problems}

    # ------------------------------------------------------------------------------- opinions

    def _prepare(self, asked: messages.Prepare) -> Any:  # noqa: ANN401 - columns, as a rule
        made = cast("Strategy", self._strategies[asked.strategy]).prepare(asked.bars)
        self._made = asked.token, {**asked.bars, **made}
        return made

    def _prepare_panel(self, asked: messages.PreparePanel) -> Any:  # noqa: ANN401 - as above
        views = {
            (symbol, Timeframe(timeframe)): View(bars, ends, asked.ends)
            for symbol, timeframe, bars, ends in asked.views
        }
        symbols, timeframe = tuple(asked.symbols), Timeframe(asked.timeframe)
        panel = Panel(symbols, timeframe, asked.ends, asked.session, views)
        made = cast("PanelStrategy", self._strategies[asked.strategy]).prepare(panel)
        self._made = asked.token, panel.with_bars(dict(made.items()))
        return made

    def _decide(self, asked: messages.Decide) -> Any:  # noqa: ANN401 - an answer and a memory
        if asked.columns is not None:
            self._made = asked.token, asked.columns
        columns = asked.columns or self._columns[asked.token]
        strategy = self._strategies[asked.strategy]
        if isinstance(strategy, PanelStrategy):
            rows = {symbol: Row(one, asked.index) for symbol, one in columns.items()}
            answer: Any = strategy.decide(rows, asked.held)
        else:
            answer = cast("Strategy", strategy).decide(Row(columns, asked.index), asked.held)
        return [wire.answer_out(answer), strategy.checkpoint()]

    def _remember(self, token: int, columns: Mapping[str, Any]) -> None:
        self._columns[token] = columns
        if len(self._columns) > REMEMBERED:
            self._columns.popitem(last=False)


def _described(number: int, strategy: BaseStrategy) -> Made:
    panel = strategy if isinstance(strategy, PanelStrategy) else None
    return Made(
        number=number,
        name=strategy.name,
        is_panel=panel is not None,
        parameters=strategy.parameters,
        lookback=strategy.lookback,
        decides_by_row=strategy.decides_by_row,
        memory=strategy.checkpoint(),
        timeframes=[str(one) for one in panel.timeframes] if panel else [],
        lookbacks=dict(panel.lookbacks) if panel else {},
        columns=dict(strategy.columns),
    )
