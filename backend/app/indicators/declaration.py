"""What an indicator says about itself, next to the function that computes it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from typing import Any, Generic, ParamSpec, TypeVar, get_type_hints

from numpy.typing import ArrayLike

from app.core.errors import InvalidInput
from app.domain.parameters import Parameter, ParameterType, accept_all
from app.indicators.memory import Memory
from app.indicators.rows import Array, as_column, over_valid_rows

P = ParamSpec("P")
R = TypeVar("R", bound=Array | tuple[Array, ...])


class Group(StrEnum):
    TREND = "trend"
    MOMENTUM = "momentum"
    VOLATILITY = "volatility"
    VOLUME = "volume"
    STATISTICS = "statistics"
    CYCLES = "cycles"
    PERFORMANCE = "performance"
    CANDLES = "candles"


class Pane(StrEnum):
    """Where a chart draws it: over the prices, or below them on a scale of its own."""

    OVERLAY = "overlay"
    OWN = "own"


class Source(StrEnum):
    TA_LIB = "ta-lib"
    PANDAS_TA = "pandas-ta"


@dataclass(frozen=True)
class Bound:
    """Metadata of a parameter: `Annotated[int, Bound(2, 500, "…")]`."""

    minimum: float
    maximum: float
    help: str
    unit: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Indicator(Generic[P, R]):
    """A function from columns to columns; call it with the inputs, then the parameters.

    Row i of the result is built from rows <= i. Rows are NaN until there are enough, and where an
    input is not finite. `check(**parameters)` says what is wrong with a combination, or None.
    """

    name: str
    title: str
    description: str
    group: Group
    pane: Pane
    inputs: tuple[str, ...]
    "Names of the arguments that are columns, and of the bar columns that `compute` hands in."
    parameters: tuple[Parameter, ...]
    outputs: tuple[str, ...]
    memory: Memory
    source: Source
    function: Callable[P, R]
    check: Callable[..., str | None] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        given = self._bound(args, kwargs)
        columns = [as_column(given.pop(name), name) for name in self.inputs]
        if len({len(column) for column in columns}) > 1:
            lengths = ", ".join(f"{n} {len(c)}" for n, c in zip(self.inputs, columns, strict=True))
            raise InvalidInput(f"{self.name} needs columns of one length, not {lengths}.")
        return over_valid_rows(partial(self.function, **self.accepted(given)), columns)

    def _bound(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, Any]:
        """Arguments by name. Raises TypeError, in Python's words, when they do not fit."""
        given = {**dict(zip(self._names, args, strict=False)), **kwargs}
        fits = len(given) == len(args) + len(kwargs) and given.keys() <= self._names.keys()
        if fits and all(name in given for name in self.inputs):
            return given
        return self._signature.bind(*args, **kwargs).arguments

    def compute(self, columns: Mapping[str, ArrayLike], **parameters: object) -> dict[str, Array]:
        """Output columns by name, from bar columns by name."""
        self.accepted(parameters)
        missing = [name for name in self.inputs if name not in columns]
        if missing:
            raise InvalidInput(
                f"{self.name} needs the column {missing[0]}.",
                field=missing[0],
                remedy=f"There are {', '.join(columns)}.",
            )
        call: Callable[..., Array | tuple[Array, ...]] = self
        result = call(*(columns[name] for name in self.inputs), **parameters)
        parts = result if isinstance(result, tuple) else (result,)
        return dict(zip(self.outputs, parts, strict=True))

    def lookback(self, **parameters: object) -> int:
        """Bars needed for the first value that can be relied on."""
        return self.memory.rows(**self.accepted(parameters))

    def accepted(self, parameters: Mapping[str, object]) -> dict[str, Any]:
        """All parameters, checked one by one and together. Raises InvalidInput."""
        accepted = accept_all(self.parameters, parameters, self.name)
        problem = self.check(**accepted) if self.check else None
        if problem:
            first = problem.split()[0]
            raise InvalidInput(problem, field=first if first in accepted else None)
        return accepted

    @cached_property
    def _names(self) -> dict[str, None]:
        return dict.fromkeys((*self.inputs, *(one.name for one in self.parameters)))

    @cached_property
    def _signature(self) -> inspect.Signature:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        inputs = [inspect.Parameter(name, kind) for name in self.inputs]
        settings = [inspect.Parameter(p.name, kind, default=p.default) for p in self.parameters]
        return inspect.Signature([*inputs, *settings])


def indicator(
    *,
    group: Group,
    memory: Memory,
    pane: Pane = Pane.OWN,
    check: Callable[..., str | None] | None = None,
) -> Callable[[Callable[P, R]], Indicator[P, R]]:
    """Declare a function: arguments without a default are columns, the others parameters."""

    def declare(function: Callable[P, R]) -> Indicator[P, R]:
        title, _, description = inspect.cleandoc(function.__doc__ or "").partition("\n")
        arguments = inspect.signature(function).parameters.values()
        hints = get_type_hints(function, include_extras=True)
        return Indicator(
            name=function.__name__,
            title=title.removesuffix("."),
            description=" ".join(description.split()),
            group=group,
            pane=pane,
            inputs=tuple(a.name for a in arguments if a.default is a.empty),
            parameters=tuple(
                _parameter(a.name, hints[a.name], a.default)
                for a in arguments
                if a.default is not a.empty
            ),
            outputs=getattr(hints["return"], "_fields", (function.__name__,)),
            memory=memory,
            source=Source.TA_LIB,
            function=function,
            check=check,
        )

    return declare


def _parameter(name: str, hint: Any, default: Any) -> Parameter:  # noqa: ANN401 - what Annotated holds is untyped
    """A parameter from `Annotated[int, Bound(…)] = default`."""
    bound: Bound = hint.__metadata__[0]
    return Parameter(
        name=name,
        type=ParameterType.INTEGER if hint.__origin__ is int else ParameterType.NUMBER,
        default=default,
        minimum=bound.minimum,
        maximum=bound.maximum,
        unit=bound.unit,
        help=bound.help,
    )
