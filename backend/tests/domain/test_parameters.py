"""Parameters that people set."""

import jsonschema
import pytest

from app.core.errors import InvalidInput
from app.domain.parameters import Parameter, ParameterType, accept_all, schema_of, unknown_parameter

LENGTH = Parameter(
    name="length", type=ParameterType.INTEGER, default=20, minimum=2, maximum=50, unit="bars"
)
WIDTH = Parameter(name="width", type=ParameterType.NUMBER, default=2.0, help="Distance.")
SHORT = Parameter(name="short", type=ParameterType.BOOLEAN, default=False)
KIND = Parameter(name="kind", type=ParameterType.STRING, default="sma", choices=("sma", "ema"))


@pytest.mark.parametrize(
    ("parameter", "given", "value"),
    [
        (LENGTH, 5, 5),
        (LENGTH, "5", 5),
        (LENGTH, 5.0, 5),
        (WIDTH, 3, 3.0),
        (WIDTH, "1.5", 1.5),
        (SHORT, True, True),
        (SHORT, "true", True),
        (KIND, "ema", "ema"),
    ],
)
def test_values_are_read_as_people_give_them(
    parameter: Parameter, given: object, value: object
) -> None:
    accepted = parameter.accept(given)
    assert accepted == value
    assert type(accepted) is type(value)


@pytest.mark.parametrize(
    ("parameter", "given", "sentence"),
    [
        (LENGTH, 1, "length must be at least 2, not 1."),
        (LENGTH, 51, "length must be at most 50, not 51."),
        (LENGTH, 2.5, "length must be a whole number, not 2.5."),
        (LENGTH, True, "length must be a whole number, not True."),
        (LENGTH, "many", "length must be a whole number, not 'many'."),
        (LENGTH, None, "length must be a whole number, not None."),
        (WIDTH, float("nan"), "width must be a finite number, not nan."),
        (WIDTH, "wide", "width must be a number, not 'wide'."),
        (SHORT, 1, "short must be true or false, not 1."),
        (SHORT, "perhaps", "short must be true or false, not 'perhaps'."),
        (KIND, "wma", "kind must be one of sma, ema, not 'wma'."),
        (KIND, 3, "kind must be text, not 3."),
    ],
)
def test_a_refusal_names_the_parameter_and_the_rule(
    parameter: Parameter, given: object, sentence: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        parameter.accept(given)
    assert str(refused.value) == sentence
    assert refused.value.field == parameter.name


def test_what_is_missing_takes_its_default() -> None:
    assert accept_all((LENGTH, WIDTH), {"width": 1}, "bands") == {"length": 20, "width": 1.0}


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match=r"bands has no parameter lenght\. Did you mean length"):
        accept_all((LENGTH, WIDTH), {"lenght": 1}, "bands")


def test_without_a_near_name_all_are_listed() -> None:
    assert str(unknown_parameter("x", ["b", "a"], "it")).endswith("It has a, b.")
    assert str(unknown_parameter("x", [], "it")).endswith("It has no parameters.")


def test_the_schema_says_what_is_accepted() -> None:
    schema = schema_of((LENGTH, WIDTH, SHORT, KIND))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"length": 50, "kind": "ema"}, schema)
    assert schema["properties"]["length"]["unit"] == "bars"
    assert schema["properties"]["short"]["default"] is False
    for wrong in ({"length": 1}, {"kind": "wma"}, {"other": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
