"""What every strategy inherits."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.strategies.base import Columns, Row, Strategy, parameter, parameters_of, snake_case


@dataclass
class Count:
    bars: int = 0


@dataclass
class Example(Strategy):
    """Counts bars.

    For tests.
    """

    fast: int = parameter(2, minimum=1, maximum=9, unit="bars", help="Fast.")
    slow: float = parameter(3.0)
    kind: str = parameter("a", choices=("a", "b"))
    memory: Count = field(default_factory=Count, init=False)

    def check(self) -> str | None:
        return None if self.fast < self.slow else "fast must be less than slow."

    @property
    def lookback(self) -> int:
        return self.fast

    def prepare(self, bars: Columns) -> Columns:
        return {"exposure": np.full(len(bars["close"]), np.nan)}


def test_names_come_from_the_class() -> None:
    assert Example.name == "example"
    assert Example.description == "Counts bars."
    assert [snake_case(n) for n in ("SmaCross", "RSIReversion", "Up2")] == [
        "sma_cross",
        "rsi_reversion",
        "up2",
    ]


def test_a_name_that_is_given_stays() -> None:
    class Other(Example):
        name = "another"
        description = "As given."

    assert (Other.name, Other.description) == ("another", "As given.")


def test_fields_are_parameters_and_memory_is_not() -> None:
    found = parameters_of(Example)
    assert [(p.name, p.type.value, p.default) for p in found] == [
        ("fast", "integer", 2),
        ("slow", "number", 3.0),
        ("kind", "string", "a"),
    ]
    assert Example(fast=1).parameters == {"fast": 1, "slow": 3.0, "kind": "a"}


def test_bounds_hold_for_everyone_who_makes_one() -> None:
    with pytest.raises(InvalidInput, match="fast must be at most 9, not 10"):
        Example(fast=10)
    with pytest.raises(InvalidInput, match="kind must be one of a, b"):
        Example(kind="c")


def test_parameters_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(InvalidInput, match="fast must be less than slow") as refused:
        Example(fast=5)
    assert refused.value.field == "fast"


def test_by_default_the_exposure_column_decides() -> None:
    strategy = Example()
    columns = {"exposure": np.array([np.nan, 0.5])}
    assert strategy.decide(Row(columns, 0), 1.0) is None
    assert strategy.decide(Row(columns, 1), 1.0) == 0.5
    assert not strategy.decides_by_row


def test_memory_survives_a_checkpoint() -> None:
    strategy, other = Example(), Example()
    strategy.memory.bars = 7
    other.restore(strategy.checkpoint())
    assert other.memory == Count(7)
    assert Example().memory == Count(0)


def test_memory_of_another_shape_is_refused() -> None:
    with pytest.raises(InvalidInput, match="example cannot read its memory"):
        Example().restore({"bars": "many"})


def test_without_memory_there_is_nothing_to_keep() -> None:
    @dataclass
    class Plain(Example):
        memory: None = field(default=None, init=False)  # type: ignore[assignment]  # no memory

    plain = Plain()
    assert plain.checkpoint() is None
    plain.restore(None)


def test_a_class_that_is_no_dataclass_is_told_so() -> None:
    class Forgotten(Example):
        pass

    with pytest.raises(InvalidInput, match="Forgotten is not a dataclass"):
        parameters_of(Forgotten)


def test_a_parameter_without_a_default_is_refused() -> None:
    @dataclass
    class Bare(Example):
        extra: list[int] = field(default_factory=list)

    with pytest.raises(InvalidInput, match="extra needs a default"):
        parameters_of(Bare)


def test_a_parameter_without_a_form_is_refused() -> None:
    @dataclass
    class Odd(Example):
        extra: object = 1

    with pytest.raises(InvalidInput, match="extra must be int, float, bool or str"):
        parameters_of(Odd)


def test_one_symbol_is_as_good_as_another() -> None:
    assert Example(fast=3, slow=5).bars_needed(Timeframe.H1) == {Timeframe.H1: 3}
    Example().check_deployment(["A", "B"], Timeframe.D1)
