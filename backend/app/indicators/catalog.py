"""Every indicator by name, for charts, forms and pages: what it needs and what it gives."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

from numpy.typing import ArrayLike

from app.core.errors import NotFound
from app.domain.parameters import schema_of
from app.indicators import momentum, pandas_ta, trend, volatility, volume
from app.indicators.declaration import Indicator
from app.indicators.rows import Array

OWN: Final[Mapping[str, Indicator[..., Any]]] = {
    found.name: found
    for module in (trend, momentum, volatility, volume)
    for found in vars(module).values()
    if isinstance(found, Indicator)
}
"Our own, over TA-Lib."


@cache
def _all() -> Mapping[str, Indicator[..., Any]]:
    family = {entry.name: pandas_ta.as_indicator(entry) for entry in pandas_ta.table().entries}
    return {**family, **OWN}


def names() -> list[str]:
    """Names of all indicators, sorted."""
    return sorted(_all())


def find(name: str) -> "Indicator[..., Any]":
    """The indicator of that name. Raises NotFound, which suggests the nearest."""
    found = OWN.get(name) or _all().get(name)
    if found is not None:
        return found
    reason = pandas_ta.table().excluded.get(name)
    if reason:
        raise NotFound(f"The indicator {name} is not offered: {reason}.", name=name)
    near = get_close_matches(name.lower(), names(), n=1)
    remedy = f"Did you mean {near[0]}?" if near else "`ta.names()` lists them."
    raise NotFound(f"There is no indicator {name}.", remedy=remedy, name=name)


def compute(name: str, columns: Mapping[str, ArrayLike], **parameters: object) -> dict[str, Array]:
    """The indicator's output columns, from bar columns by name; as long as these."""
    return find(name).compute(columns, **parameters)


def lookback(name: str, **parameters: object) -> int:
    """Bars needed for the indicator's first value that can be relied on."""
    return find(name).lookback(**parameters)


def describe(name: str) -> dict[str, Any]:
    """What the API and the pages say of an indicator; `lookback` is that of the defaults."""
    found = find(name)
    return {
        "name": found.name,
        "title": found.title,
        "description": found.description,
        "group": found.group.value,
        "pane": found.pane.value,
        "inputs": list(found.inputs),
        "outputs": list(found.outputs),
        "parameters_schema": schema_of(found.parameters),
        "defaults": {parameter.name: parameter.default for parameter in found.parameters},
        "memory": found.memory.kind.value,
        "lookback": found.lookback(),
        "source": found.source.value,
    }


def describe_all() -> list[dict[str, Any]]:
    """All indicators, by group, ours first."""
    found = sorted(
        _all().values(), key=lambda one: (one.group, one.source == "pandas-ta", one.name)
    )
    return [describe(one.name) for one in found]
