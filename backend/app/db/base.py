"""Every model, imported: `Base.metadata` is complete for Alembic and the tests."""

from app.models.account import Account
from app.models.account_member import AccountMember
from app.models.alert import Alert
from app.models.alert_delivery import AlertDelivery
from app.models.api_key import ApiKey
from app.models.audit_trail import AuditEntry
from app.models.availability import Availability
from app.models.backtest import Backtest
from app.models.backtest_trade import BacktestTrade
from app.models.backup import Backup
from app.models.bar_series import BarSeries
from app.models.base import Base
from app.models.broker_state import BrokerState
from app.models.cash_movement import CashMovement
from app.models.command import Command
from app.models.config_history import ConfigChange
from app.models.corporate_action import CorporateAction
from app.models.credential import Credential
from app.models.daily_performance import DailyPerformance
from app.models.data_gap import DataGap
from app.models.data_import import DataImport
from app.models.deployment import Deployment
from app.models.disclosure import Disclosure
from app.models.engine_checkpoint import EngineCheckpoint
from app.models.error import Error
from app.models.execution import Execution
from app.models.feed_state import FeedState
from app.models.handler_cursor import HandlerCursor
from app.models.handler_delivery import HandlerDelivery
from app.models.heartbeat import Heartbeat
from app.models.idempotency_key import IdempotencyKey
from app.models.indicator import Indicator
from app.models.instrument import Instrument
from app.models.job_run import JobRun
from app.models.job_state import JobState
from app.models.journal_stream import JournalStream
from app.models.lease import Lease
from app.models.ledger import Ledger
from app.models.market_data_cache import MarketDataCache
from app.models.metric import Metric
from app.models.metric_rollup import MetricRollup
from app.models.notification_channel import NotificationChannel
from app.models.option_contract import OptionContract
from app.models.options_data import OptionsData
from app.models.order import Order
from app.models.order_group import OrderGroup
from app.models.position import Position
from app.models.quarantine import Quarantined
from app.models.quote import Quote
from app.models.reconciliation import Reconciliation
from app.models.refresh_token import RefreshToken
from app.models.risk_check import RiskCheck
from app.models.risk_violation import RiskViolation
from app.models.session import Session
from app.models.sign_up_token import SignUpToken
from app.models.signal import Signal
from app.models.standing_target import StandingTarget
from app.models.stock import Stock
from app.models.stock_data import StockData
from app.models.stock_data_revision import StockDataRevision
from app.models.strategy import Strategy
from app.models.strategy_event import StrategyEvent
from app.models.sweep import Sweep
from app.models.system_config import SystemConfig
from app.models.tick import Tick
from app.models.trade import Trade
from app.models.trading_event import TradingEvent
from app.models.trading_state import TradingState
from app.models.user import User

metadata = Base.metadata

__all__ = [
    "Account",
    "AccountMember",
    "Alert",
    "AlertDelivery",
    "ApiKey",
    "AuditEntry",
    "Availability",
    "Backtest",
    "BacktestTrade",
    "Backup",
    "BarSeries",
    "Base",
    "BrokerState",
    "CashMovement",
    "Command",
    "ConfigChange",
    "CorporateAction",
    "Credential",
    "DailyPerformance",
    "DataGap",
    "DataImport",
    "Deployment",
    "Disclosure",
    "EngineCheckpoint",
    "Error",
    "Execution",
    "FeedState",
    "HandlerCursor",
    "HandlerDelivery",
    "Heartbeat",
    "IdempotencyKey",
    "Indicator",
    "Instrument",
    "JobRun",
    "JobState",
    "JournalStream",
    "Lease",
    "Ledger",
    "MarketDataCache",
    "Metric",
    "MetricRollup",
    "NotificationChannel",
    "OptionContract",
    "OptionsData",
    "Order",
    "OrderGroup",
    "Position",
    "Quarantined",
    "Quote",
    "Reconciliation",
    "RefreshToken",
    "RiskCheck",
    "RiskViolation",
    "Session",
    "SignUpToken",
    "Signal",
    "StandingTarget",
    "Stock",
    "StockData",
    "StockDataRevision",
    "Strategy",
    "StrategyEvent",
    "Sweep",
    "SystemConfig",
    "Tick",
    "Trade",
    "TradingEvent",
    "TradingState",
    "User",
    "metadata",
]
