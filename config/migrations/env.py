"""Alembic's entry: our tables alone, on a connection that `config.schema` opened."""

from alembic import context
from sqlmodel import SQLModel

from gateway.store import seals, tables, texting, upkeep

assert seals
assert tables
assert texting
assert upkeep


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """The embedded agent server's tables and Procrastinate's are not this history's."""
    return kind != "table" or not str(name).startswith(("procrastinate_", "agent_"))


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    include_name=ours,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
