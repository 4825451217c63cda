"""Limits of deployments and symbols, and whose limit a check was held against."""

from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | None = None
depends_on: str | None = None

PARTS = "^(all|(account|deployment):[1-9][0-9]*|symbol:[A-Z0-9][A-Z0-9 ./^=_-]*)$"
ACCOUNTS = "^(all|account:[1-9][0-9]*)$"


def upgrade() -> None:
    _scopes(PARTS)
    op.execute("ALTER TABLE risk_checks ADD COLUMN scope TEXT")
    op.execute("ALTER TABLE risk_violations ADD COLUMN scope TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE risk_violations DROP COLUMN scope")
    op.execute("ALTER TABLE risk_checks DROP COLUMN scope")
    op.execute(f"DELETE FROM system_config WHERE scope !~ '{ACCOUNTS}'")
    _scopes(ACCOUNTS)


def _scopes(pattern: str) -> None:
    op.execute("ALTER TABLE system_config DROP CONSTRAINT ck_system_config_scope")
    op.execute(
        "ALTER TABLE system_config ADD CONSTRAINT ck_system_config_scope"
        f" CHECK (scope ~ '{pattern}')"
    )
