"""`gateway people ...`: who is in the directory, whether they can be reached, and their own tokens."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from config.cli.desk import at_the_desk
from config.cli.rows import now, one_line, over_the_rows, said, whoever
from config.cli.show import as_json, table, when

if TYPE_CHECKING:
    from config.desk import Desk
    from config.people import Address, Person
    from gateway.reaching import Reached

app = typer.Typer(help="People: who they are on each channel, and their tokens.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="As in [people.NAME] of gateway.toml.")]
New = Annotated[bool, typer.Option("--new", help="Another one: those before it are void at once.")]
Sent = Annotated[bool, typer.Option("--send", help="Send each person a message to answer, on each of their channels.")]
Wait = Annotated[str, typer.Option("--wait", metavar="TIME", help="For the answers, such as 90s or 10m.")]
All = Annotated[bool, typer.Option("--all", help="Also those who want messages again.")]
OPTOUTS = ("ADDRESS", "CHANNEL", "OUR ACCOUNT", "STATE", "SOURCE", "SINCE")
LOOK_S = 0.5


@app.command("list", epilog="Example: gateway people list   |   gateway people list --json")
def list_all(json: Json = False) -> None:
    """List the people of gateway.toml, and the tools for which each may decide. Needs no database."""
    from config import people, running
    from config.settings import read

    with one_line():
        found = people.listed(running.read_policy(read()))
    if json:
        typer.echo(as_json(found))
    elif found:
        typer.echo(table(("NAME", "SLACK", "SMS", "WHATSAPP", "EMAIL", "MAY DECIDE"), [_line(one) for one in found]))
    else:
        typer.echo("there are no people in gateway.toml")


@app.command(epilog="Example: gateway people check   |   gateway people check --send --wait 120s")
def check(send: Sent = False, wait: Wait = "120s", json: Json = False) -> None:
    """Look whether every person and approver is known to their channel; or ask each person to answer a message.

    Exit code 1 when somebody is unknown, or did not answer.
    """
    if send:
        _send(_time(wait), json)
    else:
        _look(json)


def _look(json: bool) -> None:
    from config import people, running
    from config.settings import read

    with one_line():
        settings = read()
        found = asyncio.run(people.checked(settings, running.read_policy(settings)))
    if json:
        typer.echo(as_json(found))
    elif found:
        typer.echo(table(("WHO", "ADDRESS", "CHECK", "WHY"), [_found(one) for one in found]))
    else:
        typer.echo("gateway.toml names nobody")
    if any(one.found == "unknown" for one in found):
        raise typer.Exit(1)


def _send(wait: timedelta, json: bool) -> None:
    from gateway.reaching import Reaching

    async def ask(desk: "Desk") -> "list[Reached]":
        reaching = Reaching(desk.store, desk.outbox, desk.policy, now)
        until, ids = now() + wait, await reaching.send(desk.channels, wait, by=whoever())
        while True:
            found = await reaching.reached(ids)
            if all(one.answered_at for one in found) or now() >= until:
                return found
            await asyncio.sleep(LOOK_S)

    found = at_the_desk(ask)
    if json:
        typer.echo(as_json(found))
    elif found:
        typer.echo(
            table(("WHO", "ADDRESS", "ANSWERED"), [(one.who, one.address, when(one.answered_at)) for one in found])
        )
    else:
        typer.echo("nobody in gateway.toml has an address to which something can be sent")
    if not all(one.answered_at for one in found):
        raise typer.Exit(1)


@app.command(epilog="Example: gateway people token ana   |   gateway people token ana --new")
def token(name: Name, new: New = False) -> None:
    """Print a person's own token, by which they decide on the command line and through the API. Audited.

    Whoever has it decides as that person. Hand it over in private.
    """

    async def give(desk: "Desk") -> str:
        return await desk.tokens.give(name, new=new, by=whoever())

    typer.echo(at_the_desk(give))


@app.command(epilog="Example: gateway people optouts   |   gateway people optouts --all --json")
def optouts(every: All = False, json: Json = False) -> None:
    """List who wants no messages from which account of ours, the newest first. It prints addresses."""
    from gateway.store import consents

    rows = over_the_rows(lambda store, _: store.read(lambda db: consents.listed(db, every=every)))
    found = [said(row) for row in rows]
    if json:
        typer.echo(as_json(found))
    elif found:
        typer.echo(table(OPTOUTS, [(*list(one.values())[:-1], when(one["at"])) for one in found]))
    else:
        typer.echo("nobody has opted out")


def _line(one: "Person") -> tuple[object, ...]:
    addresses = (one.slack, one.sms, one.whatsapp, one.email)
    return (one.name, *(address or "-" for address in addresses), ", ".join(one.decides) or "nothing")


def _found(one: "Address") -> tuple[object, ...]:
    return (one.who, one.address, one.found, one.why or "-")


def _time(written: str) -> timedelta:
    from gateway.policy import duration

    try:
        return duration(written)
    except ValueError as error:
        raise typer.BadParameter(f"--wait: {error}") from error
