"""The agents this server has: those from files (everybody's, read-only) and those saved over REST (their tenant's)."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent.server import arguments, rows, wire
from adapters.agent.server.database import Database
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.keeping import keep
from adapters.agent.server.limits import Limits
from adapters.agent.server.refusals import Conflict, Full, NotFound
from adapters.agent.server.tables import saved_agents
from adapters.agent.templates import canonical_agent

Body = Mapping[str, Any]

BRANCH = "main"
NOT_KEPT = ("_id", "id", "mainBranch", "branch_id", "deploy", "bump", "description")
"""What a client sends about the saving, not about the agent."""


@dataclass(frozen=True, slots=True)
class Saved:
    """`unavailable` are the tools it names that this server does not have."""

    id: str
    unavailable: Sequence[str]


class Agents:
    """Saved ones are kept as they came, so that what this server does not know of them is not lost."""

    def __init__(self, files: Mapping[str, AgentDefinition], database: Database, limits: Limits | None = None) -> None:
        """Raises `TemplateReferenceError` for a file with a placeholder that leads nowhere."""
        self._files = {name: canonical_agent(file) for name, file in files.items()}
        self._shown_files = {name: _shown_file(file) for name, file in self._files.items()}
        self._database = database
        self._limits = limits or Limits()
        self._at_hand: dict[str, tuple[int, AgentDefinition]] = {}

    async def find(self, tenant: str, id_or_name: str) -> AgentDefinition | None:
        """None also for an agent of somebody else. Raises `Wrong` for one that this release cannot read."""
        if id_or_name in self._files:
            return self._files[id_or_name]
        row = await self._row(tenant, id=id_or_name) or await self._row(tenant, name=id_or_name)
        return self._definition(row) if row else None

    async def of_session(self, id: str) -> AgentDefinition | None:
        """The agent that a session was opened with, as it is now; None: it was deleted."""
        if id in self._files:
            return self._files[id]
        async with self._database.reading() as db:
            row = (await db.execute(select(saved_agents).filter_by(id=id))).mappings().one_or_none()
        return self._definition(row) if row else None

    async def read(self, tenant: str, *, id: str = "", name: str = "") -> dict[str, Any]:
        """As REST clients read it. Raises `NotFound`."""
        if (file := self._shown_files.get(id or name)) is not None:
            return file
        row = await self._row(tenant, **({"id": id} if id else {"name": name}))
        if row is None:
            raise NotFound(f"there is no agent {id or name!r}")
        return _shown(row)

    async def read_with_schemas(self, tenant: str, *, id: str = "", name: str = "") -> dict[str, Any]:
        """`read`, and what each tool takes from a person who is asked; not of a tool that cannot run here."""
        read, agent = await self.read(tenant, id=id, name=name), await self.find(tenant, id or name)
        return read if agent is None else {**read, "tools": _with_schemas(read.get("tools", {}), agent)}

    async def listed(self, tenant: str, *, limit: int, offset: int) -> Sequence[dict[str, Any]]:
        """Those from files first, then the saved ones, oldest first."""
        files = list(self._shown_files.values())[offset : offset + limit]
        query = select(saved_agents).filter_by(tenant=tenant).order_by(saved_agents.c.created_at, saved_agents.c.id)
        page = query.limit(limit - len(files)).offset(max(0, offset - len(self._files)))
        async with self._database.reading() as db:
            return [*files, *(_shown(row) for row in (await db.execute(page)).mappings())]

    async def add(self, tenant: str, body: Body) -> Saved:
        """Raises `Wrong`, `Full`, or `Conflict` when the name is taken."""
        id, kept = secrets.token_hex(12), _kept(body)
        wire.definition_of(kept, id)
        row = {"id": id, "tenant": tenant, "name": self._free_name(kept), "body": kept, "version": 1}
        try:
            async with self._database.writing() as db:
                await self._check_room(db, tenant)
                await db.execute(insert(saved_agents).values(**row, created_at=rows.now(), updated_at=rows.now()))
        except IntegrityError as error:
            raise Conflict(_taken(row["name"])) from error
        return Saved(id, wire.unavailable(kept))

    async def _check_room(self, db: AsyncConnection, tenant: str) -> None:
        most = self._limits.max_agents
        if int(await db.scalar(select(func.count()).select_from(saved_agents).filter_by(tenant=tenant)) or 0) >= most:
            raise Full(f"{most} agents are saved with this key: delete one, or set AGENT_SERVER__MAX_AGENTS")

    async def change(self, tenant: str, id: str, body: Body) -> Saved:
        """What `body` does not name stays. Raises `NotFound`, `Wrong` or `Conflict`."""
        self._refuse_file(id)
        async with self._database.writing() as db:
            query = select(saved_agents).filter_by(id=id, tenant=tenant).with_for_update()
            row = (await db.execute(query)).mappings().one_or_none()
            if row is None:
                raise NotFound(f"there is no agent {id!r}")
            kept = {**row["body"], **_kept(body)}
            wire.definition_of(kept, id)
            changed = {"name": self._free_name(kept), "body": kept, "version": row["version"] + 1}
            try:
                await db.execute(update(saved_agents).filter_by(id=id).values(**changed, updated_at=rows.now()))
            except IntegrityError as error:
                raise Conflict(_taken(changed["name"])) from error
        return Saved(id, wire.unavailable(kept))

    async def remove(self, tenant: str, id: str) -> None:
        """Raises `NotFound` or `Conflict`."""
        self._refuse_file(id)
        async with self._database.writing() as db:
            gone = await db.execute(delete(saved_agents).filter_by(id=id, tenant=tenant))
        if not gone.rowcount:
            raise NotFound(f"there is no agent {id!r}")
        self._at_hand.pop(id, None)

    async def _row(self, tenant: str, **key: str) -> RowMapping | None:
        async with self._database.reading() as db:
            query = select(saved_agents).filter_by(tenant=tenant, **key)
            return (await db.execute(query)).mappings().one_or_none()

    def _definition(self, row: RowMapping) -> AgentDefinition:
        """The same object while the agent does not change: the runtime keeps what it made of it."""
        kept = self._at_hand.get(row["id"])
        if kept is None or kept[0] != row["version"]:
            kept = (row["version"], wire.definition_of(row["body"], row["id"]))
        return keep(self._at_hand, row["id"], kept)[1]

    def _free_name(self, body: Body) -> str:
        name = str(body["name"])
        if name in self._files:
            raise Conflict(_taken(name))
        return name

    def _refuse_file(self, id: str) -> None:
        if id in self._files:
            raise Conflict(f"the agent {id!r} comes from a file of this server: change it there")


def _with_schemas(tools: Mapping[str, Any], agent: AgentDefinition) -> dict[str, Any]:
    schemas = {tool.name: arguments.schema_for_people(tool) for tool in agent.tools}
    return {
        id: {**tool, "input_schema": schemas[tool["name"]]} if tool.get("name") in schemas else tool
        for id, tool in tools.items()
    }


def _taken(name: object) -> str:
    return f"an agent named {name!r} is there already: save that one, or take another name"


def _kept(body: Body) -> dict[str, Any]:
    """Without the key of a model: this server uses its own, and a database is no place for one."""
    kept = {word: value for word, value in body.items() if word not in NOT_KEPT}
    if isinstance(model := kept.get("llm_client_key"), dict):
        kept["llm_client_key"] = {**model, "api_key": None}
    return kept


def _shown_file(file: AgentDefinition) -> dict[str, Any]:
    return {**wire.payload(file), "_id": file.id, "mainBranch": BRANCH}


def _shown(row: RowMapping) -> dict[str, Any]:
    return {**row["body"], "_id": row["id"], "mainBranch": BRANCH}
