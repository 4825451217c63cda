"""The role of people who query with SQL: they may read the market and the trading, no secrets."""

from typing import Final

from sqlalchemy import Connection, text

from app.db import rollups
from app.db.base import Base
from app.db.timescale import attempt
from app.models.views import VIEWS

ROLE: Final = "tradewright_reader"
"""`CREATE ROLE ann LOGIN PASSWORD '…' IN ROLE tradewright_reader` makes a reader of a person."""

SECRET: Final = frozenset(
    {
        "account_members",
        "api_keys",
        "audit_trail",
        "backups",
        "credentials",
        "engine_checkpoints",
        "idempotency_keys",
        "refresh_tokens",
        "sessions",
        "sign_up_tokens",
        "trading_audit_trail",
        "users",
    }
)
"Tables and views about people and keys, which a reader does not see."
_EXISTS: Final = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)"


def readable() -> list[str]:
    """Every table and view that a reader may see."""
    names = {*Base.metadata.tables, *VIEWS, *rollups.NAMES}
    return sorted(names - SECRET)


def grant(connection: Connection) -> None:
    """Make the role where we may, and let it read; without the right to make roles, do nothing."""
    if not connection.scalar(text(_EXISTS), {"role": ROLE}):
        attempt(connection, "reader_role", f"CREATE ROLE {ROLE} NOLOGIN")
    if connection.scalar(text(_EXISTS), {"role": ROLE}):
        attempt(
            connection,
            "reader_grants",
            f"GRANT USAGE ON SCHEMA public TO {ROLE}",
            f"GRANT SELECT ON {', '.join(readable())} TO {ROLE}",
        )
