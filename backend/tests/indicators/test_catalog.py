"""Indicators by name."""

import json
import subprocess
import sys

import jsonschema
import numpy as np
import pytest

from app.core.errors import InvalidInput, NotFound
from app.indicators import catalog
from app.indicators import functions as ta
from app.indicators.declaration import Source
from app.indicators.samples import sample_bars

BARS = sample_bars(120)
ASKED_FOR = (
    *("sma", "ema", "wma", "rsi", "macd", "bollinger", "atr", "adx"),
    *("stochastic", "vwap", "obv", "donchian"),
)


@pytest.mark.parametrize("name", ASKED_FOR)
def test_the_indicators_asked_for_are_ours(name: str) -> None:
    assert catalog.find(name).source is Source.TA_LIB
    assert getattr(ta, name) is catalog.find(name)


def test_compute_gives_the_declared_columns_of_equal_length() -> None:
    for name in catalog.names():
        found = catalog.compute(name, BARS)
        assert tuple(found) == catalog.find(name).outputs
        for column in found.values():
            assert column.dtype == np.float64
            assert len(column) == 120


def test_compute_passes_parameters_as_text_too() -> None:
    assert np.array_equal(
        catalog.compute("sma", BARS, length="5")["sma"], ta.sma(BARS["close"], 5), equal_nan=True
    )


def test_every_indicator_describes_itself() -> None:
    for found in catalog.describe_all():
        jsonschema.Draft202012Validator.check_schema(found["parameters_schema"])
        jsonschema.validate(found["defaults"], found["parameters_schema"])
        assert found["title"]
        assert found["lookback"] >= 1
        assert found["memory"] in ("finite", "decaying", "cumulative")
    json.dumps(catalog.describe_all())


def test_ours_have_a_description_and_bounds() -> None:
    for indicator in catalog.OWN.values():
        assert indicator.description
        assert all(p.minimum is not None and p.help for p in indicator.parameters)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(NotFound, match=r"no indicator bolinger\. Did you mean bollinger"):
        catalog.find("bolinger")
    with pytest.raises(NotFound, match="lists them"):
        catalog.find("?")


def test_a_name_that_is_not_offered_says_why() -> None:
    with pytest.raises(NotFound, match="tos_stdevall is not offered: appending bars changes"):
        catalog.find("tos_stdevall")


def test_an_unknown_parameter_gets_the_nearest() -> None:
    with pytest.raises(InvalidInput, match=r"sma has no parameter lenght\. Did you mean length"):
        catalog.compute("sma", BARS, lenght=3)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InvalidInput, match="vwap needs the column session") as refused:
        catalog.compute("vwap", {name: BARS[name] for name in BARS if name != "session"})
    assert refused.value.field == "session"


def test_lookback_by_name() -> None:
    assert catalog.lookback("sma", length=7) == 7
    assert ta.lookback("kama") == catalog.find("kama").lookback()


def test_ta_knows_the_family_by_attribute() -> None:
    found = ta.supertrend(BARS["high"], BARS["low"], BARS["close"], length=5)
    assert found._fields == catalog.find("supertrend").outputs
    assert "kama" in dir(ta)
    with pytest.raises(AttributeError, match="Did you mean"):
        ta.bolinger  # noqa: B018 - the lookup is what is tried


def test_importing_the_catalogue_loads_neither_pandas_nor_ta_lib() -> None:
    program = (
        "import sys; from app.indicators import functions, catalog; catalog.describe_all();"
        "from app.strategies.catalog import Catalogue; Catalogue().describe_all();"
        "print({'pandas', 'talib', 'pandas_ta_classic'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
