"""How far a run of a job is, and who hears of it; one sender a channel; the newest sums at once."""

from alembic import op

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: str | None = None
depends_on: str | None = None

PROGRESS = """
ALTER TABLE job_runs
    ADD COLUMN progress DOUBLE PRECISION,
    ADD COLUMN progress_note TEXT,
    ADD CONSTRAINT ck_job_runs_progress CHECK (progress BETWEEN 0 AND 1)
"""
TELL = """
CREATE FUNCTION tell_job_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('job_runs', NEW.id::text);
    RETURN NULL;
END $$
"""
TOLD = """
CREATE TRIGGER job_runs_tell AFTER INSERT OR UPDATE ON job_runs
FOR EACH ROW EXECUTE FUNCTION tell_job_run()
"""
SENDING = """
ALTER TABLE alert_deliveries ADD COLUMN is_sending BOOLEAN DEFAULT false NOT NULL
"""
NEWEST = "CREATE INDEX ix_metric_rollups_span_at ON metric_rollups (span, at)"


def upgrade() -> None:
    for statement in (PROGRESS, TELL, TOLD, SENDING, NEWEST):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX ix_metric_rollups_span_at")
    op.execute("ALTER TABLE alert_deliveries DROP COLUMN is_sending")
    op.execute("DROP TRIGGER job_runs_tell ON job_runs")
    op.execute("DROP FUNCTION tell_job_run()")
    op.execute("ALTER TABLE job_runs DROP COLUMN progress_note, DROP COLUMN progress")
