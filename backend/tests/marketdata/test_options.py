"""Chains as columns: prices to compare with, time to expiry, volatilities and greeks."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from app.domain.options import OptionContract, OptionType
from app.marketdata import american
from app.marketdata import black_scholes as bs
from app.marketdata.batch import Floats
from app.marketdata.black_scholes import Terms
from app.marketdata.calendar import trading_calendar
from app.marketdata.options import VALUED, MarketModel, OptionBatch, expiry_close, valued
from tests.factories import ns

XNYS = trading_calendar()
MODEL = MarketModel(((0.0, 0.05),), {"SPY": 0.02})
EXPIRY = date(2024, 6, 21)


def contract(
    strike: float = 100,
    option_type: OptionType = OptionType.CALL,
    root: str = "SPY",
    expiry: date = EXPIRY,
) -> OptionContract:
    return OptionContract(root, expiry, Decimal(str(strike)), option_type)


def chain(contracts: list[OptionContract], at: str, **columns: list[float]) -> OptionBatch:
    """One row a contract."""
    given: dict[str, Floats] = {name: np.array(values) for name, values in columns.items()}
    count = len(contracts)
    return OptionBatch.of(contracts, np.full(count, ns(at)), np.arange(count), **given)


def test_the_price_is_the_middle_else_the_last_trade() -> None:
    nan = np.nan
    rows = chain(
        [contract()] * 6,
        "2024-03-01 15:00",
        bid=[1, 0, nan, 2, nan, 0],
        ask=[2, 2, nan, 1, 3, 0],
        last=[9, 1.2, 1.3, 1.4, nan, 0],
    )
    np.testing.assert_equal(rows.prices, [1.5, 1.2, 1.3, 1.4, nan, nan])


def test_a_chain_has_its_columns_only() -> None:
    with pytest.raises(TypeError, match="no column lust"):
        chain([contract()], "2024-03-01 15:00", lust=[1.0])


def test_contracts_without_rows_can_be_left_out() -> None:
    batch = chain([contract(90), contract(100), contract(110)], "2024-03-01 15:00", bid=[1, 2, 3])
    assert batch.compact() is batch
    part = batch[np.array([2, 0])].compact()
    assert part.contracts == (contract(90), contract(110))
    assert part.rows["contract"].tolist() == [1, 0]
    assert part.rows["bid"].tolist() == [3, 1]


def test_a_contract_trades_to_the_close_of_its_last_session() -> None:
    assert expiry_close(XNYS, EXPIRY) == ns("2024-06-21 20:00")
    assert expiry_close(XNYS, date(2024, 11, 29)) == ns("2024-11-29 18:00"), "a half day"
    assert expiry_close(XNYS, date(2014, 1, 18)) == ns("2014-01-17 21:00"), "a Saturday"
    with pytest.raises(ValueError, match="no session before"):
        expiry_close(XNYS, date(1800, 1, 1))


def test_rates_lie_on_straight_lines_between_the_points() -> None:
    model = MarketModel(((0.5, 0.04), (1.0, 0.05)))
    assert model.rates(np.array([0.1, 0.75, 3])).tolist() == pytest.approx([0.04, 0.045, 0.05])


def test_volatility_and_greeks_are_those_that_made_the_price() -> None:
    contracts = [contract(95), contract(105, OptionType.PUT), contract(100, root="SPX")]
    years = (ns("2024-06-21 20:00") - ns("2024-03-01 15:00")) / (365 * 86_400e9)
    terms = Terms(
        spot=np.full(3, 100.0),
        strike=np.array([95.0, 105.0, 100.0]),
        years=np.full(3, years),
        rate=np.full(3, 0.05),
        dividend_yield=np.array([0.02, 0.02, 0.0]),
        is_call=np.array([True, False, True]),
    )
    volatility = np.array([0.2, 0.3, 0.25])
    prices = american.price(terms, volatility)
    prices[2] = bs.price(terms, volatility)[2]
    rows = valued(
        chain(contracts, "2024-03-01 15:00", last=prices.tolist(), underlying_price=[100.0] * 3),
        XNYS,
        MODEL,
    ).rows
    assert rows["implied_volatility"] == pytest.approx(volatility, abs=1e-6)
    expected = american.greeks(terms, volatility)
    assert rows["delta"] == pytest.approx(expected.delta, abs=1e-5)
    assert rows["gamma"] == pytest.approx(expected.gamma, abs=1e-5)
    assert rows["theta"] == pytest.approx(expected.theta / 365, abs=1e-5)
    assert rows["vega"] == pytest.approx(expected.vega / 100, abs=1e-5)
    assert rows["rho"] == pytest.approx(expected.rho / 100, abs=1e-5)


def test_what_cannot_be_known_stays_unknown() -> None:
    nan = np.nan
    given = chain(
        [contract(), contract(50), contract(), contract(expiry=date(2024, 3, 1))],
        "2024-03-01 21:30",
        bid=[nan, 50.0, 5.0, 1.0],
        ask=[nan, 50.0, 6.0, 2.0],
        underlying_price=[100, 100, nan, 100],
    )
    for name in VALUED:
        assert np.isnan(valued(given, XNYS, MODEL).rows[name]).all(), name
    assert len(valued(given[:0], XNYS, MODEL)) == 0
