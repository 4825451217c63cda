"""Settings that people change while the system runs: which, of what type, and from where."""

import reprlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, Literal, NamedTuple, TypeVar, cast

from app.core import changed
from app.core.backup import BackupOptions
from app.core.config import LogOptions, get_settings
from app.core.errors import ConfigurationError, InvalidInput
from app.core.monitoring import MonitoringOptions
from app.core.notifications import NotificationOptions
from app.core.options import Options, given, key_of, variable_of
from app.core.quality import QualityOptions
from app.core.rates import RateOptions
from app.core.retention import RetentionOptions
from app.core.sessions import SessionOptions

Source = Literal["default", "profile", "environment", "stored"]
Made = TypeVar("Made", bound=Options)

_BY_PROFILE: Final[Mapping[str, str]] = {
    "LOG_LEVEL": "log_level",
    "API_PUBLIC_DOCS": "has_public_docs",
}
"Variables that the profile decides where nobody says anything, and its field."


class Operation(NamedTuple):
    """One setting that may be changed: stored in `system_config` under its key."""

    key: str
    category: str
    cls: type[Options]
    field: str

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return variable_of(self.cls, self.field)

    @property
    def description(self) -> str:
        """For people."""
        return str(self.cls.model_fields[self.field].description)


def _operations() -> Iterator[Operation]:
    chosen: tuple[tuple[str, type[Options], tuple[str, ...]], ...] = (
        ("log", LogOptions, ("level",)),
        ("sessions", SessionOptions, ()),
        ("rates", RateOptions, ()),
        ("backups", BackupOptions, ("time", "keep_daily", "keep_weekly", "spare_mb")),
        ("retention", RetentionOptions, ()),
        ("monitoring", MonitoringOptions, ("measure_seconds", "vendor_seconds")),
        (
            "quality",
            QualityOptions,
            ("completeness", "freshness_seconds", "bad_rows", "write_ms", "alert_after_seconds"),
        ),
        ("notifications", NotificationOptions, ("digest_time", "timeout_seconds")),
    )
    for category, cls, names in chosen:
        for name in names or cls.model_fields:
            yield Operation(f"{category}.{name}", category, cls, name)


OPERATIONS: Final[Mapping[str, Operation]] = {one.key: one for one in _operations()}


def offer(stored: Mapping[str, Any]) -> list[str]:
    """Let this process's settings be as they are stored, by key; those that cannot be used any
    more, with the reason, are left out."""
    usable: dict[str, Any] = {}
    refused: list[str] = []
    for key, operation in OPERATIONS.items():
        if stored.get(key) is None:
            continue
        try:
            usable[operation.variable] = checked(key, stored[key])
        except InvalidInput as error:
            refused.append(str(error))
    changed.offer(usable)
    _made.cache_clear()
    return refused


def current(cls: type[Made]) -> Made:
    """The settings of a class as they stand, made once a change: cheap enough for every request.

    Raises ConfigurationError for a value of the environment that cannot be used.
    """
    return cast(Made, _made(cls))


def read_again() -> None:
    """The environment may say something else now; only tests change that."""
    _made.cache_clear()
    _unheard.cache_clear()
    unchanged.cache_clear()


@cache
def _made(cls: type[Options]) -> Options:
    return cls()


def checked(key: str, value: object) -> Any:  # noqa: ANN401 - any JSON
    """`value` as JSON stores it. Raises InvalidInput with the reason and what is allowed."""
    operation = OPERATIONS[key]
    shown = reprlib.repr(value)
    if isinstance(value, bool | list | dict):  # pydantic takes true for 1
        raise InvalidInput(f"{key} cannot be {shown}.", field="value", remedy=allowed(operation))
    try:
        made = operation.cls(**{key_of(operation.cls, operation.field): value})
    except ConfigurationError as error:
        why = str(error).removeprefix(f"{operation.variable}: ")
        raise InvalidInput(
            f"{key} cannot be {shown}: {why}", field="value", remedy=allowed(operation)
        ) from None
    return _plain(made, operation.field)


@cache
def _unheard(cls: type[Options]) -> dict[str, Any]:
    """A class's settings as they are when nobody changed any."""
    with changed.unheard():
        return cls().model_dump(mode="json")


@cache
def unchanged(cls: type[Options], field: str) -> tuple[Any, Source]:
    """What a setting is when nobody changed it, and why: `environment` is also `.env` and secrets.

    Not for secrets: the value is shown.

    Raises ConfigurationError for a value there that cannot be used.
    """
    variable = variable_of(cls, field)
    value = _unheard(cls)[field]
    if given(variable):
        return value, "environment"
    if variable in _BY_PROFILE and value is None:
        return getattr(get_settings().profile, _BY_PROFILE[variable]), "profile"
    return value, "default"


def value(operation: Operation) -> Any:  # noqa: ANN401 - any JSON
    """What a setting is now, in this process."""
    found = _plain(current(operation.cls), operation.field)
    return unchanged(operation.cls, operation.field)[0] if found is None else found


def default(operation: Operation) -> Any:  # noqa: ANN401 - any JSON
    """What it is without any environment; the profile's where that decides."""
    found = operation.cls.model_fields[operation.field].default
    if found is None and operation.variable in _BY_PROFILE:
        return getattr(get_settings().profile, _BY_PROFILE[operation.variable])
    return found


@cache
def _schema_of(cls: type[Options]) -> dict[str, Any]:
    return cls.model_json_schema(by_alias=False)


@cache
def schema(key: str) -> dict[str, Any]:
    """JSON schema of one value, with its bounds."""
    operation = OPERATIONS[key]
    whole = _schema_of(operation.cls)
    found = dict(whole["properties"][operation.field])
    for choice in found.pop("anyOf", []):  # of what may be unset: null is not stored
        found |= choice if choice.get("type") != "null" else {}
    if reference := found.pop("$ref", None):
        found |= whole["$defs"][reference.rpartition("/")[2]]
    dropped = ("default", "description", "title")
    return {name: part for name, part in found.items() if name not in dropped}


def allowed(operation: Operation) -> str:
    """What it takes, in words."""
    found = schema(operation.key)
    if "enum" in found:
        return f"One of {', '.join(found['enum'])}."
    if "pattern" in found:
        return "A time of day such as 01:30."
    if found.get("type") == "string":
        return f"Such as {default(operation)}."
    whole = "A whole number" if found["type"] == "integer" else "A number"
    if "exclusiveMinimum" in found:
        return f"{whole} above {found['exclusiveMinimum']}, up to {found['maximum']}."
    return f"{whole} from {found['minimum']} to {found['maximum']}."


def _plain(options: Options, field: str) -> Any:  # noqa: ANN401 - any JSON
    return options.model_dump(mode="json", include={field})[field]
