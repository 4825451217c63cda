"""Cash that a broker moved by itself; what each account's connection to its broker is doing."""

from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on: str | None = None

KINDS = "'deposit', 'withdrawal', 'dividend', 'interest', 'fee', 'tax', 'adjustment'"
TABLE = """
CREATE TABLE broker_states (
    account_id BIGINT NOT NULL,
    broker TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    planned_until TIMESTAMP WITH TIME ZONE,
    looked_at TIMESTAMP WITH TIME ZONE,
    report JSONB DEFAULT '{}' NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_broker_states PRIMARY KEY (account_id),
    CONSTRAINT fk_broker_states_account_id_accounts FOREIGN KEY(account_id)
        REFERENCES accounts (id) ON DELETE CASCADE,
    CONSTRAINT ck_broker_states_state CHECK (state IN ('connecting', 'up', 'down', 'refused'))
)
"""
TOUCH = """
CREATE TRIGGER broker_states_touch BEFORE UPDATE ON broker_states
FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
"""


def upgrade() -> None:
    _kinds(f"{KINDS}, 'broker'")
    op.execute(TABLE)
    op.execute(TOUCH)


def downgrade() -> None:
    op.execute("DROP TABLE broker_states")
    op.execute("UPDATE cash_movements SET kind = 'adjustment' WHERE kind = 'broker'")
    _kinds(KINDS)


def _kinds(kinds: str) -> None:
    op.execute("ALTER TABLE cash_movements DROP CONSTRAINT ck_cash_movements_kind")
    op.execute(
        "ALTER TABLE cash_movements ADD CONSTRAINT ck_cash_movements_kind"
        f" CHECK (kind IN ({kinds}))"
    )
