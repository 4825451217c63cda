"""The head of a stream says how many of its newest events the state tables do not show yet."""

import sqlalchemy as sa

from alembic import op

revision: str = "0032"
down_revision: str | None = "0031"
branch_labels: str | None = None
depends_on: str | None = None

NAME = "ck_journal_streams_unfolded"


def upgrade() -> None:
    op.add_column(
        "journal_streams",
        sa.Column("unfolded", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    op.execute(
        f"ALTER TABLE journal_streams ADD CONSTRAINT {NAME} CHECK (unfolded BETWEEN 0 AND seq)"
    )


def downgrade() -> None:
    """Refused by the data when an engine is to catch up: start and stop it first."""
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM journal_streams WHERE unfolded > 0) THEN"
        " RAISE EXCEPTION USING MESSAGE = 'state tables are behind the journal',"
        " HINT = 'Start the accounts once, stop them, and try again.'; END IF; END $$"
    )
    op.drop_column("journal_streams", "unfolded")
