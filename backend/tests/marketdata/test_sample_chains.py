"""The vendor's volatilities and greeks of two GOOG chains, explained to the digits they have.

What its convention is was found by fitting, and docs/options.md tells how: European prices, days to
midnight after the day over 365, 1.00 % interest (the Federal Reserve's primary credit rate from
2015-12-17), a dividend yield of 0.11373 %, the official close of the share, one volatility for call
and put of a strike, taken from the one out of the money; vega and rho a point, theta a day.

Where a contract has open interest its volatility is solved for that count as if it were the price:
a mistake of the vendor's, proven below. Those volatilities mean nothing; the greeks are those of
the volatility that is said.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.marketdata import black_scholes as bs
from app.marketdata.batch import Flags, Floats
from app.marketdata.black_scholes import Terms

RATE, YIELD = 0.01, 0.0011373
OFFICIAL_CLOSE = {"2015-12-23": 750.31, "2015-12-24": 748.40}
"From the daily file of GOOG; the chain of the 23rd says 748.54, which its own figures deny."
DAYS = tuple(OFFICIAL_CLOSE)


def sample(folder: Path, day: str) -> pd.DataFrame:
    file = folder / "options_chain" / f"GOOG_{day.replace('-', '')}.csv.gz"
    if not file.is_file():
        pytest.skip(f"the sample chain {file.name} is not at hand")
    return pd.read_csv(file, parse_dates=["date", "expiry"])


def vendors_terms(table: pd.DataFrame, day: str) -> Terms:
    count = len(table)
    days = (table["expiry"] - pd.Timestamp(day)).dt.days.to_numpy() - 1
    return Terms(
        spot=np.full(count, OFFICIAL_CLOSE[day]),
        strike=table["strike"].to_numpy(dtype=np.float64),
        years=days / 365,
        rate=np.full(count, RATE),
        dividend_yield=np.full(count, YIELD),
        is_call=(table["right"] == "C").to_numpy(),
    )


def column(table: pd.DataFrame, name: str) -> Floats:
    values: Floats = table[name].to_numpy(dtype=np.float64)
    return values


def out_of_the_money(terms: Terms) -> Flags:
    chosen: Flags = np.where(terms.is_call, terms.strike > terms.spot, terms.strike < terms.spot)
    return chosen


def joined_with_twin(table: pd.DataFrame) -> pd.DataFrame:
    """Each contract with the open interest of the other right of its strike."""
    twin = table[["expiry", "strike", "right", "open_interest"]].copy()
    twin["right"] = twin["right"].map({"C": "P", "P": "C"})
    return table.merge(twin, on=["expiry", "strike", "right"], suffixes=("", "_twin"))


@pytest.mark.parametrize("day", DAYS)
def test_the_greeks_are_the_vendors_at_its_volatilities(shared_data: Path, day: str) -> None:
    table = sample(shared_data, day)
    table = table[table["implied_volatility"] > 1e-3]
    assert len(table) > 1700
    terms, volatility = vendors_terms(table, day), column(table, "implied_volatility")
    found = bs.greeks(terms, volatility)
    for name, ours in (
        ("delta", found.delta),
        ("vega", found.vega / 100),
        ("theta", found.theta / 365),
        ("rho", found.rho / 100),
    ):
        off = np.abs(ours - column(table, name))
        assert np.quantile(off, 0.99) < 6e-6, name
        assert off.max() < 5e-5, name
    # the vendor's gamma is a difference of prices, ours is exact
    gamma = column(table, "gamma")
    share = np.abs(found.gamma - gamma)[gamma > 1e-5] / gamma[gamma > 1e-5]
    assert np.quantile(share, 0.99) < 0.003


@pytest.mark.parametrize("day", DAYS)
def test_the_volatilities_of_closing_prices_are_the_vendors(shared_data: Path, day: str) -> None:
    table = joined_with_twin(sample(shared_data, day))
    quoted = table["open_interest"].isna() & (table["implied_volatility"] > 1e-3)
    table = table[quoted]
    terms = vendors_terms(table, day)
    chosen = out_of_the_money(terms)
    found = bs.implied_volatility(terms[chosen], column(table, "close")[chosen])
    said = column(table, "implied_volatility")[chosen]
    assert len(said) == {"2015-12-23": 227, "2015-12-24": 286}[day]
    assert np.abs(found - said).max() < 3e-5


def test_the_other_volatilities_price_the_open_interest(shared_data: Path) -> None:
    before = joined_with_twin(sample(shared_data, "2015-12-23"))
    names = ["expiry", "strike", "right", "open_interest", "open_interest_twin"]
    table = sample(shared_data, "2015-12-24")
    table = table.merge(before[names], on=names[:3], suffixes=("", "_before"))
    table = table[table["open_interest"].notna() & (table["implied_volatility"] > 1e-3)]
    terms = vendors_terms(table, "2015-12-24")
    chosen = out_of_the_money(terms)
    table, terms = table[chosen], terms[chosen]
    volatility = column(table, "implied_volatility")

    def costs(asked: Terms, name: str) -> Flags:
        wanted = column(table, name)
        near: Flags = np.abs(bs.price(asked, volatility) - wanted) < 1e-3 * np.maximum(1, wanted)
        return near

    by_own = costs(terms, "open_interest_before")
    by_twin = costs(replace(terms, is_call=~terms.is_call), "open_interest_twin")
    assert len(table) > 500
    assert by_own.mean() > 0.9
    # where the count is above what the contract could ever cost, the other right's was taken
    assert (by_own | by_twin).mean() > 0.97
    assert costs(terms, "close").mean() < 0.01
