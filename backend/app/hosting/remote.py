"""Strategies that live in another process, as the engine sees them: the same two methods."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.hosting import messages, wire
from app.hosting.host import Session
from app.hosting.messages import Made
from app.hosting.worker import REMEMBERED
from app.strategies.base import Columns, Opinion, Row, Strategy
from app.strategies.panel import Answer, Panel, PanelRow, PanelStrategy

_Arrays = Mapping[tuple[str, str], Any]
"""What `prepare` gave, by symbol (empty where there is one) and name."""


class _Link:
    """What both kinds share: the session, the strategy's number in it, and its columns there."""

    def __init__(self, session: Session, made: Made, seconds: float) -> None:
        self.session, self.made, self._seconds = session, made, seconds
        self.memory = made.memory
        "As plain data, after the last answer."
        self._token = 0
        self._known: OrderedDict[int, _Arrays] = OrderedDict()
        "What it remembers over there, the newest."
        self._checked: dict[tuple[tuple[str, ...], str], InvalidInput | None] = {}

    def call(self, request: messages.Request) -> Any:  # noqa: ANN401 - each has its own
        return self.session.call(request, self._seconds)

    def new_token(self) -> int:
        self._token += 1
        return self._token

    def remember(self, token: int, arrays: _Arrays) -> None:
        """It has been prepared; there and here the oldest is forgotten."""
        self._known[token] = arrays
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def token_of(self, columns: Mapping[str, Columns]) -> int | None:
        """Under which token these columns are known there; None when they must be sent."""
        for token, arrays in reversed(self._known.items()):
            if arrays and all(
                symbol in columns and columns[symbol].get(name) is array
                for (symbol, name), array in arrays.items()
            ):
                return token
        return None

    def decide(self, columns: Mapping[str, Columns], whole: Any, index: int, held: Any) -> Any:  # noqa: ANN401 - of one symbol or of many
        token, sent = self.token_of(columns), None
        if token is None:
            token, sent = self.new_token(), whole
        number = self.made.number
        told = self.call(messages.Decide(number, token, index, held, sent))
        if sent is not None:
            arrays = {(s, name): array for s, one in columns.items() for name, array in one.items()}
            self.remember(token, arrays)
        answer, self.memory = told
        return wire.answer_in(answer)

    def check(self, symbols: Sequence[str], timeframe: Timeframe) -> None:
        """Asked once, so that the engine has the answer when it needs it."""
        key = tuple(symbols), str(timeframe)
        if key not in self._checked:
            try:
                self.call(messages.Check(self.made.number, list(symbols), str(timeframe)))
            except InvalidInput as error:
                self._checked[key] = error
            else:
                self._checked[key] = None
        problem = self._checked[key]
        if problem is not None:
            raise problem

    def restore(self, memory: Any) -> None:  # noqa: ANN401 - what `checkpoint` gave
        self.memory = self.call(messages.Restore(self.made.number, memory))


class RemoteStrategy(Strategy):
    """One symbol's strategy over there."""

    answers_ahead = True

    def __init__(self, link: _Link) -> None:
        self.link: Final = link
        vars(self).update(name=link.made.name, columns=link.made.columns)

    @property
    def lookback(self) -> int:
        return self.link.made.lookback

    @property
    def decides_by_row(self) -> bool:
        return self.link.made.decides_by_row

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.link.made.parameters)

    def prepare(self, bars: Columns) -> Columns:
        token = self.link.new_token()
        made: Columns = self.link.call(messages.Prepare(self.link.made.number, token, dict(bars)))
        arrays = {("", name): array for name, array in made.items()}
        # `session` is the bars' own array in the row, unless the strategy made another.
        self.link.remember(token, {("", "session"): bars.get("session"), **arrays})
        return made

    def decide(self, row: Row, held: float) -> float | Opinion | None:
        if not self.decides_by_row:
            return super().decide(row, held)
        answer: float | Opinion | None = self.link.decide(
            {"": row.columns}, dict(row.columns), row.index, held
        )
        return answer

    def check_deployment(self, symbols: Sequence[str], timeframe: Timeframe) -> None:
        self.link.check(symbols, timeframe)

    def checkpoint(self) -> Any:  # noqa: ANN401 - plain data
        return self.link.memory

    def restore(self, state: Any) -> None:  # noqa: ANN401 - what `checkpoint` gave
        self.link.restore(state)


class RemotePanelStrategy(PanelStrategy):
    """A panel's strategy over there."""

    answers_ahead = True

    def __init__(self, link: _Link) -> None:
        self.link: Final = link
        made = link.made
        vars(self).update(
            name=made.name, columns=made.columns, timeframes=tuple(made.timeframes), _shares={}
        )

    @property
    def lookback(self) -> int:
        return self.link.made.lookback

    @property
    def lookbacks(self) -> Mapping[str, int]:
        return self.link.made.lookbacks

    @property
    def decides_by_row(self) -> bool:
        return self.link.made.decides_by_row

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.link.made.parameters)

    def shares(self, symbols: int) -> int:
        known: dict[int, int] = vars(self)["_shares"]
        if symbols not in known:
            known[symbols] = self.link.call(messages.Shares(self.link.made.number, symbols))
        return known[symbols]

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        token = self.link.new_token()
        views = [
            (symbol, str(timeframe), dict(view.bars), view.ends)
            for (symbol, timeframe), view in panel.views.items()
        ]
        request = messages.PreparePanel(
            self.link.made.number,
            token,
            list(panel.symbols),
            str(panel.timeframe),
            panel.ends,
            panel.session,
            views,
        )
        made: Mapping[str, Columns] = self.link.call(request)
        arrays = {(s, name): array for s, one in made.items() for name, array in one.items()}
        self.link.remember(token, arrays)
        return made

    def decide(self, row: PanelRow, held: Mapping[str, float]) -> Mapping[str, Answer]:
        if not self.decides_by_row:
            return super().decide(row, held)
        columns = {symbol: one.columns for symbol, one in row.items()}
        whole = {symbol: dict(one) for symbol, one in columns.items()}
        index = next(iter(row.values())).index
        answer: Mapping[str, Answer] = self.link.decide(columns, whole, index, dict(held))
        return answer

    def check_deployment(self, symbols: Sequence[str], timeframe: Timeframe) -> None:
        self.link.check(symbols, timeframe)

    def checkpoint(self) -> Any:  # noqa: ANN401 - plain data
        return self.link.memory

    def restore(self, state: Any) -> None:  # noqa: ANN401 - what `checkpoint` gave
        self.link.restore(state)


def make(
    session: Session, name: str, parameters: Mapping[str, Any], start_seconds: float, seconds: float
) -> RemoteStrategy | RemotePanelStrategy:
    """A strategy in this session. Raises NotFound, InvalidInput, StrategyLost."""
    told = session.call(messages.Make(name, dict(parameters)), start_seconds)
    link = _Link(session, msgspec.convert(told, Made), seconds)
    return RemotePanelStrategy(link) if link.made.is_panel else RemoteStrategy(link)
