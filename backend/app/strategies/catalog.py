"""Every strategy by name: built in, installed by other packages, or written by the user."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Final

import msgspec

from app.core.errors import InvalidInput, NotFound
from app.domain.parameters import accept_all, schema_of
from app.strategies.base import BaseStrategy, parameters_of
from app.strategies.loading import (
    files_in,
    installed,
    load_entry_point,
    load_file,
    strategies_in,
)
from app.strategies.panel import PanelStrategy

BUILT_IN: Final = "built in"


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a strategy; `lookback` and `decides_by_row` are those of the defaults."""

    name: str
    title: str
    description: str
    documentation: str
    parameters_schema: dict[str, Any]
    defaults: dict[str, Any]
    columns: dict[str, str]
    lookback: int
    decides_by_row: bool
    is_panel: bool
    "It decides for all symbols of a deployment at once."
    origin: str
    "`built in`, `package NAME`, or the path of the file."


@dataclass(frozen=True)
class Offer:
    """A class and where it comes from."""

    strategy: type[BaseStrategy]
    origin: str
    path: Path


class Catalogue:
    """Looks up strategies; files in `folders` are read again when they change.

    A file or package that cannot be used does not hide the others: it stands in `problems`.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._folders = tuple(folders)
        self._files: dict[tuple[Path, int, int], list[type[BaseStrategy]] | InvalidInput] = {}

    def names(self) -> list[str]:
        """Names of all strategies, sorted."""
        return sorted(self._scan()[0])

    @property
    def problems(self) -> dict[str, str]:
        """What could not be used, by file or package, and why."""
        return self._scan()[1]

    def find(self, name: str) -> type[BaseStrategy]:
        """The class of that name. Raises NotFound, which suggests the nearest."""
        return self._offer(name).strategy

    def make(self, name: str, parameters: Mapping[str, object]) -> BaseStrategy:
        """A strategy with these parameters, its memory empty; what is missing takes its default.

        Raises NotFound, or InvalidInput, which names the parameter and what is allowed.
        """
        strategy = self.find(name)
        settings = accept_all(parameters_of(strategy), parameters, name)
        try:
            return strategy(**settings)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{name} refuses its parameters: {error}") from error

    def describe(self, name: str) -> Description:
        return _description(self._offer(name))

    def describe_all(self) -> list[Description]:
        """All strategies by name."""
        return [_description(offer) for _, offer in sorted(self._scan()[0].items())]

    def source(self, name: str) -> str:
        """The Python text of the module that the strategy stands in."""
        return self._offer(name).path.read_text(encoding="utf-8")

    def _offer(self, name: str) -> Offer:
        offers, problems = self._scan()
        if name in offers:
            return offers[name]
        broken = [reason for origin, reason in problems.items() if Path(origin).stem == name]
        near = get_close_matches(name.lower(), offers, n=1, cutoff=0.5)
        nearest = f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(offers))}."
        raise NotFound(
            f"There is no strategy {name}.",
            remedy=broken[0] if broken else nearest,
            name=name,
            nearest=near[0] if near else None,
        )

    def _scan(self) -> tuple[dict[str, Offer], dict[str, str]]:
        offers = {one.name: Offer(one, BUILT_IN, _path(one)) for one in built_in()}
        problems: dict[str, str] = {}
        for origin, load in self._sources():
            try:
                for offer in load():
                    _add(offers, offer)
            except InvalidInput as error:
                problems[origin] = str(error)
        return offers, problems

    def _sources(self) -> Iterator[tuple[str, Callable[[], list[Offer]]]]:
        for point in installed():
            yield f"package {point.value}", partial(_from_package, point)
        for folder in self._folders:
            for path in files_in(folder):
                yield str(path), partial(self._from_file, path)

    def _from_file(self, path: Path) -> list[Offer]:
        return [Offer(one, str(path), path) for one in self._loaded(path)]

    def _loaded(self, path: Path) -> list[type[BaseStrategy]]:
        """The file's strategies, loaded once for each state of the file."""
        state = path.stat()
        key = (path, state.st_mtime_ns, state.st_size)
        if key not in self._files:
            try:
                self._files[key] = load_file(path)
            except InvalidInput as error:
                self._files[key] = error
        found = self._files[key]
        if isinstance(found, InvalidInput):
            raise found
        return found


def _from_package(point: EntryPoint) -> list[Offer]:
    return [Offer(one, f"package {point.value}", _path(one)) for one in load_entry_point(point)]


def _path(strategy: type[BaseStrategy]) -> Path:
    return Path(inspect.getfile(strategy))


def _add(offers: dict[str, Offer], offer: Offer) -> None:
    """Two strategies of one name would make a deployment mean either."""
    other = offers.get(offer.strategy.name)
    if other is not None:
        raise InvalidInput(
            f"The name {offer.strategy.name} is taken ({other.origin}).",
            remedy="Rename the class, or set `name`.",
        )
    offers[offer.strategy.name] = offer


def _description(offer: Offer) -> Description:
    strategy = offer.strategy
    parameters = parameters_of(strategy)
    example = strategy()
    return Description(
        name=strategy.name,
        title=strategy.name.replace("_", " ").capitalize(),
        description=strategy.description,
        # without a docstring dataclass writes one of its own
        documentation=inspect.cleandoc(strategy.__doc__ or "") if strategy.description else "",
        parameters_schema=schema_of(parameters),
        defaults={parameter.name: parameter.default for parameter in parameters},
        columns=dict(strategy.columns),
        lookback=example.lookback,
        decides_by_row=example.decides_by_row,
        is_panel=issubclass(strategy, PanelStrategy),
        origin=offer.origin,
    )


@cache
def built_in() -> tuple[type[BaseStrategy], ...]:
    """The strategies in this package, one a module."""
    package = __name__.rpartition(".")[0]
    names = [module.name for module in iter_modules(import_module(package).__path__)]
    modules = [import_module(f"{package}.{name}") for name in names]
    return tuple(one for module in modules for one in strategies_in(module))
