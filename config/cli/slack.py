"""`gateway slack ...`: what to paste when the app is made, and where it is installed."""

import os
from typing import Annotated
from urllib.parse import urlsplit

import typer

from config.cli.rows import one_line, over_the_rows
from config.cli.show import as_json, table, when

app = typer.Typer(help="Set up the Slack app.", no_args_is_help=True)

MAX_NAME = 35  # of an app, by Slack


@app.callback()
def _group() -> None:
    """Set up the Slack app."""


@app.command(epilog="Example: gateway slack manifest --url https://gatehouse.example > manifest.json")
def manifest(
    url: Annotated[str, typer.Option(help="Where Slack reaches the gateway.", envvar="PUBLIC_URL")] = "",
    name: Annotated[str, typer.Option(help="What people see the app called.")] = "Gatehouse",
    socket_mode: Annotated[bool, typer.Option("--socket-mode", help="The gateway calls Slack; no address.")] = False,
    many: Annotated[
        bool, typer.Option("--many", help="For many workspaces, by OAuth. So with SLACK__CLIENT_ID.")
    ] = False,
) -> None:
    """Print the app's manifest as JSON: at api.slack.com, Create New App, From a manifest."""
    from adapters.slack.manifest import manifest as made

    with one_line():
        where = urlsplit(url.strip())
        if not socket_mode and (where.scheme != "https" or not where.hostname or where.query or where.fragment):
            what = "is not set" if not url.strip() else f"is {url}"
            raise typer.BadParameter(f"PUBLIC_URL {what}; give --url, such as https://gatehouse.example")
        if not 0 < len(name.strip()) <= MAX_NAME:
            raise typer.BadParameter(f"--name: an app's name in Slack has 1 to {MAX_NAME} characters")
        if many and socket_mode:
            raise typer.BadParameter("--many leads people's browsers back to an address: leave out --socket-mode")
        by_oauth = many or bool(os.environ.get("SLACK__CLIENT_ID"))
        typer.echo(as_json(made(None if socket_mode else url.strip(), name.strip(), many=by_oauth)))


@app.command(epilog="Example: gateway slack workspaces   |   gateway slack workspaces --json")
def workspaces(json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False) -> None:
    """List the workspaces in which the app is installed by OAuth. Shows no tokens; `gateway doctor` tries them."""
    from gateway.installations import listed

    found = over_the_rows(lambda store, settings: listed(store, "slack"))
    if json:
        typer.echo(as_json(found))
    elif found:
        typer.echo(
            table(("WORKSPACE", "NAME", "SINCE"), [(one.account, one.name, when(one.installed_at)) for one in found])
        )
    else:
        typer.echo("the app is installed in no workspace: open /slack/install under PUBLIC_URL")
