"""the queue of many machines

On PostgreSQL only: procrastinate's tables and functions. SQLite is one machine's, whose threads need no queue.
"""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SCHEMA = Path(__file__).resolve().parent.parent / "sql" / "procrastinate_3_10_0.sql"
# Ours: to hand out a job, procrastinate looks for others with its lock. Each has one, and thousands wait in a burst;
# without this index and before ANALYZE one look takes a second.
OF_A_LOCK = "CREATE INDEX cadence_jobs_of_a_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing')"
TAKE_AWAY = """
DO $$
DECLARE
    found text;
BEGIN
    FOR found IN
        SELECT oid::regprocedure::text FROM pg_proc
        WHERE proname LIKE 'procrastinate\\_%' AND pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE 'DROP FUNCTION ' || found || ' CASCADE';
    END LOOP;
    DROP TABLE IF EXISTS procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs, procrastinate_workers;
    DROP TYPE IF EXISTS procrastinate_job_to_defer_v1, procrastinate_job_status, procrastinate_job_event_type;
END;
$$
"""


def upgrade() -> None:
    _run(SCHEMA.read_text(encoding="utf-8"))
    _run(OF_A_LOCK)


def downgrade() -> None:
    _run(TAKE_AWAY)


def _run(sql: str) -> None:
    """As it is written: its percent signs are no places for values."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
