"""What a backup holds, its last proof, and its copy."""

from alembic import op

revision: str = "0026"
down_revision: str | None = "0025"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE backups"
        " ADD COLUMN requested_by TEXT,"
        " ADD COLUMN revision TEXT,"
        " ADD COLUMN state_hash BYTEA CONSTRAINT ck_backups_state_hash"
        "   CHECK (octet_length(state_hash) = 32),"
        " ADD COLUMN rows BIGINT CONSTRAINT ck_backups_rows CHECK (rows >= 0),"
        " ADD COLUMN details JSONB DEFAULT '{}' NOT NULL,"
        " ADD COLUMN checked_at TIMESTAMP WITH TIME ZONE,"
        " ADD COLUMN check_error TEXT,"
        " ADD COLUMN restore_seconds DOUBLE PRECISION,"
        " ADD COLUMN copied_to TEXT,"
        " ADD COLUMN copied_at TIMESTAMP WITH TIME ZONE"
    )


def downgrade() -> None:
    for name in (
        "copied_at",
        "copied_to",
        "restore_seconds",
        "check_error",
        "checked_at",
        "details",
        "rows",
        "state_hash",
        "revision",
        "requested_by",
    ):
        op.execute(f"ALTER TABLE backups DROP COLUMN {name}")
