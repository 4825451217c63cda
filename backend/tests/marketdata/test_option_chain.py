"""The newest row of each contract, and its JSON."""

import numpy as np
import orjson

from app.domain.options import OptionType
from app.marketdata.option_chain import Chain, expiries
from app.marketdata.options import OPTION, OptionBatch
from tests.factories import ns
from tests.marketdata.test_options import chain, contract


def empty() -> Chain:
    return Chain([], np.empty(0, dtype=OPTION))


def test_newer_rows_replace_older_ones_and_new_contracts_join() -> None:
    kept = empty()
    assert (kept.at, len(kept)) == (None, 0)
    call, put = contract(100), contract(90, OptionType.PUT)
    kept.apply(chain([call, put], "2024-03-01 15:00", bid=[5, 1]))
    kept.apply(chain([call], "2024-03-01 15:01", bid=[6]))
    kept.apply(chain([call], "2024-03-01 14:59", bid=[4]))
    assert kept.contracts == [put, call]
    assert kept.rows["bid"].tolist() == [1, 6]
    assert kept.at == ns("2024-03-01 15:01")
    kept.apply(OptionBatch((call,), np.empty(0, dtype=OPTION)))
    assert len(kept) == 2


def test_a_document_has_parallel_lists_sorted_as_a_chain() -> None:
    kept = empty()
    kept.apply(
        chain(
            [contract(100.5), contract(100.5, OptionType.PUT), contract(90)],
            "2024-03-01 15:00",
            bid=[5, 1, 9],
        )
    )
    document = orjson.loads(kept.document())
    assert document["strike"] == ["90", "100.5", "100.5"]
    assert document["type"] == ["call", "call", "put"]
    assert document["bid"] == [9, 5, 1]
    assert document["ask"] == [None] * 3, "unknown is null"
    assert document["at"] == ns("2024-03-01 15:00")
    assert document["symbol"][0] == "SPY240621C00090000"
    assert [day.isoformat() for day in expiries(document)] == ["2024-06-21"]
    assert orjson.loads(empty().document())["at"] is None


def test_what_had_expired_the_day_before_is_left_out() -> None:
    kept = empty()
    kept.apply(chain([contract()], "2024-06-21 19:00", bid=[5]))
    assert len(kept.without_expired()) == 1, "it trades until the close"
    later = contract(root="SPY", expiry=contract().expiry.replace(month=7))
    kept.apply(chain([later], "2024-06-24 15:00", bid=[6]))
    assert kept.without_expired().contracts == [later]
    assert empty().without_expired().at is None
