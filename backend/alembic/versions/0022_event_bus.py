"""Handlers of the event bus: how far each was handed each stream, and the keys of events."""

from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | None = None
depends_on: str | None = None

HANDLER_CURSORS = """
CREATE TABLE handler_cursors (
    handler TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_handler_cursors PRIMARY KEY (handler, stream),
    CONSTRAINT ck_handler_cursors_seq CHECK (seq >= 0)
);
CREATE TRIGGER handler_cursors_touch BEFORE UPDATE ON handler_cursors
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
"""

HANDLER_DELIVERIES = """
ALTER TABLE handler_deliveries ADD COLUMN key TEXT DEFAULT '' NOT NULL;
DROP INDEX ix_handler_deliveries_due;
CREATE INDEX ix_handler_deliveries_pending ON handler_deliveries (handler, stream, seq)
    WHERE status = 'pending';
CREATE INDEX ix_handler_deliveries_delivered ON handler_deliveries (delivered_at)
    WHERE status = 'delivered';
"""

BEFORE = """
DROP INDEX ix_handler_deliveries_pending;
DROP INDEX ix_handler_deliveries_delivered;
ALTER TABLE handler_deliveries DROP COLUMN key;
CREATE INDEX ix_handler_deliveries_due ON handler_deliveries (next_attempt_at)
    WHERE status = 'pending';
DROP TABLE handler_cursors;
"""


def upgrade() -> None:
    op.execute(HANDLER_CURSORS)
    op.execute(HANDLER_DELIVERIES)


def downgrade() -> None:
    op.execute(BEFORE)
