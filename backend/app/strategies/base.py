"""A strategy turns bars into the exposure it wants. It never sees an order, a broker or a clock."""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Final, TypeVar, cast, get_type_hints
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.domain.parameters import PYTHON_TYPES, Parameter, ParameterType

Array = NDArray[np.float64]
Columns = Mapping[str, Array]
"""Columns by name, all of one length. Bars arrive as open, high, low, close, volume and session:
the ordinal of the exchange session, which changes where a new one begins."""

T = TypeVar("T", bool, int, float, str)
PARAMETER: Final = "tradewright"
"Key of a parameter's bounds in the metadata of a dataclass field."
TYPES: Final = {python: of for of, python in PYTHON_TYPES.items()}


def parameter(
    default: T,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    unit: str = "",
    help: str = "",
    choices: tuple[str, ...] = (),
) -> T:
    """A field of a strategy that people may set: `fast: int = parameter(10, minimum=1)`.

    The bounds are inclusive; `unit` and `help` are shown in forms.
    """
    bounds = {"minimum": minimum, "maximum": maximum, "unit": unit, "help": help}
    metadata = {PARAMETER: {**bounds, "choices": choices}}
    declared: Any = field(default=default, metadata=metadata)
    return declared  # type: ignore[no-any-return]  # the dataclass turns the field into its value


@dataclass(frozen=True, slots=True)
class Row:
    """One bar's worth of columns: `row["close"]`."""

    columns: Columns
    index: int

    def __getitem__(self, name: str) -> float:
        return float(self.columns[name][self.index])


@dataclass(frozen=True, slots=True)
class Opinion:
    """What `decide` may return instead of a bare exposure: protective prices, and why."""

    exposure: float
    stop_loss: float | None = None
    take_profit: float | None = None
    reasons: tuple[str, ...] = ()
    stop_trail: float | None = None
    "How far behind the best price the stop stays, in money; it begins at `stop_loss` where given."


def snake_case(name: str) -> str:
    """`SmaCross` as `sma_cross`, `RSIReversion` as `rsi_reversion`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


class BaseStrategy(ABC):
    """What every strategy has: a name, parameters, a memory; write a Strategy or a PanelStrategy.

    A subclass is a dataclass whose fields are its parameters.
    """

    name: ClassVar[str]
    "Catalogue name, snake case; by default made from the class name."
    description: ClassVar[str] = ""
    "One sentence; by default the first line of the docstring."
    columns: ClassVar[Mapping[str, str]] = {}
    "What `prepare` returns (for each symbol): column names and what they mean."
    answers_ahead: ClassVar[bool] = False
    "Whether it lives in another process, so that live trading asks it before it must know."
    memory: Any = None
    "A dataclass (or msgspec.Struct) with all that `decide` remembers."

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" not in cls.__dict__:
            cls.name = snake_case(cls.__name__)
        if "description" not in cls.__dict__:
            cls.description = inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]

    def __post_init__(self) -> None:
        """Hold the parameters against their bounds, and against each other by `check`."""
        for setting in parameters_of(type(self)):
            accepted = setting.accept(getattr(self, setting.name))
            object.__setattr__(self, setting.name, accepted)  # a frozen dataclass may be one too
        problem = self.check()
        if problem:
            first = problem.split()[0]
            raise InvalidInput(problem, field=first if first in self.parameters else None)

    def check(self) -> str | None:
        """A sentence when parameters do not go together, e.g. fast and slow; None when they do."""
        return None

    @property
    @abstractmethod
    def lookback(self) -> int:
        """Bars needed before the first opinion, derived from the indicators used."""

    @property
    @abstractmethod
    def decides_by_row(self) -> bool:
        """True when the strategy's own past matters, so that every bar must be visited."""

    def bars_needed(self, timeframe: Timeframe) -> dict[Timeframe, int]:
        """Bars of each timeframe before the first opinion, when deployed on `timeframe`.

        The deployment's own comes first. Raises InvalidInput for one that it cannot run on.
        """
        return {timeframe: self.lookback}

    def check_deployment(self, symbols: Sequence[str], timeframe: Timeframe) -> None:
        """Raise InvalidInput, which names the field, unless it can trade these together."""
        self.bars_needed(timeframe)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters' values, as `make` takes them."""
        return {setting.name: getattr(self, setting.name) for setting in parameters_of(type(self))}

    def checkpoint(self) -> Any:  # noqa: ANN401 - plain data of whatever shape the memory has
        """The memory as plain data; None without memory."""
        return msgspec.to_builtins(self.memory)

    def restore(self, state: Any) -> None:  # noqa: ANN401 - what `checkpoint` gave
        """Remember what `checkpoint` gave. Raises InvalidInput when it is of another shape."""
        if self.memory is None:
            return
        try:
            self.memory = msgspec.convert(state, type(self.memory))
        except msgspec.ValidationError as error:
            raise InvalidInput(f"{self.name} cannot read its memory: {error}.") from error


class Strategy(BaseStrategy):
    """Bars of one symbol in, wanted exposure (-1 short .. +1 long) out.

    `prepare` is vectorised: row i uses rows <= i only. When bars alone decide, it returns an
    `exposure` column (NaN: no opinion), and optionally `stop_loss` and `take_profit` columns of
    absolute prices, and `stop_trail` of distances in money. Override `decide` only when the
    strategy's own past matters; its memory is then a dataclass in `memory`, which the engine
    checkpoints. Every symbol of a deployment has an instance of its own.
    """

    @abstractmethod
    def prepare(self, bars: Columns) -> Columns:
        """Indicator columns, plus `exposure` when bars alone decide."""

    def decide(self, row: Row, held: float) -> float | Opinion | None:
        """Exposure wanted now; None for no opinion. `held` is the filled exposure, -1 .. +1."""
        exposure = row["exposure"]
        return None if exposure != exposure else exposure

    @property
    def decides_by_row(self) -> bool:
        return type(self).decide is not Strategy.decide


_SETTINGS: Final[WeakKeyDictionary[type, tuple[Parameter, ...]]] = WeakKeyDictionary()
"By class, as long as it is one: code that was loaded anew brings others."


def parameters_of(strategy: type[BaseStrategy]) -> tuple[Parameter, ...]:
    """The fields that people may set, in order. Raises InvalidInput for a type without a form."""
    known = _SETTINGS.get(strategy)
    if known is None:
        known = _SETTINGS[strategy] = _read(strategy)
    return known


def _read(strategy: type[BaseStrategy]) -> tuple[Parameter, ...]:
    if "__dataclass_fields__" not in vars(strategy):
        raise InvalidInput(
            f"The class {strategy.__name__} is not a dataclass.",
            remedy="Put @dataclass above it, so that its fields become parameters.",
        )
    hints = get_type_hints(strategy)
    settable = [one for one in fields(cast("Any", strategy)) if one.init]
    return tuple(_parameter(one, hints[one.name]) for one in settable)


def _parameter(one: "Field[Any]", hint: Any) -> Parameter:  # noqa: ANN401 - an annotation
    if not isinstance(one.default, bool | int | float | str):
        raise InvalidInput(f"The parameter {one.name} needs a default.", field=one.name)
    if hint not in TYPES:
        raise InvalidInput(
            f"The parameter {one.name} must be int, float, bool or str.", field=one.name
        )
    bounds = one.metadata.get(PARAMETER, {})
    return Parameter(name=one.name, type=ParameterType(TYPES[hint]), default=one.default, **bounds)
