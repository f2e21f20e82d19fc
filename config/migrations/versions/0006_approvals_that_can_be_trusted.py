"""Policy texts, edits, openings, codes, tokens, how a request stands. Only adds: the release before works on it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def added() -> dict[str, list[sa.Column[Any]]]:
    return {
        "approvals": [
            sa.Column("terms", sa.Text(), nullable=True),
            sa.Column("input_schema", sa.Text(), nullable=True),
            sa.Column("waits_unseen", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("reminded_at", TIME, nullable=True),
            sa.Column("escalated_at", TIME, nullable=True),
            sa.Column("held_at", TIME, nullable=True),
        ],
        "votes": [sa.Column("counts", sa.Boolean(), nullable=False, server_default=sa.true())],
    }


def upgrade() -> None:
    for table, columns in added().items():
        for column in columns:
            op.add_column(table, column)
    op.create_table(
        "policies",
        sa.Column("version", sa.String(), primary_key=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
    )
    op.create_table(
        "edits",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        _approval("edits"),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("via", sa.String(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("digest_before", sa.String(), nullable=False),
        sa.Column("digest_after", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_index("ix_edits_approval_id", "edits", ["approval_id"])
    op.create_table(
        "openings",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        _approval("openings"),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.UniqueConstraint("approval_id", "person", "digest", name=op.f("uq_openings_approval_id_person_digest")),
    )
    op.create_table(
        "codes",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        _approval("codes"),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.UniqueConstraint("approval_id", "address", "n", name=op.f("uq_codes_approval_id_address_n")),
    )
    op.create_index("ix_codes_address", "codes", ["address", "expires_at"])
    op.create_table(
        "tokens",
        sa.Column("person", sa.String(), primary_key=True),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
    )


def downgrade() -> None:
    for name in ("tokens", "codes", "openings", "edits", "policies"):
        op.drop_table(name)
    for table, columns in reversed(added().items()):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column.name)


def _approval(table: str) -> sa.Column[Any]:
    key = sa.ForeignKey("approvals.id", name=op.f(f"fk_{table}_approval_id_approvals"))
    return sa.Column("approval_id", sa.String(), key, nullable=False)
