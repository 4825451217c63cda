"""Batches put together mean what they meant apart; rows without a number get one."""

import numpy as np

from app.marketdata.batch import TickBatch, TickLabel
from app.marketdata.joining import join_quotes, join_ticks, newest_rows
from app.marketdata.numbering import LATE, Numbering
from tests.ticks import make_quotes, make_ticks


def said(batch: TickBatch) -> list[tuple[str, float, TickLabel]]:
    return [
        (batch.symbols[row["symbol"]], float(row["price"]), batch.labels[row["label"]])
        for row in batch.rows
    ]


def test_prints_of_different_symbols_and_labels_are_put_together() -> None:
    first = TickBatch(("A", "B"), make_ticks([(0, 1), (0, 2)]).rows, (TickLabel("N"),))
    first.rows["symbol"] = [1, 0]
    second = TickBatch(
        ("C", "B"), make_ticks([(1, 3), (1, 4)]).rows, (TickLabel("Q"), TickLabel("N"))
    )
    second.rows["symbol"], second.rows["label"] = [0, 1], [0, 1]
    joined = join_ticks([first, second])
    assert said(joined) == said(first) + said(second)
    assert (joined.symbols, joined.labels) == (("A", "B", "C"), (TickLabel("N"), TickLabel("Q")))
    assert join_ticks([first, first]).symbols == ("A", "B")


def test_quotes_of_different_symbols_are_put_together_and_the_newest_of_each_are_kept() -> None:
    some = make_quotes([(i, 10, 11) for i in range(6)])
    others = make_quotes([(9, 20, 21)], symbol="MSFT")
    joined = join_quotes([some, others])
    assert [joined.symbols[i] for i in joined.rows["symbol"]] == ["AAPL"] * 6 + ["MSFT"]
    kept = newest_rows(joined, 4)
    assert kept.rows["at"].tolist() == joined.rows["at"][[4, 5, 6]].tolist()
    assert len(join_quotes([some, some])) == 12


def test_rows_of_one_instant_are_numbered_as_they_come() -> None:
    numbering = Numbering()
    first = numbering.number(make_ticks([(0, 1), (0, 2), (1, 3)]))
    second = numbering.number(make_ticks([(1, 4), (1, 5), (0, 6), (0, 7), (2, 8)]))
    assert first.rows["sequence"].tolist() == [1, 2, 1]
    assert second.rows["sequence"].tolist() == [2, 3, LATE, LATE + 1, 1]


def test_a_number_of_the_vendor_stays() -> None:
    batch = make_ticks([(0, 1), (0, 2)], sequence=7)
    assert Numbering().number(batch) is batch
    batch.rows["sequence"][1] = 0
    assert Numbering().number(batch).rows["sequence"].tolist() == [7, 1]
    assert not np.any(make_quotes([(0, 1, 2)]).rows["sequence"])
