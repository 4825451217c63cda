"""What live feeds are doing, where health and metrics of other processes can read it."""

from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None

TABLE = """
CREATE TABLE feed_states (
    account_id BIGINT NOT NULL,
    provider TEXT NOT NULL,
    place BIGINT NOT NULL,
    state TEXT NOT NULL,
    report JSONB DEFAULT '{}' NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_feed_states PRIMARY KEY (account_id, provider),
    CONSTRAINT ck_feed_states_state
        CHECK (state IN ('standby', 'connecting', 'up', 'down', 'refused', 'closed')),
    CONSTRAINT ck_feed_states_place CHECK (place >= 0),
    CONSTRAINT fk_feed_states_account_id_accounts
        FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
)
"""
TOUCH = """
CREATE TRIGGER feed_states_touch BEFORE UPDATE ON feed_states
FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(TOUCH)


def downgrade() -> None:
    op.execute("DROP TABLE feed_states")
