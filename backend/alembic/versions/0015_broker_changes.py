"""Orders that are changed and trail, fills that a broker takes back."""

from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | None = None
depends_on: str | None = None

UP = """
ALTER TABLE orders
    ADD COLUMN trail NUMERIC(20, 8),
    ADD COLUMN wanted JSONB,
    DROP CONSTRAINT ck_orders_type,
    DROP CONSTRAINT ck_orders_stop_price,
    DROP CONSTRAINT ck_orders_prices,
    ADD CONSTRAINT ck_orders_type CHECK
        (type IN ('market', 'limit', 'stop', 'stop_limit', 'trailing_stop')),
    ADD CONSTRAINT ck_orders_stop_price CHECK
        (type = 'trailing_stop' OR (type IN ('stop', 'stop_limit')) = (stop_price IS NOT NULL)),
    ADD CONSTRAINT ck_orders_trail CHECK ((type = 'trailing_stop') = (trail IS NOT NULL)),
    ADD CONSTRAINT ck_orders_prices CHECK
        (limit_price > 0 AND stop_price > 0 AND trail > 0 AND average_price >= 0);
ALTER TABLE executions
    ADD COLUMN corrects TEXT,
    ADD COLUMN busted_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN bust_reason TEXT,
    ADD CONSTRAINT ck_executions_busted CHECK ((busted_at IS NULL) = (bust_reason IS NULL))
"""
DOWN = """
ALTER TABLE executions
    DROP CONSTRAINT ck_executions_busted,
    DROP COLUMN corrects,
    DROP COLUMN busted_at,
    DROP COLUMN bust_reason;
ALTER TABLE orders
    DROP CONSTRAINT ck_orders_trail,
    DROP CONSTRAINT ck_orders_prices,
    DROP CONSTRAINT ck_orders_stop_price,
    DROP CONSTRAINT ck_orders_type,
    DROP COLUMN trail,
    DROP COLUMN wanted,
    ADD CONSTRAINT ck_orders_type CHECK (type IN ('market', 'limit', 'stop', 'stop_limit'))
        NOT VALID,
    ADD CONSTRAINT ck_orders_stop_price CHECK
        ((type IN ('stop', 'stop_limit')) = (stop_price IS NOT NULL)) NOT VALID,
    ADD CONSTRAINT ck_orders_prices CHECK
        (limit_price > 0 AND stop_price > 0 AND average_price >= 0)
"""


def upgrade() -> None:
    for statement in UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN.split(";\n"):
        op.execute(statement)
