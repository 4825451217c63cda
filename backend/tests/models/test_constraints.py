"""Bad rows are impossible: each case changes one thing of a valid row and names what refuses it."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import base as m
from app.db.base import Base
from tests.models.rows import ACCOUNT, CLOSED, OPENED, STOCK, samples

EARLIER = OPENED - dt.timedelta(days=1)
NAN = float("nan")
CASES: list[tuple[type[Base], dict[str, Any], str]] = [
    (m.User, {"password_hash": "5f4dcc3b5aa765d6"}, "ck_users_password_hash"),
    (m.User, {"email": "Ada@example.org"}, "ck_users_email"),
    (m.User, {"role": "root"}, "ck_users_role"),
    (m.Session, {"token_hash": b"the cookie itself"}, "ck_sessions_token_hash"),
    (m.ApiKey, {"scopes": ["everything"]}, "ck_api_keys_scopes"),
    (m.ApiKey, {"scopes": []}, "ck_api_keys_scopes"),
    (m.Instrument, {"symbol": "ibm"}, "ck_instruments_symbol"),
    (m.Instrument, {"tick": Decimal(0)}, "ck_instruments_grid"),
    (m.Stock, {"symbol": "MSI"}, "fk_stocks_id_symbol_instruments"),
    (m.OptionContract, {"option_type": "straddle"}, "ck_option_contracts_option_type"),
    (m.Account, {"mode": "live"}, "ck_accounts_live_data"),
    (m.Account, {"dataset": "tomorrow"}, "ck_accounts_dataset"),
    (m.Account, {"dataset": "import:"}, "ck_accounts_dataset"),
    (m.Deployment, {"symbols": []}, "ck_deployments_symbols"),
    (m.Deployment, {"capital": Decimal(-1)}, "ck_deployments_capital"),
    (m.Deployment, {"timeframe": "7m"}, "ck_deployments_timeframe"),
    (m.Ledger, {"ledger": "d0"}, "ck_ledgers_ledger"),
    (m.Ledger, {"ledger": "d999"}, "fk_ledgers_deployment_id_deployments"),
    (m.StockData, {"high": 9.0}, "ck_stock_data_prices"),
    (m.StockData, {"close": NAN}, "ck_stock_data_prices"),
    (m.StockData, {"volume": float("inf")}, "ck_stock_data_prices"),
    (m.StockData, {"low": 0.0, "open": 0.0}, "ck_stock_data_prices"),
    (m.StockData, {"end": OPENED}, "ck_stock_data_end"),
    (m.StockData, {"stock_id": 999}, "fk_stock_data_stock_id_stocks"),
    (m.Tick, {"price": NAN}, "ck_ticks_price"),
    (m.Quote, {"ask": 9.8}, "ck_quotes_prices"),
    (m.Quote, {"bid": NAN}, "ck_quotes_prices"),
    (m.CorporateAction, {"ratio": None}, "ck_corporate_actions_ratio"),
    (m.CorporateAction, {"kind": "dividend"}, "ck_corporate_actions_amount"),
    (m.Disclosure, {"report_date": EARLIER.date()}, "ck_disclosures_dates"),
    (m.Signal, {"exposure": 1.5}, "ck_signals_exposure"),
    (m.Signal, {"exposure": NAN}, "ck_signals_exposure"),
    (m.Signal, {"outcome": "forgotten"}, "ck_signals_outcome"),
    (m.NotificationChannel, {"quiet_to": dt.time(7)}, "ck_notification_channels_quiet_hours"),
    (m.NotificationChannel, {"categories": ["weather"]}, "ck_notification_channels_categories"),
    (m.NotificationChannel, {"name": ""}, "ck_notification_channels_name"),
    (m.NotificationChannel, {"level": 10}, "ck_notification_channels_level"),
    (m.Alert, {"announced": 2}, "ck_alerts_round"),
    (m.AlertDelivery, {"kind": "whispered"}, "ck_alert_deliveries_kind"),
    (m.Order, {"type": "limit"}, "ck_orders_limit_price"),
    (m.Order, {"limit_price": Decimal(10)}, "ck_orders_limit_price"),
    (m.Order, {"type": "stop"}, "ck_orders_stop_price"),
    (m.Order, {"type": "limit", "limit_price": Decimal(0)}, "ck_orders_prices"),
    (m.Order, {"quantity": Decimal(0)}, "ck_orders_quantity"),
    (m.Order, {"status": "filled"}, "ck_orders_filled"),
    (m.Order, {"filled_quantity": Decimal(1)}, "ck_orders_average_price"),
    (m.Order, {"group_id": "nowhere"}, "fk_orders_account_id_group_id_order_groups"),
    (m.Execution, {"quantity": Decimal(-1)}, "ck_executions_quantity"),
    (m.Execution, {"order_id": None}, "ck_executions_order"),
    (m.Position, {"opened_at": None}, "ck_positions_opened_at"),
    (m.Trade, {"quantity": Decimal(0)}, "ck_trades_quantity"),
    (m.Trade, {"exit_at": EARLIER}, "ck_trades_times"),
    (m.TradingState, {"state": "paused"}, "ck_trading_state_state"),
    (m.TradingState, {"scope": "account:x"}, "ck_trading_state_scope"),
    (m.Command, {"status": "completed"}, "ck_commands_completed_at"),
    (m.StrategyEvent, {"severity": "fatal"}, "ck_strategy_events_severity"),
    (m.DailyPerformance, {"winning_trades": 1}, "ck_daily_performance_counts"),
    (m.TradingEvent, {"caused_by": 1}, "ck_trading_events_seq"),
    (m.TradingEvent, {"hash": b"short"}, "ck_trading_events_hash"),
    (m.TradingEvent, {"priority": "urgent"}, "ck_trading_events_priority"),
    (m.JournalStream, {"stream": "anything"}, "ck_journal_streams_stream"),
    (m.Backtest, {"progress": 1.5}, "ck_backtests_progress"),
    (m.Alert, {"category": "weather"}, "ck_alerts_category"),
    (m.Backup, {"status": "finished"}, "ck_backups_finished"),
]
TWICE: list[tuple[type[Base], dict[str, Any], str]] = [
    (m.Signal, {}, "uq_signals_account_id_signal_id"),
    (m.Order, {}, "uq_orders_client_order_id"),
    (m.Execution, {}, "uq_executions_broker_execution_id"),
    (m.Trade, {}, "uq_trades_account_id_trade_id"),
    (m.RiskViolation, {}, "uq_risk_violations_account_id_seq"),
    (m.Command, {"idempotency_key": "k"}, "uq_commands_account_id_idempotency_key"),
    (m.Credential, {}, "uq_credentials_provider_name_account_id"),
    (m.Alert, {}, "uq_alerts_open_key"),
]


def named(case: tuple[type[Base], dict[str, Any], str]) -> str:
    return f"{case[2]} {case[1]}"


async def add_before(session: AsyncSession, model: type[Base]) -> Base:
    """Write everything that comes before `model`; returns its own sample row, not yet written."""
    for sample in samples():
        if type(sample.row) is model:
            return sample.row
        session.add(sample.row)
        await session.flush()
    raise LookupError(model)


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_bad_row_is_refused(
    session: AsyncSession, case: tuple[type[Base], dict[str, Any], str]
) -> None:
    model, changes, constraint = case
    row = await add_before(session, model)
    for name, value in changes.items():
        setattr(row, name, value)
    session.add(row)
    with pytest.raises(IntegrityError, match=f'"{constraint}"'):
        await session.flush()


@pytest.mark.parametrize("case", TWICE, ids=named)
async def test_the_same_thing_is_not_stored_twice(
    session: AsyncSession, case: tuple[type[Base], dict[str, Any], str]
) -> None:
    model, changes, constraint = case
    row = await add_before(session, model)
    again = next(sample.row for sample in samples() if type(sample.row) is model)
    again.id = 102
    for one in (row, again):
        for name, value in changes.items():
            setattr(one, name, value)
    session.add(row)
    await session.flush()
    session.add(again)
    with pytest.raises(IntegrityError, match=f'"{constraint}"'):
        await session.flush()


async def test_a_resolved_alert_lets_the_same_condition_be_raised_again(
    session: AsyncSession,
) -> None:
    for number, resolved in ((1, CLOSED), (2, None)):
        session.add(
            m.Alert(
                id=number,
                key="disk",
                category="system",
                severity="error",
                title="Disk full",
                resolved_at=resolved,
            )
        )
    await session.flush()


async def test_an_execution_without_an_order_of_ours_belongs_to_the_external_ledger(
    session: AsyncSession,
) -> None:
    row = await add_before(session, m.Execution)
    assert isinstance(row, m.Execution)
    row.order_id, row.ledger = None, "external"
    session.add(row)
    await session.flush()
    await session.refresh(row)
    assert row.deployment_id is None


async def test_the_database_derives_the_deployment_from_the_ledger(session: AsyncSession) -> None:
    row = await add_before(session, m.Signal)
    session.add(row)
    await session.flush()
    await session.refresh(row)
    assert isinstance(row, m.Signal)
    assert row.deployment_id == 101


async def test_a_relationship_is_never_loaded_behind_our_back(session: AsyncSession) -> None:
    row = await add_before(session, m.Position)
    session.add(row)
    await session.flush()
    assert isinstance(row, m.Position)
    with pytest.raises(InvalidRequestError, match="lazy='raise'"):
        _ = row.instrument


async def test_money_keeps_eight_decimals(session: AsyncSession) -> None:
    session.add(
        m.Account(
            id=ACCOUNT, name="a", dataset="live", starting_cash=Decimal("123456789012.12345678")
        )
    )
    await session.flush()
    session.expunge_all()
    account = await session.get(m.Account, ACCOUNT)
    assert account is not None
    assert account.starting_cash == Decimal("123456789012.12345678")


async def test_a_symbol_change_reaches_the_stock(session: AsyncSession) -> None:
    session.add(m.Instrument(id=STOCK, symbol="FB2"))
    await session.flush()
    session.add(m.Stock(id=STOCK, symbol="FB2"))
    await session.flush()
    instrument = await session.get(m.Instrument, STOCK)
    assert instrument is not None
    instrument.symbol = "META2"
    await session.flush()
    stock = await session.get(m.Stock, STOCK, populate_existing=True)
    assert stock is not None
    assert stock.symbol == "META2"
