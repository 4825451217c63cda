"""Draws the diagrams of docs/database.md from the models: `python -m app.db.documentation`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.orm import Mapper

from app.core.environment import project_root
from app.db.base import Base

AREAS: Final = {
    "Accounts and strategies": (
        "users",
        "accounts",
        "account_members",
        "strategies",
        "deployments",
        "ledgers",
    ),
    "Signing in": (
        "sessions",
        "refresh_tokens",
        "sign_up_tokens",
        "api_keys",
        "credentials",
        "idempotency_keys",
    ),
    "What can be traded": ("instruments", "stocks", "option_contracts", "corporate_actions"),
    "Market data": (
        "stock_data",
        "stock_data_revisions",
        "bar_series",
        "ticks",
        "quotes",
        "options_data",
        "indicators",
        "market_data_cache",
        "quarantine",
        "data_gaps",
        "data_imports",
        "disclosures",
    ),
    "The order path": (
        "signals",
        "standing_targets",
        "order_groups",
        "orders",
        "executions",
        "positions",
        "trades",
        "cash_movements",
    ),
    "Control and risk": (
        "commands",
        "trading_state",
        "risk_checks",
        "risk_violations",
        "reconciliations",
        "strategy_events",
        "daily_performance",
    ),
    "Journal": (
        "journal_streams",
        "trading_events",
        "engine_checkpoints",
        "leases",
        "heartbeats",
        "broker_states",
        "feed_states",
        "handler_cursors",
        "handler_deliveries",
    ),
    "Research": ("backtests", "backtest_trades", "sweeps"),
    "Operations": (
        "system_config",
        "config_history",
        "audit_trail",
        "alerts",
        "alert_deliveries",
        "notification_channels",
        "metrics",
        "metric_rollups",
        "errors",
        "availability",
        "backups",
        "job_states",
        "job_runs",
    ),
}
BEGIN: Final = "<!-- generated from the models: begin -->"
END: Final = "<!-- generated from the models: end -->"
DOCUMENT: Final = Path("docs/database.md")


def mapper_of(table: Table) -> Mapper[Base]:
    return next(m for m in Base.registry.mappers if m.local_table is table)


def generated() -> str:
    """The part between the markers: one diagram and one list an area."""
    return "\n".join(line for title, names in AREAS.items() for line in _area(title, names))


def _area(title: str, names: tuple[str, ...]) -> Iterator[str]:
    tables = [Base.metadata.tables[name] for name in names]
    yield from ("", f"## {title}", "", "```mermaid", "erDiagram")
    for table in tables:
        yield from _entity(table)
    for table in tables:
        yield from _relations(table)
    yield from ("```", "", "| table | one row is | key | owner |", "|---|---|---|---|")
    for table in tables:
        key = ", ".join(column.name for column in table.primary_key)
        yield f"| `{table.name}` | {_meaning(table)} | {key} | `{table.info['owner']}` |"


def _entity(table: Table) -> Iterator[str]:
    yield f"    {table.name} {{"
    for column in table.columns:
        yield f"        {_kind(column)} {column.name}{_marks(column)}"
    yield "    }"


def _kind(column: Column[object]) -> str:
    dialect = PGDialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    words = column.type.compile(dialect).lower().partition("(")[0]
    return words.replace("timestamp with time zone", "timestamptz").replace(" precision", "")


def _marks(column: Column[object]) -> str:
    marks = [
        mark
        for mark, holds in (
            ("PK", column.primary_key),
            ("FK", bool(column.foreign_keys)),
            ("UK", bool(column.unique)),
        )
        if holds
    ]
    return " " + ",".join(marks) if marks else ""


def _relations(table: Table) -> Iterator[str]:
    """`accounts ||--o{ orders : account_id`; a nullable key is drawn `|o`."""
    constraints = sorted(table.foreign_key_constraints, key=lambda key: list(key.column_keys))
    for key in constraints:
        optional = any(column.nullable for column in key.columns)
        one = {column.name for column in key.columns} >= {c.name for c in table.primary_key}
        left, right = "|o" if optional else "||", "o|" if one else "o{"
        label = ", ".join(key.column_keys)
        yield f'    {key.referred_table.name} {left}--{right} {table.name} : "{label}"'


def _meaning(table: Table) -> str:
    """First sentence of the model's docstring."""
    text = " ".join((mapper_of(table).class_.__doc__ or "").split())
    return text.partition(". ")[0].rstrip(".").replace("|", "\\|")


def rendered(document: str) -> str:
    """`document` with the part between the markers drawn anew."""
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return f"{head}{begin}{generated()}\n\n{end}{tail}"


def main() -> None:
    """Rewrite docs/database.md in place."""
    path = project_root() / DOCUMENT
    path.write_text(rendered(path.read_text()))


if __name__ == "__main__":
    main()
