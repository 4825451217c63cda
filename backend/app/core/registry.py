"""Find an adapter by name: built in (one module each) or installed (an entry point)."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from app.core.errors import NotFound


def names(kind: str) -> list[str]:
    """Names that `load(kind, name)` accepts, e.g. kind="brokers"."""
    package = import_module(f"app.adapters.{kind}")
    built_in = {module.name for module in iter_modules(package.__path__)}
    installed = {point.name for point in entry_points(group=f"tradewright.{kind}")}
    return sorted(built_in | installed)


def load(kind: str, name: str) -> Any:  # noqa: ANN401 - an adapter is known by its port only
    """Import only the adapter that was asked for, so its SDK stays optional.

    Raises NotFound with the nearest name.
    """
    for point in entry_points(group=f"tradewright.{kind}", name=name):
        return point.load()
    if name not in names(kind):
        raise NotFound(
            f"No {kind} adapter is named {name!r}.", remedy=suggestion(name, names(kind))
        )
    return import_module(f"app.adapters.{kind}.{name}").Adapter


def suggestion(name: str, known: Iterable[str]) -> str:
    """`Did you mean X?`, or what there is when nothing is near."""
    known = sorted(known)
    by_lower = {candidate.lower(): candidate for candidate in known}
    if near := get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5):
        return f"Did you mean {by_lower[near[0]]}?"
    return f"There are: {', '.join(known)}." if known else "There are none."


def built_in_modules() -> list[ModuleType]:
    """Every adapter module of ours that can be imported here (an SDK may be missing)."""
    package = import_module("app.adapters")
    modules = []
    for kind in iter_modules(package.__path__):
        inner = import_module(f"app.adapters.{kind.name}")
        for module in iter_modules(inner.__path__):
            name = f"app.adapters.{kind.name}.{module.name}"
            if find_spec(name):
                modules.append(import_module(name))
    return modules
