"""What is stored of each series of bars, counted as it is written, and what a check found of it."""

from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None

TABLE = """
CREATE TABLE bar_series (
    dataset TEXT NOT NULL,
    stock_id BIGINT NOT NULL,
    timeframe TEXT NOT NULL,
    bars BIGINT NOT NULL,
    first_start TIMESTAMP WITH TIME ZONE NOT NULL,
    last_start TIMESTAMP WITH TIME ZONE NOT NULL,
    sources TEXT[] DEFAULT '{}' NOT NULL,
    checked_at TIMESTAMP WITH TIME ZONE,
    checked_bars BIGINT,
    verdict TEXT,
    expected BIGINT,
    missing BIGINT,
    bad BIGINT,
    suspicious BIGINT,
    fingerprint TEXT,
    findings JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_bar_series PRIMARY KEY (dataset, stock_id, timeframe),
    CONSTRAINT ck_bar_series_dataset CHECK (dataset IN ('live', 'simulated') OR
        (length(dataset) > 7 AND (starts_with(dataset, 'replay:') OR starts_with(dataset,
        'import:')))),
    CONSTRAINT ck_bar_series_timeframe CHECK (timeframe IN ('1s', '1m', '5m', '15m', '1h', '1d')),
    CONSTRAINT ck_bar_series_bars CHECK (bars >= 0 AND last_start >= first_start),
    CONSTRAINT ck_bar_series_verdict CHECK (verdict IN ('good', 'gaps', 'bad')),
    CONSTRAINT fk_bar_series_stock_id_stocks FOREIGN KEY (stock_id) REFERENCES stocks (id)
) WITH (fillfactor = 70)
"""
INDEX = "CREATE INDEX ix_bar_series_stock_id ON bar_series (stock_id)"

# Bars that are stored already are counted once: minutes where they are a hundred million.
COUNT = """
INSERT INTO bar_series (dataset, stock_id, timeframe, bars, first_start, last_start, sources)
SELECT dataset, stock_id, timeframe, count(*), min(start), max(start), array_agg(DISTINCT source)
FROM stock_data GROUP BY dataset, stock_id, timeframe
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(INDEX)
    op.execute(COUNT)
    op.execute(
        "ALTER TABLE data_gaps ADD COLUMN evidence JSONB DEFAULT '[]' NOT NULL,"
        " ADD COLUMN bars BIGINT DEFAULT '0' NOT NULL,"
        " ADD COLUMN asked_at TIMESTAMP WITH TIME ZONE,"
        " ADD CONSTRAINT ck_data_gaps_bars CHECK (bars >= 0)"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE data_gaps DROP COLUMN evidence, DROP COLUMN bars, DROP COLUMN asked_at")
    op.execute("DROP TABLE bar_series")
