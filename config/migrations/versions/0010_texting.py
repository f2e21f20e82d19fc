"""Consents, wrong codes, the order of parts, what a carrier gave up. Only adds: the release before works on it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("outbox", sa.Column("follows_id", ID, nullable=True))
    op.add_column("outbox", sa.Column("carried_at", TIME, nullable=True))
    op.add_column("outbox", sa.Column("route", sa.String(), nullable=True))
    op.create_index("ix_outbox_route_day", "outbox", ["route", "created_at"])
    op.add_column("outbox", sa.Column("resends", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("outbox", sa.Column("slot_at", TIME, nullable=True))
    op.add_column("outbox", sa.Column("agent_told", sa.Boolean(), nullable=False, server_default=sa.false()))
    failed = sa.text("status = 'failed'")
    op.create_index("ix_outbox_failed_in", "outbox", ["conversation_id"], sqlite_where=failed, postgresql_where=failed)
    op.create_table(
        "consents",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.UniqueConstraint("channel", "account", "address", name="uq_consents_channel_account_address"),
    )
    op.add_column("codes", sa.Column("account", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "misses",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_index("ix_misses_address_at", "misses", ["address", "at"])


def downgrade() -> None:
    op.drop_table("misses")
    op.drop_column("codes", "account")
    op.drop_table("consents")
    op.drop_index("ix_outbox_failed_in", "outbox")
    op.drop_index("ix_outbox_route_day", "outbox")
    for column in ("agent_told", "slot_at", "resends", "route", "carried_at", "follows_id"):
        op.drop_column("outbox", column)
