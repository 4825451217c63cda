"""What processes say of themselves, where others look when they fall silent."""

from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on: str | None = None

TABLE = """
CREATE TABLE heartbeats (
    name TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    state JSONB DEFAULT '{}' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_heartbeats PRIMARY KEY (name)
)
"""
TOUCH = """
CREATE TRIGGER heartbeats_touch BEFORE UPDATE ON heartbeats
FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(TOUCH)


def downgrade() -> None:
    op.execute("DROP TABLE heartbeats")
