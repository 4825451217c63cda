"""The journal's head guards its events: the statement that appends changes it first.

A foreign key would look it up once for every event, which costs more than all else of an append.
"""

from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | None = None
depends_on: str | None = None

NAME = "fk_trading_events_stream_journal_streams"


def upgrade() -> None:
    op.execute(f"ALTER TABLE trading_events DROP CONSTRAINT {NAME}")


def downgrade() -> None:
    op.execute(
        f"ALTER TABLE trading_events ADD CONSTRAINT {NAME}"
        " FOREIGN KEY (stream) REFERENCES journal_streams (stream)"
    )
