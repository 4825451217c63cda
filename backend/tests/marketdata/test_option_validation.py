"""Rows of chains: each rule refuses what it names, and nothing else."""

from datetime import date

import numpy as np
import pytest

from app.domain.options import OptionType
from app.marketdata.option_validation import (
    EXPLANATIONS,
    OptionReason,
    bit,
    validate,
)
from tests.factories import ns
from tests.marketdata.test_options import XNYS, chain, contract

AT = "2024-03-01 15:00"
GOOD = {"bid": 5.0, "ask": 5.2, "last": 5.1, "volume": 3.0, "underlying_price": 101.0}


def reasons(at: str = AT, *, now: str | None = None, **changed: float) -> list[OptionReason]:
    """Of one row that is good but for what was changed."""
    columns = {name: [value] for name, value in {**GOOD, **changed}.items()}
    batch = chain([contract()], at, **columns)
    return validate(batch, XNYS, now=ns(now) if now else None).reasons(0)


def test_a_good_row_is_kept() -> None:
    assert reasons() == []
    assert reasons(bid=0, ask=0, last=0, volume=0) == [], "nobody quotes it"
    assert reasons(bid=np.nan, underlying_price=np.nan) == []
    assert reasons(now=AT) == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"last": np.inf}, OptionReason.NOT_A_NUMBER),
        ({"bid": -0.1}, OptionReason.NEGATIVE),
        ({"volume": -1}, OptionReason.NEGATIVE),
        ({"underlying_price": 0.0}, OptionReason.NEGATIVE),
        ({"bid": 5.3}, OptionReason.CROSSED),
        ({"ask": 520.0}, OptionReason.IMPOSSIBLE_PRICE),
        ({"underlying_price": 1.0}, OptionReason.IMPOSSIBLE_PRICE),
    ],
)
def test_a_rule_refuses(changed: dict[str, float], reason: OptionReason) -> None:
    assert reason in reasons(**changed)
    assert EXPLANATIONS[reason]


def test_a_put_cannot_cost_more_than_its_strike() -> None:
    batch = chain([contract(10, OptionType.PUT)], AT, last=[13.0], underlying_price=[5.0])
    assert validate(batch, XNYS).reasons(0) == [OptionReason.IMPOSSIBLE_PRICE]


def test_time_is_judged_by_the_clock_and_by_the_expiry() -> None:
    assert reasons(now="2024-03-01 14:59") == [OptionReason.FUTURE]
    assert reasons("2024-06-22 15:00") == [OptionReason.EXPIRED]
    assert reasons("2024-06-21 20:15") == [], "the last quotes come after the close"


def test_repetitions_are_dropped_and_contradictions_refused() -> None:
    one = contract()
    batch = chain([one] * 4, AT, last=[5, 5, 6, 5], ask=[np.nan] * 4)
    batch.rows["contract"] = [0, 0, 0, 1]
    verdict = validate(batch, XNYS)
    assert (verdict.repeated, verdict.bad) == (1, [2])
    assert verdict.reasons(2) == [OptionReason.DUPLICATE]
    assert verdict.good.rows["contract"].tolist() == [0, 1]


def test_what_the_reader_knows_to_be_wrong_stays_wrong() -> None:
    batch = chain([contract(expiry=date(2024, 6, 21))], AT, last=[-1.0])
    known = np.array([bit(OptionReason.BAD_CONTRACT)])
    assert validate(batch, XNYS, codes=known).reasons(0) == [OptionReason.BAD_CONTRACT]
    assert set(EXPLANATIONS) == set(OptionReason)
