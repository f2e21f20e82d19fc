"""Sessions that the agent platform still has of erased conversations. Only adds: the release before works on it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "leftovers",
        sa.Column("session_id", sa.String(), primary_key=True),
        sa.Column("conversation_id", ID, sa.ForeignKey("conversations.id"), nullable=False),
        sa.Column("remains", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_leftovers_conversation_id", "leftovers", ["conversation_id"])


def downgrade() -> None:
    op.drop_table("leftovers")
