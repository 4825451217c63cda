"""A second factor, and when somebody last proved who they are."""

from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | None = None
depends_on: str | None = None

USERS = """
ALTER TABLE users
  ADD COLUMN totp_key_id TEXT,
  ADD COLUMN totp_confirmed_at TIMESTAMP WITH TIME ZONE,
  ADD COLUMN totp_last_step BIGINT,
  ADD COLUMN recovery_hashes BYTEA[] DEFAULT '{}' NOT NULL,
  ADD CONSTRAINT ck_users_totp_key_id CHECK ((totp_secret IS NULL) = (totp_key_id IS NULL)),
  ADD CONSTRAINT ck_users_totp_confirmed_at
    CHECK (totp_confirmed_at IS NULL OR totp_secret IS NOT NULL)
"""
SESSIONS = """
ALTER TABLE sessions
  ADD COLUMN verified_at TIMESTAMP WITH TIME ZONE,
  ADD COLUMN previous_hash BYTEA,
  ADD COLUMN rotated_at TIMESTAMP WITH TIME ZONE,
  ADD CONSTRAINT ck_sessions_previous_hash CHECK (octet_length(previous_hash) = 32)
"""
INDEX = """
CREATE INDEX ix_sessions_previous_hash ON sessions (previous_hash) WHERE previous_hash IS NOT NULL
"""


def upgrade() -> None:
    op.execute(USERS)
    op.execute(SESSIONS)
    op.execute(INDEX)
    op.execute("ALTER TABLE refresh_tokens ADD COLUMN verified_at TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    """Secrets go with their columns: whoever had a second factor signs in without it."""
    op.execute("ALTER TABLE refresh_tokens DROP COLUMN verified_at")
    op.execute(
        "ALTER TABLE sessions DROP COLUMN rotated_at, DROP COLUMN previous_hash,"
        " DROP COLUMN verified_at"
    )
    op.execute(
        "ALTER TABLE users DROP CONSTRAINT ck_users_totp_key_id,"
        " DROP CONSTRAINT ck_users_totp_confirmed_at, DROP COLUMN recovery_hashes,"
        " DROP COLUMN totp_last_step, DROP COLUMN totp_confirmed_at, DROP COLUMN totp_key_id"
    )
    op.execute("UPDATE users SET totp_secret = NULL")
