"""`gateway pause` and `gateway resume`: the stop button."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from config.cli.rows import now, over_the_rows, whoever
from config.cli.show import as_json, table, when
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from config.settings import Settings
    from gateway.store import Store
    from gateway.store.upkeep import PauseRow


class ChannelName(StrEnum):
    SLACK = "slack"
    SMS = "sms"


Channels = Annotated[list[ChannelName] | None, typer.Option("--channel", help="Conversations on this channel.")]
Agents = Annotated[list[str] | None, typer.Option("--agent", help="Conversations with this agent.")]
Approvals = Annotated[bool, typer.Option("--approvals", help="Approving, and what was decided; a denial is taken.")]
Reason = Annotated[str, typer.Option("--reason", help="For whoever looks later.")]
List = Annotated[bool, typer.Option("--list", help="Say what is paused, and change nothing.")]
Json = Annotated[bool, typer.Option("--json", help="What is paused then, for scripts.")]


def pause(
    channel: Channels = None,
    agent: Agents = None,
    approvals: Approvals = False,
    reason: Reason = "",
    list_only: List = False,
    json: Json = False,
) -> None:
    """Hold back everything, or a part: messages are kept, and each customer is told once. Audited; twice is safe."""
    scopes = _scopes(channel, agent, approvals)
    if list_only:
        if scopes or reason:
            raise typer.BadParameter("--list goes with nothing but --json")
        over_the_rows(lambda store, _: _print_open(store, json))
    else:
        over_the_rows(lambda store, settings: _pause(store, settings, scopes or ["all"], agent or [], reason, json))


def resume(channel: Channels = None, agent: Agents = None, approvals: Approvals = False, json: Json = False) -> None:
    """Let everything that is paused go on, or a part. What was kept is answered in order. Audited; twice is safe."""
    scopes = _scopes(channel, agent, approvals)
    over_the_rows(lambda store, _: _resume(store, scopes, json))


async def _pause(
    store: "Store", settings: "Settings", scopes: list[str], agents: list[str], reason: str, json: bool
) -> None:
    from gateway import stop

    await _check(store, settings, agents)
    begun = await store.write(lambda tx: stop.pause(tx, scopes, by=whoever(), reason=reason, now=now()))
    if not json:
        for scope in scopes:
            typer.echo(f"{'paused' if scope in begun else 'paused already'}: {_name(scope)}")
    await _print_open(store, json)


async def _resume(store: "Store", scopes: list[str], json: bool) -> None:
    from gateway import stop

    ended = await store.write(lambda tx: stop.resume(tx, scopes, by=whoever(), now=now()))
    if not json:
        for scope in scopes or ended:
            typer.echo(f"{'resumed' if scope in ended else 'was not paused'}: {_name(scope)}")
    await _print_open(store, json)


async def _check(store: "Store", settings: "Settings", agents: list[str]) -> None:
    """A typing error must not look like a pause. The policy is only asked: broken, it is no reason not to stop."""
    from gateway import policy
    from gateway.store import fate

    known = await store.read(fate.agents)
    try:
        known |= {route.agent for route in policy.read(settings.gateway_config.read_text(encoding="utf-8")).routes}
    except (ConfigError, OSError, UnicodeDecodeError):
        return
    for agent in agents:
        if agent not in known:
            raise typer.BadParameter(f"no route leads to an agent {agent!r} (there are: {', '.join(sorted(known))})")


async def _print_open(store: "Store", json: bool) -> None:
    from gateway.store import pauses

    rows = await store.read(pauses.open_ones)
    if json:
        typer.echo(as_json([_facts(row) for row in rows]))
    elif rows:
        head = ("PAUSED", "SINCE", "BY", "REASON")
        typer.echo("\n" + table(head, [(_name(row.scope), when(row.since), row.by, row.reason) for row in rows]))
    else:
        typer.echo("nothing is paused")


def _scopes(channels: list[ChannelName] | None, agents: list[str] | None, approvals: bool) -> list[str]:
    from gateway import stop

    scopes = [stop.scope_of_channel(one.value) for one in channels or []]
    scopes += [stop.scope_of_agent(one) for one in agents or []]
    return list(dict.fromkeys(scopes + [stop.APPROVALS] * approvals))


def _name(scope: str) -> str:
    return "everything" if scope == "all" else scope.replace(":", " ", 1)


def _facts(row: "PauseRow") -> dict[str, object]:
    return {"scope": row.scope, "since": row.since, "by": row.by, "reason": row.reason}
