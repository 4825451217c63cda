"""Orders that we hold for a broker that cannot have them; stops of signals that trail."""

from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN is_held BOOLEAN DEFAULT false NOT NULL")
    op.execute("ALTER TABLE signals ADD COLUMN stop_trail NUMERIC(20, 8)")
    op.execute("ALTER TABLE standing_targets ADD COLUMN stop_trail NUMERIC(20, 8)")


def downgrade() -> None:
    op.execute("ALTER TABLE standing_targets DROP COLUMN stop_trail")
    op.execute("ALTER TABLE signals DROP COLUMN stop_trail")
    op.execute("ALTER TABLE orders DROP COLUMN is_held")
