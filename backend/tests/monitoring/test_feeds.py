"""Feeds are judged by what their process wrote last."""

from typing import Any

import msgspec

from app.ingest.link import LinkReport, LinkState
from app.monitoring import feeds


def row(provider: str, state: LinkState, age: float = 1.0, **report: Any) -> dict[str, Any]:
    said = LinkReport(provider=provider, place=0, state=state, **report)
    return {
        "account_id": 1,
        "account": "Live",
        "provider": provider,
        "state": str(state),
        "report": msgspec.to_builtins(said),
        "age_seconds": age,
    }


def test_a_chain_that_works_or_rests_is_well() -> None:
    assert feeds.problems([]) == []
    assert feeds.problems([row("alpaca", LinkState.UP), row("databento", LinkState.STANDBY)]) == []
    assert feeds.problems([row("alpaca", LinkState.CLOSED)]) == []


def test_a_lost_provider_is_named_while_another_serves() -> None:
    rows = [
        row("alpaca", LinkState.DOWN, problem="silent for 46 s"),
        row("databento", LinkState.UP),
    ]
    assert feeds.problems(rows) == [(False, "alpaca is down for Live: silent for 46 s")]


def test_nobody_left_is_worse() -> None:
    rows = [row("alpaca", LinkState.REFUSED, problem="key expired")]
    assert feeds.problems(rows) == [
        (True, "Nobody serves Live. alpaca is refused for Live: key expired")
    ]


def test_what_a_process_wrote_that_is_gone_counts_for_nothing() -> None:
    rows = [row("alpaca", LinkState.DOWN, age=31, problem="lost")]
    assert feeds.problems(rows) == []
    assert feeds.figures(rows)["feeds_down"] == 0


def test_late_bars_silent_symbols_and_full_queues_are_said() -> None:
    rows = [row("alpaca", LinkState.UP, lag_seconds=75.0, silent=("SPY",), queue=100_001)]
    assert [sentence for _, sentence in feeds.problems(rows)] == [
        "Bars of alpaca for Live come 75 s late.",
        "No bars of SPY from alpaca for Live.",
        "100001 prints and quotes of alpaca for Live wait to be stored.",
    ]


def test_a_symbol_that_no_provider_knows_is_said() -> None:
    rows = [
        row("alpaca", LinkState.UP, unknown=("BRKB", "ZZZZ")),
        row("twelve_data", LinkState.STANDBY, unknown=("BRKB",)),
    ]
    assert feeds.problems(rows) == [(False, "No provider of Live knows BRKB.")]


def test_prints_that_cannot_be_stored_are_said() -> None:
    rows = [row("alpaca", LinkState.UP, is_database_away=True, late=3, remade=2)]
    ((_, sentence),) = feeds.problems(rows)
    assert sentence.startswith("Prints and quotes of alpaca for Live cannot be stored")
    found = feeds.figures(rows)
    assert (found["feed_prints_late_total"], found["feed_bars_remade_total"]) == (3, 2)


def test_figures_are_sums_over_all_providers() -> None:
    rows = [
        row("alpaca", LinkState.UP, serving=("AAPL", "SPY"), lag_seconds=1.5, bars=10, queue=3),
        row("databento", LinkState.DOWN, reconnects=2, shed=5, refused=1, bars=1),
    ]
    found = feeds.figures(rows)
    assert (found["feeds_up"], found["feeds_down"], found["feed_symbols"]) == (1, 1, 2)
    assert (found["feed_lag_seconds"], found["feed_bars_total"], found["feed_queue"]) == (
        1.5,
        11,
        3,
    )
    assert (found["feed_reconnects_total"], found["feed_quotes_shed_total"]) == (2, 5)


def options(state: LinkState, age: float = 1.0, **report: Any) -> dict[str, Any]:
    return row("databento options", state, age, kind="options", **report)


def test_options_neither_hide_nor_make_an_outage_of_bars() -> None:
    bars = row("alpaca", LinkState.DOWN, problem="lost")
    assert feeds.problems([bars, options(LinkState.UP)]) == [
        (True, "Nobody serves Live. alpaca is down for Live: lost")
    ]
    rows = [row("alpaca", LinkState.UP), options(LinkState.DOWN, problem="silent for 46 s")]
    assert feeds.problems(rows) == [(False, "databento options is down for Live: silent for 46 s")]
    assert feeds.problems([options(LinkState.DOWN, age=31, problem="lost")]) == []


def test_chains_that_are_not_followed_and_a_full_queue_of_options_are_said() -> None:
    rows = [options(LinkState.UP, problem="ZZZZ has no contract.", queue=25_001)]
    assert [sentence for _, sentence in feeds.problems(rows)] == [
        "Options of Live: ZZZZ has no contract.",
        "25001 quotes of options of Live wait to be stored.",
    ]


def test_option_quotes_have_figures_of_their_own() -> None:
    contracts = ("AAPL261218C00250000", "AAPL261218P00250000")
    found = feeds.figures(
        [
            row("databento", LinkState.UP, shed=1),
            options(LinkState.UP, symbols=contracts, quotes=9, stored=4, shed=3, refused=2),
        ]
    )
    assert (found["feeds_up"], found["option_feeds_up"], found["option_contracts"]) == (1, 1, 2)
    assert (found["feed_quotes_shed_total"], found["option_quotes_shed_total"]) == (1, 3)
    assert (found["option_quotes_total"], found["option_quotes_stored_total"]) == (9, 4)
    assert (found["feed_rows_refused_total"], found["option_rows_refused_total"]) == (0, 2)
