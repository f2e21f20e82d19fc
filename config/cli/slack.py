"""`gateway slack manifest`: what to paste when the app is made."""

from typing import Annotated
from urllib.parse import urlsplit

import typer

from config.cli.rows import one_line
from config.cli.show import as_json

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
        typer.echo(as_json(made(None if socket_mode else url.strip(), name.strip())))
