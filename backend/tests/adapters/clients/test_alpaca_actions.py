"""Alpaca's corporate actions, kind by kind, asked through the adapter."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.adapters.data.alpaca import Adapter
from app.marketdata.ports import (
    Action,
)
from tests.adapters.data.alpaca_desk import adapter, holding
from tests.vendors.alpaca import AlpacaLoopback


@pytest.fixture
async def server() -> AsyncIterator[AlpacaLoopback]:
    async with holding() as running:
        yield running


@pytest.fixture
async def alpaca(server: AlpacaLoopback) -> AsyncIterator[Adapter]:
    made = adapter(server)
    yield made
    await made.close()


def row(kind: str, **fields: object) -> dict[str, list[dict[str, Any]]]:
    return {kind: [{"id": "1", "cusip": "1", "process_date": "2024-06-10", **fields}]}


JUNE = date(2024, 6, 10)
KINDS: list[tuple[dict[str, list[dict[str, Any]]], list[Action]]] = [
    (
        row("forward_splits", symbol="A", new_rate=10, old_rate=1, ex_date="2024-06-10"),
        [Action(symbol="A", kind="split", ex_date=JUNE, ratio=Decimal(10))],
    ),
    (
        row("reverse_splits", symbol="A", new_rate=1, old_rate=8, ex_date="2024-06-10"),
        [Action(symbol="A", kind="split", ex_date=JUNE, ratio=Decimal("0.125"))],
    ),
    (
        row("stock_dividends", symbol="A", rate=0.05, ex_date="2024-06-10"),
        [Action(symbol="A", kind="split", ex_date=JUNE, ratio=Decimal("1.05"))],
    ),
    (
        row(
            "cash_dividends", symbol="A", rate=0.125, ex_date="2024-06-10",
            process_date="2024-08-01", payable_date="2024-08-01", special=False, foreign=False,
        ),
        [
            Action(
                symbol="A", kind="dividend", ex_date=JUNE, amount=Decimal("0.125"),
                pay_date=date(2024, 8, 1),
            )
        ],
    ),
    (
        row(
            "spin_offs", source_symbol="A", new_symbol="B", source_rate=4, new_rate=1,
            ex_date="2024-06-10",
        ),
        [
            Action(
                symbol="A", kind="spin_off", ex_date=JUNE, ratio=Decimal("0.25"), new_symbol="B"
            )
        ],
    ),
    (
        row("name_changes", old_symbol="A", new_symbol="B"),
        [Action(symbol="A", kind="symbol_change", ex_date=JUNE, new_symbol="B")],
    ),
    (row("name_changes", old_symbol="A", new_symbol="A"), []),
    (
        row(
            "unit_splits", old_symbol="A", old_rate=1, new_symbol="B", new_rate=1,
            alternate_symbol="C", alternate_rate=0.5, effective_date="2024-06-10",
        ),
        [
            Action(symbol="A", kind="spin_off", ex_date=JUNE, ratio=Decimal("0.5"), new_symbol="C"),
            Action(
                symbol="A", kind="symbol_change", ex_date=JUNE, ratio=Decimal(1), new_symbol="B"
            ),
        ],
    ),
    (
        row("cash_mergers", acquiree_symbol="A", rate=5.37, effective_date="2024-06-10"),
        [Action(symbol="A", kind="merger", ex_date=JUNE, amount=Decimal("5.37"))],
    ),
    (
        row(
            "stock_and_cash_mergers", acquiree_symbol="A", acquirer_symbol="B", acquiree_rate=1,
            acquirer_rate=0.7733, cash_rate=7.8, effective_date="2024-06-10",
        ),
        [
            Action(
                symbol="A", kind="merger", ex_date=JUNE, ratio=Decimal("0.7733"),
                amount=Decimal("7.8"), new_symbol="B",
            )
        ],
    ),
    (
        row("redemptions", symbol="A", rate=0.141134, payable_date="2024-06-11"),
        [
            Action(
                symbol="A", kind="delisting", ex_date=JUNE, amount=Decimal("0.141134"),
                pay_date=date(2024, 6, 11),
            )
        ],
    ),
    (
        row("worthless_removals", symbol="A"),
        [Action(symbol="A", kind="delisting", ex_date=JUNE, amount=Decimal(0))],
    ),
    (row("partial_calls", symbol="A"), []),
    (row("stock_mergers", acquiree_symbol="X", acquirer_symbol="A"), []),
]  # fmt: skip


@pytest.mark.parametrize(("said", "wanted"), KINDS, ids=[next(iter(said)) for said, _ in KINDS])
async def test_actions_are_dated_and_say_what_a_share_becomes(
    server: AlpacaLoopback,
    alpaca: Adapter,
    said: dict[str, list[dict[str, Any]]],
    wanted: list[Action],
) -> None:
    server.actions = said
    assert await alpaca.actions("A", date(2024, 6, 1), date(2024, 7, 1)) == wanted
    assert not await alpaca.actions("A", date(2024, 6, 11), date(2024, 7, 1))
