"""What is said between the engine and a strategy's process: requests, descriptions, errors."""

from typing import Any, Final, Literal

import msgspec

from app.core.errors import InvalidInput, NotFound, TradewrightError

Columns = dict[str, Any]
"""Arrays by name; what a user returns is checked where it is used."""


class Make(msgspec.Struct, frozen=True, tag=True):
    """A strategy with these parameters; answered with `Made`."""

    name: str
    parameters: dict[str, Any]


class Check(msgspec.Struct, frozen=True, tag=True):
    """Whether it can trade these together; answered with None, or an error."""

    strategy: int
    symbols: list[str]
    timeframe: str


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """The columns of these bars; remembered under `token`."""

    strategy: int
    token: int
    bars: Columns


class PreparePanel(msgspec.Struct, frozen=True, tag=True):
    """The columns of this panel by symbol; `views` are symbol, timeframe, bars and their ends."""

    strategy: int
    token: int
    symbols: list[str]
    timeframe: str
    ends: Any
    session: Any
    views: list[tuple[str, str, Columns, Any]]


class Decide(msgspec.Struct, frozen=True, tag=True):
    """What is wanted at row `index` of the columns of `token`, or of those that come along."""

    strategy: int
    token: int
    index: int
    held: Any
    columns: Columns | None = None


class Restore(msgspec.Struct, frozen=True, tag=True):
    """Remember what `checkpoint` once gave."""

    strategy: int
    memory: Any


class Shares(msgspec.Struct, frozen=True, tag=True):
    """Into how many shares the capital of a panel of so many symbols goes."""

    strategy: int
    symbols: int


class Describe(msgspec.Struct, frozen=True, tag=True):
    """Every strategy of the folders, and what is wrong with the others."""


Request = Make | Check | Prepare | PreparePanel | Decide | Restore | Shares | Describe


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy as the engine must know it."""

    number: int
    name: str
    is_panel: bool
    parameters: dict[str, Any]
    lookback: int
    decides_by_row: bool
    memory: Any
    timeframes: list[str] = []
    lookbacks: dict[str, int] = {}
    columns: dict[str, str] = {}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An exception on its way home: its name, its words, and the user's own frames."""

    kind: Literal["user", "invalid", "not found"]
    type: str
    text: str
    traceback: str = ""
    field: str | None = None
    remedy: str | None = None


class StrategyError(Exception):
    """Base of what a user's strategy raised over there; the class has the name that it had."""

    told: str = ""
    "Its traceback, which ended there."


_KINDS: Final[dict[str, type[TradewrightError]]] = {"invalid": InvalidInput, "not found": NotFound}


def error_of(told: Told) -> Exception:
    """The exception to raise here."""
    known = _KINDS.get(told.kind)
    if known is InvalidInput:
        return InvalidInput(told.text, remedy=told.remedy, field=told.field)
    if known is not None:
        return known(told.text, remedy=told.remedy)
    error: StrategyError = type(told.type, (StrategyError,), {"told": told.traceback})(told.text)
    return error


def told_of(error: Exception, traceback: str, *, is_refusal: bool = False) -> Told:
    """The exception as it travels. A refusal is ours, to be told as one; the rest is the user's."""
    name = type(error).__name__
    if is_refusal and isinstance(error, InvalidInput | NotFound):
        kind: Literal["invalid", "not found"] = (
            "invalid" if isinstance(error, InvalidInput) else "not found"
        )
        field = error.field if isinstance(error, InvalidInput) else None
        return Told(kind=kind, type=name, text=error.message, field=field, remedy=error.remedy)
    return Told(kind="user", type=name, text=str(error), traceback=traceback)
