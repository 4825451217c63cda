"""Prints remember whether their price and size make bars, so that bars can be made again."""

from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None

# A default that is a constant rewrites no row. Prints of before made bars with price and size.
UPGRADE = """
ALTER TABLE ticks ADD COLUMN counts SMALLINT DEFAULT 2 NOT NULL
"""
CHECK = """
ALTER TABLE ticks ADD CONSTRAINT ck_ticks_counts CHECK (counts BETWEEN 0 AND 2)
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    op.execute(CHECK)


def downgrade() -> None:
    op.execute("ALTER TABLE ticks DROP COLUMN counts")
