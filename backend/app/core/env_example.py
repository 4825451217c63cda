"""`.env.example`, written from the settings: `python -m app.core.env_example > .env.example`."""

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from textwrap import wrap
from typing import Final

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from app.core import registry, vendors
from app.core.backup import BackupOptions
from app.core.config import (
    ApiOptions,
    AppOptions,
    AwsOptions,
    CacheOptions,
    DatabaseOptions,
    LogOptions,
    RedisOptions,
)
from app.core.guardian import GuardianOptions
from app.core.live import LiveOptions
from app.core.monitoring import MonitoringOptions, TracingOptions
from app.core.notifications import NotificationOptions
from app.core.options import Options, variable_of, where_of
from app.core.pricing import PricingOptions
from app.core.quality import QualityOptions
from app.core.rates import RateOptions
from app.core.retention import RetentionOptions
from app.core.sessions import SessionOptions
from app.core.strategies import StrategyOptions
from app.core.worker import WorkerOptions

HEADER: Final = """\
# Every setting of Tradewright, with its default. Copy to .env and fill in what you use:
#     cp .env.example .env
# Written by `tradewright config example`; change the settings classes, not this file.
# An empty variable counts as unset. Nothing here is needed to trade on paper with simulated bars.
# Any of them may also be a file of that name in TRADEWRIGHT_SECRETS_DIR (Docker secrets).
# TRADEWRIGHT_ENV_FILE in the environment names another file than .env.
"""
FIRST: Final[tuple[type[Options], ...]] = (
    AppOptions,
    ApiOptions,
    DatabaseOptions,
    RedisOptions,
    CacheOptions,
    GuardianOptions,
    WorkerOptions,
    LiveOptions,
    QualityOptions,
    RetentionOptions,
    BackupOptions,
    MonitoringOptions,
    TracingOptions,
    NotificationOptions,
    SessionOptions,
    RateOptions,
    StrategyOptions,
    LogOptions,
    PricingOptions,
)
LAST: Final[tuple[type[Options], ...]] = (AwsOptions,)


def document() -> str:
    """The whole file."""
    return HEADER + "".join(f"\n{section(cls)}" for cls in option_classes())


def option_classes() -> list[type[Options]]:
    """Ours first, then every vendor's, found in its adapter or among those still to come."""
    registry.built_in_modules()
    known: list[type[Options]] = [*FIRST, *vendors.VENDORS]
    adapters = sorted(
        (cls for cls in _subclasses(Options) if cls.__module__.startswith("app.adapters.")),
        key=lambda cls: cls.__name__,
    )
    return [*known, *(cls for cls in adapters if cls not in known), *LAST]


def _subclasses(cls: type[Options]) -> Iterator[type[Options]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _subclasses(sub)


def section(cls: type[Options]) -> str:
    """One group: its docstring, then a commented line and the variable for each field."""
    title = (cls.__doc__ or cls.__name__).strip().splitlines()[0]
    lines = [f"# ---- {title}"]
    for name, field in cls.model_fields.items():
        lines += [f"# {line}" for line in wrap(explanation(field), 96)]
        lines.append(f"{variable_of(cls, name)}={default_of(field)}")
        lines += [f"{alias}=" for alias in aliases(field)]
    return "\n".join(lines) + "\n"


def explanation(field: FieldInfo) -> str:
    """What it is, and where to get it."""
    where = where_of(field)
    return f"{field.description}{f'; get it at {where}' if where else ''}"


def aliases(field: FieldInfo) -> list[str]:
    """Other variables that mean the same."""
    choices = field.validation_alias
    return [str(name) for name in choices.choices[1:]] if isinstance(choices, AliasChoices) else []


def default_of(field: FieldInfo) -> str:
    """The default as a variable holds it; empty for none."""
    if field.default_factory is not None or field.default is None:
        return ""
    value = field.default
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value.value if isinstance(value, Enum) else value)


def main() -> None:
    sys.stdout.write(document())


def is_current(file: Path) -> bool:
    """Whether the file says what the settings say."""
    return file.is_file() and file.read_text() == document()


if __name__ == "__main__":
    main()
