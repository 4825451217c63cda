"""The latch: who obeys it is told apart from who has nothing on its way any more."""

import sqlalchemy as sa

from alembic import op

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column(
        "trading_state",
        sa.Column("heard_epoch", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    op.execute("UPDATE trading_state SET heard_epoch = confirmed_epoch")


def downgrade() -> None:
    op.drop_column("trading_state", "heard_epoch")
