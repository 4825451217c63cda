"""A parameter that people may set: type, bounds, unit and meaning, for forms and for checks."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from math import isfinite
from typing import Any, Final

import msgspec

from app.core.errors import InvalidInput

Value = bool | int | float | str


class ParameterType(StrEnum):
    """Named as JSON schema names them."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRING = "string"


PYTHON_TYPES: Final[Mapping[ParameterType, type[Value]]] = {
    ParameterType.INTEGER: int,
    ParameterType.NUMBER: float,
    ParameterType.BOOLEAN: bool,
    ParameterType.STRING: str,
}
WORDS: Final = {
    ParameterType.INTEGER: "a whole number",
    ParameterType.NUMBER: "a number",
    ParameterType.BOOLEAN: "true or false",
    ParameterType.STRING: "text",
}


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One setting. Bounds are inclusive; `unit` is for people, e.g. `bars` or `%`."""

    name: str
    type: ParameterType
    default: Value
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()

    def accept(self, given: object) -> Value:
        """`given` as a value of this type. Text is read as a command line would give it.

        Raises InvalidInput, which names the parameter, what is wrong and what is allowed.
        """
        value = self._converted(given)
        if isinstance(value, str):
            if self.choices and value not in self.choices:
                raise self._refusal(f"must be one of {', '.join(self.choices)}", given)
            return value
        if isinstance(value, float) and not isfinite(value):
            raise self._refusal("must be a finite number", given)
        if self.minimum is not None and value < self.minimum:
            raise self._refusal(f"must be at least {self.minimum:g}", given)
        if self.maximum is not None and value > self.maximum:
            raise self._refusal(f"must be at most {self.maximum:g}", given)
        return value

    def schema(self) -> dict[str, Any]:
        """JSON schema of this parameter; `unit` is an extra key that forms show."""
        schema: dict[str, Any] = {
            "type": self.type.value,
            "title": self.name.replace("_", " ").capitalize(),
            "default": self.default,
        }
        described = {
            "description": self.help,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "enum": list(self.choices),
            "unit": self.unit,
        }
        return schema | {
            key: value for key, value in described.items() if value not in (None, "", [])
        }

    def _converted(self, given: object) -> Value:
        mistyped = isinstance(given, bool) != (self.type is ParameterType.BOOLEAN)
        if mistyped and not isinstance(given, str):
            raise self._refusal(f"must be {WORDS[self.type]}", given)
        try:
            return msgspec.convert(given, PYTHON_TYPES[self.type], strict=False)
        except msgspec.ValidationError:
            raise self._refusal(f"must be {WORDS[self.type]}", given) from None

    def _refusal(self, rule: str, given: object) -> InvalidInput:
        allowed = self.schema() | {"given": given}
        return InvalidInput(f"{self.name} {rule}, not {given!r}.", field=self.name, **allowed)


def accept_all(
    parameters: Sequence[Parameter], given: Mapping[str, object], owner: str
) -> dict[str, Value]:
    """Every parameter's value: as given, or its default. `owner` is named in refusals."""
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            raise unknown_parameter(name, known, owner)
    return {
        name: parameter.accept(given[name]) if name in given else parameter.default
        for name, parameter in known.items()
    }


def unknown_parameter(name: str, known: Iterable[str], owner: str) -> InvalidInput:
    """The refusal of a parameter that `owner` does not have, with the nearest that it has."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    if near:
        remedy = f"Did you mean {near[0]}?"
    else:
        remedy = f"It has {', '.join(names)}." if names else "It has no parameters."
    return InvalidInput(f"{owner} has no parameter {name}.", field=name, remedy=remedy)


def schema_of(parameters: Iterable[Parameter]) -> dict[str, Any]:
    """JSON schema of an object with these parameters, none of them required."""
    return {
        "type": "object",
        "properties": {parameter.name: parameter.schema() for parameter in parameters},
        "additionalProperties": False,
    }
