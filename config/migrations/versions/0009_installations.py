"""Where a channel's app is installed, by OAuth. Only adds: the release before works on it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "installations",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("installed_at", TIME, nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
        sa.UniqueConstraint("channel", "account", name="uq_installations_channel_account"),
    )
    op.create_table(
        "used_states",
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("until", TIME, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("used_states")
    op.drop_table("installations")
