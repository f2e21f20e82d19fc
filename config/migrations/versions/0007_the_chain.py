"""The chain over the audit, and the heads that were posted. Only adds: the release before works on it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("n", ID, primary_key=True, autoincrement=False),
        sa.Column("audit_id", ID, nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.UniqueConstraint("audit_id", name=op.f("uq_audit_seals_audit_id")),
    )
    op.create_table(
        "audit_heads",
        sa.Column("n", ID, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("audit_heads")
    op.drop_table("audit_seals")
