"""The pandas-ta family: what the survey found stays true, for whichever library is installed."""

from contextlib import suppress

import msgspec
import numpy as np
import pytest

from app.core.errors import InvalidInput
from app.indicators import catalog, pandas_ta, survey
from app.indicators.memory import MemoryKind
from app.indicators.samples import sample_bars

BARS = sample_bars(200, seed=9)


is_classic = pytest.mark.skipif(
    pandas_ta.has_original(), reason="the table is that of pandas-ta-classic alone"
)


@is_classic
@pytest.mark.parametrize("entry", pandas_ta.table().entries[::6], ids=lambda entry: entry.name)
def test_the_table_holds_what_the_survey_finds(entry: pandas_ta.Entry) -> None:
    category = next(c for c, name in survey.library_functions() if name == entry.name)
    assert survey.examine(category, entry.name) == entry


@is_classic
def test_the_survey_tells_apart_what_is_offered() -> None:
    found = survey.survey([("overlap", "hl2"), ("overlap", "ma")])
    assert [entry.name for entry in found.entries] == ["hl2"]
    assert found.excluded == {"ma": "it takes no column of bars"}
    assert survey.pretty(found).startswith(b"{")


@is_classic
def test_every_function_of_the_library_is_in_the_table_or_excluded() -> None:
    table = pandas_ta.table()
    known = {entry.name for entry in table.entries} | set(table.excluded)
    assert {name for _, name in survey.library_functions()} == known


@is_classic
@pytest.mark.parametrize("name", sorted(pandas_ta.table().excluded))
def test_what_is_excluded_is_refused_for_its_reason(name: str) -> None:
    with pytest.raises(survey.Refused) as refused:
        survey.examine("trend", name)
    assert str(refused.value) == pandas_ta.table().excluded[name]


@pytest.mark.skipif(not pandas_ta.has_original(), reason="the original pandas-ta is not installed")
def test_the_original_stands_in_where_the_survey_says_so() -> None:
    assert survey.pretty(survey.survey_original()) == pandas_ta.ORIGINAL_FILE.read_bytes()


def test_the_original_is_used_only_where_it_is_installed() -> None:
    expected = pandas_ta.ORIGINAL if pandas_ta.has_original() else pandas_ta.CLASSIC
    assert pandas_ta.library_of("kama") == expected
    assert pandas_ta.library_of("alma") == pandas_ta.CLASSIC


def test_the_family_is_large() -> None:
    assert len(pandas_ta.table().entries) > 150


def test_what_looks_ahead_is_not_offered() -> None:
    assert "tos_stdevall" in pandas_ta.table().excluded
    assert "offset" not in {p.name for e in pandas_ta.table().entries for p in e.parameters}


def test_a_switch_keeps_the_detrended_price_from_looking_ahead() -> None:
    assert not np.isnan(catalog.compute("dpo", BARS)["dpo"][-1])


def test_lookback_of_other_parameters_is_measured() -> None:
    kama = catalog.find("kama")
    assert kama.memory.is_measured
    assert kama.lookback(length=10, fast=2, slow=30) == kama.lookback()
    assert kama.lookback(slow=60) > kama.lookback()
    assert catalog.lookback("linreg", length=50) == 50


def test_a_memory_beyond_measure_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"rma with .* remembers over 4096 rows"):
        catalog.lookback("rma", length=1000)


def test_sums_start_anew_with_each_session() -> None:
    found = catalog.compute("wad", BARS)["wad"]
    second = {name: column[78:156] for name, column in BARS.items()}
    assert np.array_equal(found[78:156], catalog.compute("wad", second)["wad"], equal_nan=True)
    assert catalog.find("wad").memory.kind is MemoryKind.CUMULATIVE


def test_no_rows_give_no_rows() -> None:
    nothing = {name: column[:0] for name, column in BARS.items()}
    assert all(
        len(c) == 0 for name in ("kama", "wad") for c in catalog.compute(name, nothing).values()
    )


@pytest.mark.parametrize("entry", pandas_ta.table().entries, ids=lambda entry: entry.name)
def test_extreme_parameters_are_computed_or_refused(entry: pandas_ta.Entry) -> None:
    alone = [{p.name: v} for p in entry.parameters for v in (p.minimum, p.maximum)]
    together = [
        {p.name: p.minimum for p in entry.parameters},
        {p.name: p.maximum for p in entry.parameters},
    ]
    for given in alone + together:
        parameters = {name: value for name, value in given.items() if value is not None}
        with suppress(InvalidInput):
            found = catalog.compute(entry.name, BARS, **parameters)
            assert all(len(column) == 200 for column in found.values())


def test_the_columns_that_the_library_names() -> None:
    columns = {"close": BARS["close"]}
    assert pandas_ta.labels(pandas_ta.CLASSIC, "kama", columns, {}) == ["KAMA_10_2_30"]


def test_columns_that_fall_together_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"aobv cannot be computed with .* 6 columns then"):
        catalog.compute("aobv", BARS, max_lookback=1, min_lookback=1, fast=1, slow=1)


def test_a_failure_of_the_library_is_refused_with_its_reason() -> None:
    needs_more = msgspec.structs.replace(pandas_ta.table().entries[0], name="mavp")
    with pytest.raises(InvalidInput, match=r"mavp cannot be computed with .*argument"):
        pandas_ta.as_indicator(needs_more).compute(BARS)
