"""Finds the strategy classes in a module, a file or an installed package."""

import inspect
import re
import sys
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final
from zlib import crc32

from app.core.errors import InvalidInput
from app.strategies.base import BaseStrategy, parameters_of

ENTRY_POINTS: Final = "tradewright.strategies"
FILE_MODULES: Final = "tradewright_strategies"
"Prefix of the module names under which files are loaded."
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


def strategies_in(module: ModuleType) -> list[type[BaseStrategy]]:
    """The concrete strategies that a module defines, not those that it imports."""
    found = [one for one in vars(module).values() if inspect.isclass(one)]
    return [
        one
        for one in found
        if issubclass(one, BaseStrategy)
        and one.__module__ == module.__name__
        and not inspect.isabstract(one)
    ]


def load_file(path: Path) -> list[type[BaseStrategy]]:
    """The strategies in a Python file. It is run, so load only what you trust.

    Raises InvalidInput with the file, the line and the reason when it cannot be used.
    """
    # two folders may hold files of one name
    name = f"{FILE_MODULES}.{path.stem}_{crc32(bytes(path.absolute())):08x}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InvalidInput(f"{path} is not a Python file.", field="path")
    module = module_from_spec(spec)
    # dataclasses look their own module up to resolve annotations
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SystemExit as error:
        raise InvalidInput(f"{path.name} ends the program when it is loaded.") from error
    except Exception as error:
        raise InvalidInput(f"{path.name} cannot be loaded: {explained(error, path)}") from error
    found = strategies_in(module)
    if not found:
        raise InvalidInput(
            f"{path.name} has no strategy.",
            remedy="Write a subclass of tradewright.Strategy, or PanelStrategy.",
        )
    for one in found:
        check_usable(one)
    return found


def explained(error: BaseException, path: Path) -> str:
    """`TypeError: … (line 12)`: the last line of the file that took part."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" + (f" (line {line})." if line else ".")


def files_in(folder: Path) -> list[Path]:
    """Strategy files of a folder; none when it does not exist. Tests and `_private.py` are not."""
    return [
        path for path in sorted(folder.glob("*.py")) if not path.name.startswith(("_", "test_"))
    ]


def installed() -> list[EntryPoint]:
    """What other packages offer under the entry point group `tradewright.strategies`."""
    return sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)


def load_entry_point(point: EntryPoint) -> list[type[BaseStrategy]]:
    """The strategy, or the strategies of the module, that an entry point names."""
    try:
        found = point.load()
    except Exception as error:
        raise InvalidInput(f"{point.value} cannot be loaded: {error}.") from error
    classes = strategies_in(found) if isinstance(found, ModuleType) else [found]
    if not classes or not all(inspect.isclass(o) and issubclass(o, BaseStrategy) for o in classes):
        raise InvalidInput(f"{point.value} is not a strategy.")
    for one in classes:
        check_usable(one)
    return classes


def check_usable(strategy: type[BaseStrategy]) -> None:
    """Raise InvalidInput unless it can be made with its defaults and says how far it looks back."""
    parameters_of(strategy)
    if not NAME.fullmatch(strategy.name):
        raise InvalidInput(
            f"The name {strategy.name!r} must be lower-case letters, digits and underscores."
        )
    try:
        lookback: object = strategy().lookback
    except Exception as error:
        raise InvalidInput(f"{strategy.name} does not work with its defaults: {error}") from error
    if not isinstance(lookback, int) or lookback < 1:
        raise InvalidInput(
            f"{strategy.name}.lookback must be a number of bars, at least 1, not {lookback!r}."
        )
