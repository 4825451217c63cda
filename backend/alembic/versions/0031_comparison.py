"""Both books as the last whole look at a broker saw them, line by line."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from alembic import op

revision: str = "0031"
down_revision: str | None = "0030"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("broker_states", sa.Column("comparison", JSONB(none_as_null=True)))


def downgrade() -> None:
    op.drop_column("broker_states", "comparison")
