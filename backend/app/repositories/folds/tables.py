"""The tables that are folds of an account's stream, and which of their columns the fold writes."""

from typing import Final

from app.repositories.folds.rows import Table

ACCOUNTS: Final = Table("accounts", ("id",), updates=("cash", "clock_at", "reconciled_at"))
LEDGERS: Final = Table(
    "ledgers",
    ("account_id", "ledger"),
    columns=("account_id", "ledger", "cash", "realized_pnl", "commission"),
    updates=("cash", "realized_pnl", "commission"),
)
POSITIONS: Final = Table(
    "positions",
    ("account_id", "ledger", "instrument_id"),
    columns=(
        "account_id", "ledger", "instrument_id", "stock_id", "quantity", "average_price",
        "entry_quantity", "realized_pnl", "commission", "opened_at", "signal_id",
    ),
    updates=(
        "quantity", "average_price", "entry_quantity", "realized_pnl", "commission", "opened_at",
        "signal_id",
    ),
)  # fmt: skip
CASH_MOVEMENTS: Final = Table(
    "cash_movements",
    ("account_id", "seq"),
    columns=("account_id", "seq", "ledger", "kind", "amount", "currency", "reason", "at"),
)
TRADES: Final = Table(
    "trades",
    ("account_id", "trade_id"),
    columns=(
        "account_id", "trade_id", "ledger", "strategy_id", "instrument_id", "stock_id",
        "trade_date", "quantity", "entry_price", "exit_price", "entry_at", "exit_at", "commission",
        "pnl", "stop_loss", "take_profit", "entry_signal_id", "exit_signal_id", "exit_leg",
        "market_context",
    ),
    # Only where a bust or a correction made another round trip of it.
    updates=(
        "trade_date", "quantity", "entry_price", "exit_price", "entry_at", "exit_at", "commission",
        "pnl", "stop_loss", "take_profit", "entry_signal_id", "exit_signal_id", "exit_leg",
        "market_context",
    ),
)  # fmt: skip
SIGNALS: Final = Table(
    "signals",
    ("account_id", "signal_id"),
    columns=(
        "account_id", "signal_id", "ledger", "instrument_id", "signal_type", "exposure", "quantity",
        "price", "at", "valid_until", "stop_loss", "stop_trail", "take_profit", "terms", "reasons",
        "indicator_values", "executed", "outcome",
    ),
    updates=("executed", "outcome"),
)  # fmt: skip
TARGETS: Final = Table(
    "standing_targets",
    ("account_id", "ledger", "instrument_id"),
    columns=(
        "account_id", "ledger", "instrument_id", "signal_id", "exposure", "quantity", "attempt",
        "valid_until", "stop_loss", "stop_trail", "take_profit", "terms", "is_met",
    ),
    updates=(
        "signal_id", "exposure", "quantity", "attempt", "valid_until", "stop_loss", "stop_trail",
        "take_profit", "terms", "is_met",
    ),
)  # fmt: skip
ORDER_GROUPS: Final = Table(
    "order_groups",
    ("account_id", "group_id"),
    columns=("account_id", "group_id", "kind"),
    repeats=True,
)
ORDERS: Final = Table(
    "orders",
    ("client_order_id",),
    columns=(
        "id", "account_id", "client_order_id", "broker_order_id", "ledger", "signal_id",
        "instrument_id", "group_id", "leg", "attempt", "side", "quantity", "type", "limit_price",
        "stop_price", "trail", "is_held", "time_in_force", "expires_at", "status", "pending",
        "wanted", "filled_quantity", "average_price", "limited_by", "reason", "at", "submitted_at",
        "accepted_at", "closed_at",
    ),
    updates=(
        "broker_order_id", "instrument_id", "quantity", "type", "limit_price", "stop_price",
        "trail", "is_held", "expires_at", "status", "pending", "wanted", "filled_quantity",
        "average_price", "reason", "submitted_at", "accepted_at", "closed_at",
    ),
)  # fmt: skip
EXECUTIONS: Final = Table(
    "executions",
    ("broker", "execution_id"),
    columns=(
        "account_id", "order_id", "broker", "execution_id", "client_order_id", "ledger",
        "instrument_id", "side", "quantity", "price", "commission", "at", "corrects", "busted_at",
        "bust_reason",
    ),
    updates=("busted_at", "bust_reason"),
    repeats=True,
)  # fmt: skip
RISK_CHECKS: Final = Table(
    "risk_checks",
    ("account_id", "seq", "number"),
    columns=(
        "account_id", "seq", "number", "signal_id", "client_order_id", "rule", "passed", "value",
        "limit_value", "scope", "at",
    ),
)  # fmt: skip
RISK_VIOLATIONS: Final = Table(
    "risk_violations",
    ("account_id", "seq"),
    columns=(
        "account_id", "seq", "ledger", "instrument_id", "signal_id", "attempt", "side", "quantity",
        "code", "detail", "value", "limit_value", "scope", "at",
    ),
)  # fmt: skip
DEPLOYMENTS: Final = Table(
    "deployments", ("id",), updates=("state", "reason", "started_at", "stopped_at")
)
STRATEGY_EVENTS: Final = Table(
    "strategy_events",
    ("account_id", "seq"),
    columns=(
        "account_id", "deployment_id", "seq", "event_type", "severity", "message", "metadata", "at",
    ),
)  # fmt: skip
RECONCILIATIONS: Final = Table(
    "reconciliations",
    ("account_id", "seq"),
    columns=("account_id", "seq", "open_orders", "positions", "differences", "at"),
)
COMMANDS: Final = Table(
    "commands",
    ("id",),
    updates=("status", "result", "completed_at"),
    guard="t.status = 'pending'",
)

_STRICTNESS: Final = "array_position(ARRAY['active', 'reducing', 'halted'], {})"
TRADING_STATE: Final = Table(
    "trading_state",
    ("scope",),
    # A person's resume or reduce loosens only what was latched before it was asked for: an
    # emergency stop that was latched in the meantime stays.
    sql=f"""
INSERT INTO trading_state AS t
  (scope, state, epoch, heard_epoch, confirmed_epoch, reason, actor, latched_at)
SELECT n.scope, n.state, 1, 1, 1, n.reason, n.actor,
       coalesce((SELECT c.created_at FROM commands c WHERE c.id = n.command_id), '-infinity')
FROM json_to_recordset({{rows}})
     AS n(scope text, state text, reason text, actor text, command_id bigint)
ON CONFLICT (scope) DO UPDATE
SET state = excluded.state, epoch = t.epoch + 1, heard_epoch = t.epoch + 1,
    confirmed_epoch = t.epoch + 1,
    reason = excluded.reason, actor = excluded.actor, latched_at = now()
WHERE t.state <> excluded.state
  AND ({_STRICTNESS.format("excluded.state")} > {_STRICTNESS.format("t.state")}
       OR t.latched_at <= excluded.latched_at)
""",
)

ALL: Final = (
    ACCOUNTS, LEDGERS, POSITIONS, CASH_MOVEMENTS, TRADES, SIGNALS, TARGETS, ORDER_GROUPS, ORDERS,
    EXECUTIONS, RISK_CHECKS, RISK_VIOLATIONS, DEPLOYMENTS, STRATEGY_EVENTS, RECONCILIATIONS,
    COMMANDS, TRADING_STATE,
)  # fmt: skip
