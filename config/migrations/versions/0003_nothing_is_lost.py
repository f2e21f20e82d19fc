"""Pauses, marks, and what late replies, budgets, caps and metrics need. Only adds: the release before works on it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def added() -> dict[str, list[sa.Column[Any]]]:
    return {
        "inbox": [sa.Column("sent_at", TIME, nullable=True)],
        "turns": [
            sa.Column("route", sa.String(), nullable=True),
            sa.Column("sender", sa.String(), nullable=True),
            sa.Column("tries", sa.Integer(), nullable=False, server_default="1"),
            sa.Column("tokens", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("first_delta_at", TIME, nullable=True),
        ],
        "outbox": [
            sa.Column("rank", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("segments", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("about_at", TIME, nullable=True),
        ],
        "leases": [sa.Column("free_at", TIME, nullable=True)],
    }


INDEXES = (
    ("ix_turns_conversation_id", "turns", ["conversation_id", "id"]),
    ("ix_turns_sender_day", "turns", ["sender", "started_at"]),
    ("ix_turns_route_day", "turns", ["route", "started_at"]),
    ("ix_inbox_conversation_id", "inbox", ["conversation_id", "id"]),
    ("ix_outbox_conversation_id", "outbox", ["conversation_id", "id"]),
)


def upgrade() -> None:
    for table, columns in added().items():
        for column in columns:
            op.add_column(table, column)
    for name, table, over in INDEXES:
        op.create_index(name, table, over)
    op.create_index("ix_inbox_dead", "inbox", ["id"], **_where("status = 'dead'"))
    op.create_index("ix_outbox_failed", "outbox", ["id"], **_where("status = 'failed'"))
    if op.get_bind().dialect.name == "postgresql":
        # Is a wake-up of this conversation waiting? Procrastinate itself asks by lock too, and has no index for it.
        op.execute("CREATE INDEX gatehouse_jobs_lock ON procrastinate_jobs (lock) WHERE status = 'todo'")
    op.create_table(
        "pauses",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
    )
    op.create_index("uq_pauses_open", "pauses", ["scope"], unique=True, **_where("ended_at IS NULL"))
    op.create_table(
        "early_reports",
        sa.Column("channel", sa.String(), primary_key=True),
        sa.Column("provider_id", sa.String(), primary_key=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("at", TIME, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("marks")
    op.drop_table("early_reports")
    op.drop_table("pauses")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX gatehouse_jobs_lock")
    op.drop_index("ix_outbox_failed", "outbox")
    op.drop_index("ix_inbox_dead", "inbox")
    for name, table, _ in INDEXES:
        op.drop_index(name, table)
    for table, columns in reversed(added().items()):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column.name)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
