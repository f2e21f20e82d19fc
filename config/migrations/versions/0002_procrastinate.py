"""Procrastinate's tables, PostgreSQL only: its schema of release 3.10, pinned in the file beside this one."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DROP = r"""
DO $$
DECLARE one record;
BEGIN
    FOR one IN SELECT format('%I', tablename) AS name FROM pg_tables
        WHERE schemaname = current_schema() AND tablename LIKE 'procrastinate\_%'
    LOOP EXECUTE 'DROP TABLE ' || one.name || ' CASCADE'; END LOOP;
    FOR one IN SELECT p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = current_schema() AND p.proname LIKE 'procrastinate\_%'
    LOOP EXECUTE 'DROP FUNCTION ' || one.name || ' CASCADE'; END LOOP;
    FOR one IN SELECT format('%I', t.typname) AS name FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname = current_schema() AND t.typname LIKE 'procrastinate\_%' AND t.typtype IN ('e', 'c')
    LOOP EXECUTE 'DROP TYPE ' || one.name || ' CASCADE'; END LOOP;
END $$
"""


def upgrade() -> None:
    # The driver itself: the file has percent signs, which the layers above read as parameters.
    if op.get_bind().dialect.name == "postgresql":
        cursor = op.get_bind().connection.cursor()
        cursor.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().connection.cursor().execute(DROP)
