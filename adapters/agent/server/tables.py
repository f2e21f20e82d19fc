"""The embedded server's own tables, in a `MetaData` of their own. Names begin with `agent_`."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class UtcTime(TypeDecorator[datetime]):
    """Aware, in UTC. SQLite forgets the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        assert isinstance(value, datetime)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_seq = BigInteger().with_variant(Integer(), "sqlite")

sessions = Table(
    "agent_sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("agent", String(64), nullable=False),
    Column("status", String(20), nullable=False),
    Column("owner", BigInteger),  # the server that runs its turn; NULL while no turn runs
    Column("turn_id", String(64)),  # the id of the reply's message, from the turn's first delta to its Complete
    Column("turn_index", Integer, nullable=False, default=0),
    Column("turn_text", Text, nullable=False, default=""),
    Column("batch", String(64)),  # the calls that were parked together
    Column("history", LargeBinary),  # the model's own, opaque
    Column("created_at", UtcTime, nullable=False),
    Index(None, "status"),
)

posts = Table(
    "agent_posts",
    metadata,
    Column("seq", _seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("session_id", String(64), nullable=False),
    Column("client_message_id", String(200)),
    Column("state", String(20), nullable=False),  # waiting | taken | interrupted | done
    Column("contents", JSON),  # with the bytes of files; emptied when it is done
    Column("message_ids", JSON, nullable=False),
    UniqueConstraint("session_id", "client_message_id"),
    Index(None, "session_id", "state"),
)

# What releases after the first added: made also where the table is older.
LATER_INDEXES = (
    Index(
        "ix_agent_posts_waiting",
        posts.c.state,  # says nothing that the condition does not, but SQLite looks for it
        posts.c.session_id,
        sqlite_where=posts.c.state == "waiting",
        postgresql_where=posts.c.state == "waiting",
    ),
)

messages = Table(
    "agent_messages",
    metadata,
    Column("seq", _seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("session_id", String(64), nullable=False, index=True),
    Column("sender", JSON, nullable=False),
    Column("content", JSON, nullable=False),  # without the bytes of files
    Column("parent_message_id", String(64)),
    Column("created_at", UtcTime, nullable=False),
)

calls = Table(
    "agent_calls",
    metadata,
    Column("seq", _seq, primary_key=True, autoincrement=True),
    Column("session_id", String(64), nullable=False),
    Column("tool_call_id", String(200), nullable=False),
    Column("turn_id", String(64), nullable=False),
    Column("batch", String(64)),
    Column("request_id", String(64), unique=True),  # the message that asked; NULL: it ran without asking
    Column("message_id", String(64)),  # the message that shows it run
    Column("tool_name", String(64), nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("final_arguments", JSON),
    # pending | approved | denied | executing | completed | failed | unknown
    Column("state", String(20), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("result", JSON),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("answered_at", UtcTime),
    UniqueConstraint("session_id", "turn_id", "tool_call_id"),  # some models count their calls from 0 each turn
    Index(None, "state", "expires_at"),
)

saved_agents = Table(
    "agent_saved_agents",
    metadata,
    Column("id", String(24), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("body", JSON, nullable=False),  # as the client sent it, but for the key of a model
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("tenant", "name"),
)

refunds = Table(
    "agent_refunds",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("tool_call_id", String(200), primary_key=True),
    Column("order_id", String(64), nullable=False),
    Column("amount", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

addresses = Table(
    "agent_addresses",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("address", Text, nullable=False),
)

handoffs = Table(
    "agent_handoffs",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("tool_call_id", String(200), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("urgency", String(20), nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
