"""Test messages to people. Only adds: the release before works on it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "checks",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("sent_at", TIME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("answered_at", TIME, nullable=True),
    )
    op.create_index("ix_checks_address", "checks", ["address", "until"])


def downgrade() -> None:
    op.drop_table("checks")
