"""`gateway agents ...`: the definition files, looked at, listed and pushed. (`serve` is with the processes.)"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from config.cli.doctor import line
from config.cli.rows import one_line
from config.cli.show import as_json, table, visible
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from adapters.agent.client import AgentSettings
    from adapters.agent.pushing import NotPushed, Pushed
    from adapters.agent.server.definitions import AgentDefinition
    from adapters.agent.server.model_settings import ModelSettings
    from config.settings import Settings

app = typer.Typer(help="Agent definitions (config/agents/*.toml), and the embedded agent server.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Folder = Annotated[Path | None, typer.Argument(metavar="[FOLDER]", help="Of the definition files. [config/agents]")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Of the agents; none: all there are.")]
To = Annotated[str, typer.Option("--to", metavar="URL", help="Of the platform, instead of AGENT__URL.")]
From = Annotated[Path | None, typer.Option("--from", metavar="FOLDER", help="Of the files. [config/agents]")]


@app.command(epilog="Example: gateway agents check   |   gateway agents check drafts/agents --json")
def check(folder: Folder = None, json: Json = False) -> None:
    """Look the definition files over: one line each, with what is wrong in them. Changes nothing, asks nobody.

    Exit code 1 when a line says "not ok". A line that says "look" is worth a look and no failure.
    """
    from adapters.agent import checking
    from adapters.agent.server.tools import Toolbox, ToolSettings, secrets_in
    from config import settings

    with one_line():
        here = checking.Here(settings.read().model, Toolbox(ToolSettings(secrets=secrets_in(os.environ))))
        found = checking.check(folder or _folder(), here)
    typer.echo(as_json([asdict(one) for one in found]) if json else "\n".join(line(one) for one in found))
    if not all(one.ok for one in found):
        raise typer.Exit(1)


@app.command("list", epilog="Example: gateway agents list   |   gateway agents list drafts/agents --json")
def list_all(folder: Folder = None, json: Json = False) -> None:
    """List the agents of the files: what each runs on and why, and what its tools may do without asking."""
    from adapters.agent.server import definitions
    from config import settings

    with one_line():
        read = settings.read()
        agents = [_listed(one, read.model) for one in definitions.load(folder or _folder()).values()]
    if json:
        typer.echo(as_json(agents))
    elif agents:
        _print(agents)
    else:
        typer.echo(f"there are no agents in {folder or _folder()}")
    if read.agent.url and not json:
        typer.echo("\nAGENT__URL is set, so that platform answers: `gateway agents push` brings these there")


@app.command(epilog="Example: gateway agents push   |   gateway agents push support --to https://agents.example/v1")
def push(names: Names = None, to: To = "", folder: From = None) -> None:
    """Create or update agents at a platform, under their names. What did not change is not sent again.

    The platform is AGENT__URL, the key AGENT__API_KEY. What cannot be is told for each agent, with exit code 1.
    """
    from adapters.agent.server import definitions
    from config import settings

    with one_line():
        where = _where(settings.read(), to)
        agents = _chosen(definitions.load(folder or _folder()), names or [])
        if not agents:
            raise ConfigError(f"{folder or _folder()}: there is no agent definition (*.toml) in it")
        failed = asyncio.run(_push(agents, where))
    if failed:
        raise typer.Exit(1)


def _folder() -> Path:
    from config.running import AGENTS

    return AGENTS


# --- list ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    approval: str
    writes: bool


@dataclass(frozen=True, slots=True)
class Agent:
    """As `--json` shows it."""

    name: str
    type: str
    runs_on: str
    why: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tools: tuple[Tool, ...]


def _listed(agent: "AgentDefinition", models: "ModelSettings") -> Agent:
    from adapters.agent.server.models import standing
    from adapters.agent.server.tools import Toolbox

    where = standing(agent, models)
    return Agent(
        name=agent.name,
        type=agent.agent_type,
        runs_on=where.runs_on,
        why=where.why,
        inputs=tuple(one.name for one in agent.inputs),
        outputs=tuple(one.name for one in agent.outputs),
        tools=tuple(Tool(one.name, one.approval.value, Toolbox.writes(one)) for one in agent.tools),
    )


def _print(agents: Sequence[Agent]) -> None:
    typer.echo(
        table(("AGENT", "TYPE", "RUNS ON", "WHY"), [(one.name, one.type, one.runs_on, one.why) for one in agents])
    )
    tools = [
        (agent.name, tool.name, tool.approval, "yes" if tool.writes else "no")
        for agent in agents
        for tool in agent.tools
    ]
    if tools:
        typer.echo("\n" + table(("AGENT", "TOOL", "APPROVAL", "WRITES"), tools))


# --- push ----------------------------------------------------------------------------------------------------


def _where(settings: "Settings", to: str) -> "AgentSettings":
    from adapters.agent.client import AgentSettings

    url = to or settings.agent.url
    if not url:
        raise ConfigError("AGENT__URL is not set: set it, or say where: --to http://127.0.0.1:8765/v1")
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{url} is no address: write one such as http://127.0.0.1:8765/v1")
    return AgentSettings(url=url, api_key=settings.agent.api_key)


def _chosen(agents: "dict[str, AgentDefinition]", names: Sequence[str]) -> "list[AgentDefinition]":
    from adapters.agent.server.mistakes import nearest

    for name in names:
        if name not in agents:
            there = f"there are {', '.join(agents)}" if agents else "there is none"
            raise ConfigError(f"no file defines an agent {name!r}{nearest(name, list(agents))} ({there})")
    return [agents[name] for name in dict.fromkeys(names)] if names else list(agents.values())


async def _push(agents: "list[AgentDefinition]", where: "AgentSettings") -> int:
    """How many were refused."""
    from adapters.agent import pushing

    failed = 0
    async with pushing.platform(where) as http:
        async for one in pushing.push(agents, http):
            failed += _tell(one)
    for agent in agents:
        for said in _notes(agent):
            typer.echo(f"agent {agent.name}: {said}", err=True)
    return failed


def _notes(agent: "AgentDefinition") -> Iterator[str]:
    """What a platform does not get by being told all that the protocol can say."""
    from adapters.agent.server.definitions import OFFLINE

    if many := len(agent.knowledge.documents):
        yield f"the {many} document{'s' * (many > 1)} of its knowledge stay{'s' * (many == 1)} here"
    if remote := [tool.name for tool in agent.tools if tool.http or tool.mcp]:
        yield f"how to call {', '.join(remote)} stays in the file: the platform gets names and parameters"
    if agent.provider == OFFLINE:
        yield "it names no provider and model, so it runs on whatever the embedded server has, and on no other platform"


def _tell(one: "Pushed | NotPushed") -> bool:
    from adapters.agent.pushing import NotPushed

    if isinstance(one, NotPushed):
        typer.echo(visible(f"gateway: agent {one.agent}: {one.why}"), err=True)
        return True
    typer.echo(visible(f"{one.deed}: {one.agent} ({one.id})"))
    if one.away:
        typer.echo(visible(f"agent {one.agent}: the platform cannot run {', '.join(one.away)}"), err=True)
    return False
