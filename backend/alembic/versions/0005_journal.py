"""The journal: streams, events that nobody may change, checkpoints and leases."""

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None

TABLES = ("journal_streams", "leases", "trading_events", "engine_checkpoints", "handler_deliveries")
STAMPED = ("journal_streams", "leases", "handler_deliveries")
"""Tables with `updated_at`."""
APPEND_ONLY = ("trading_events",)

FORBID = """
CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        MESSAGE = TG_TABLE_NAME || ' is append-only: ' || TG_OP || ' refused',
        ERRCODE = 'integrity_constraint_violation';
END
$$
"""

JOURNAL_STREAMS = r"""
CREATE TABLE journal_streams (
    stream TEXT NOT NULL,
    seq BIGINT DEFAULT 0 NOT NULL,
    hash BYTEA DEFAULT
        '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_journal_streams PRIMARY KEY (stream),
    CONSTRAINT ck_journal_streams_stream CHECK (stream ~
        '^(account:[1-9][0-9]*|system|audit)$'),
    CONSTRAINT ck_journal_streams_head CHECK (seq >= 0 AND epoch >= 0 AND octet_length(hash) =
        32)
);
"""

LEASES = """
CREATE TABLE leases (
    resource TEXT NOT NULL,
    holder TEXT,
    epoch BIGINT DEFAULT 0 NOT NULL,
    acquired_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_leases PRIMARY KEY (resource),
    CONSTRAINT ck_leases_epoch CHECK (epoch >= 0)
);
"""

TRADING_EVENTS = """
CREATE TABLE trading_events (
    stream TEXT NOT NULL,
    seq BIGINT NOT NULL,
    event_type TEXT NOT NULL,
    priority TEXT DEFAULT 'normal' NOT NULL,
    occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    caused_by BIGINT,
    correlation_id TEXT,
    actor TEXT DEFAULT 'engine' NOT NULL,
    payload JSON NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_trading_events PRIMARY KEY (stream, seq),
    CONSTRAINT ck_trading_events_priority CHECK (priority IN ('low', 'normal', 'high',
        'critical')),
    CONSTRAINT ck_trading_events_seq CHECK (seq > 0 AND caused_by < seq),
    CONSTRAINT ck_trading_events_hash CHECK (octet_length(hash) = 32),
    CONSTRAINT fk_trading_events_stream_journal_streams FOREIGN KEY(stream) REFERENCES
        journal_streams (stream)
);
CREATE INDEX ix_trading_events_correlation_id ON trading_events (correlation_id) WHERE
    correlation_id IS NOT NULL;
CREATE INDEX ix_trading_events_event_type_recorded_at ON trading_events (event_type,
    recorded_at);
CREATE INDEX ix_trading_events_recorded_at ON trading_events (recorded_at);
"""

ENGINE_CHECKPOINTS = """
CREATE TABLE engine_checkpoints (
    account_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    state BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_engine_checkpoints PRIMARY KEY (account_id, seq),
    CONSTRAINT ck_engine_checkpoints_seq CHECK (seq >= 0),
    CONSTRAINT fk_engine_checkpoints_account_id_accounts FOREIGN KEY(account_id) REFERENCES
        accounts (id)
);
"""

HANDLER_DELIVERIES = """
CREATE TABLE handler_deliveries (
    handler TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq BIGINT NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    attempts BIGINT DEFAULT 0 NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    delivered_at TIMESTAMP WITH TIME ZONE,
    error TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_handler_deliveries PRIMARY KEY (handler, stream, seq),
    CONSTRAINT fk_handler_deliveries_stream_seq_trading_events FOREIGN KEY(stream, seq)
        REFERENCES trading_events (stream, seq),
    CONSTRAINT ck_handler_deliveries_status CHECK (status IN ('pending', 'delivered', 'dead')),
    CONSTRAINT ck_handler_deliveries_attempts CHECK (attempts >= 0)
);
CREATE INDEX ix_handler_deliveries_dead ON handler_deliveries (handler) WHERE status = 'dead';
CREATE INDEX ix_handler_deliveries_due ON handler_deliveries (next_attempt_at) WHERE status =
    'pending';
"""


def upgrade() -> None:
    op.execute(FORBID)
    op.execute(JOURNAL_STREAMS)
    op.execute(LEASES)
    op.execute(TRADING_EVENTS)
    op.execute(ENGINE_CHECKPOINTS)
    op.execute(HANDLER_DELIVERIES)
    for table in STAMPED:
        op.execute(
            f"CREATE TRIGGER {table}_touch BEFORE UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION touch_updated_at()"
        )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION forbid_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
        )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION forbid_change()")
