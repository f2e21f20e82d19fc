"""The processes and the set-up: run, web, worker, migrate, demo, agents serve. The operations are in files beside this.

Heavy imports stay inside the commands: `--help` and a wrong setting answer at once.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.cli import agents, approvals, audit, conversations, dead, doctor, people, slack, stop
from config.cli.rows import one_line

if TYPE_CHECKING:
    from config.settings import Settings

app = typer.Typer(
    help="Gatehouse: a messaging gateway for AI agents on Slack and SMS, with human approvals.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command(epilog="Example: gateway run   |   PORT=9000 gateway run")
def run(
    many: Annotated[bool, typer.Option("--many", help="In the sandbox: two workspaces, to be installed.")] = False,
) -> None:
    """Run everything in one process. With no channel configured it brings a sandbox and prints its address."""

    def work(settings: "Settings") -> Coroutine[Any, Any, None]:
        from config import running

        return running.run(settings, many=many)

    _start(work)


@app.command(epilog="Example: PORT=8000 gateway web   (needs DATABASE_URL=postgresql://...)")
def web() -> None:
    """Run the endpoints alone; workers do the work. PostgreSQL only, any number."""

    def work(settings: "Settings") -> Coroutine[Any, Any, None]:
        from config import running

        return running.web(settings)

    _start(work)


@app.command(epilog="Example: gateway worker   (needs DATABASE_URL=postgresql://...)")
def worker() -> None:
    """Run turns, sends and timers. PostgreSQL only, any number."""

    def work(settings: "Settings") -> Coroutine[Any, Any, None]:
        from config import running

        return running.worker(settings)

    _start(work)


@app.command(epilog="Example: DATABASE_URL=postgres://user:password@host/name gateway migrate")
def migrate() -> None:
    """Bring the database to this release's schema. Safe to run again."""
    from config import schema
    from config.settings import read
    from gateway.store import database_url
    from gateway.work.local import only_engine, sqlite_path

    with one_line():
        settings = read()
        path = sqlite_path(database_url(settings.database_url))
        if path is None:
            revision = schema.migrate(settings.database_direct_url or settings.database_url)
        else:
            with only_engine(path):
                revision = schema.migrate(settings.database_direct_url or settings.database_url)
        typer.echo(f"the database is at revision {revision}")


@app.command(epilog="Example: gateway demo")
def demo() -> None:
    """Play the main story in a sandbox of its own: a text, a card in Slack, a click, the reply; then a denial."""
    from config import demo as story

    with one_line():
        raise typer.Exit(asyncio.run(story.play()))


@agents.app.command(epilog="Example: gateway agents serve --port 8765   |   gateway agents serve drafts/agents")
def serve(
    folder: agents.Folder = None,
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8765,
) -> None:
    """Run the embedded agent server alone, on loopback. Point AGENT__URL at http://127.0.0.1:PORT/v1."""

    def work(settings: "Settings") -> Coroutine[Any, Any, None]:
        from config import running

        return running.serve_agents(settings, port, folder or running.AGENTS)

    _start(work)


app.command(epilog="Example: gateway doctor   |   gateway doctor --json")(doctor.doctor)
app.command(epilog='Example: gateway pause --channel sms --reason "Twilio incident"   |   gateway pause --list')(
    stop.pause
)
app.command(epilog="Example: gateway resume   |   gateway resume --channel sms")(stop.resume)
app.add_typer(approvals.app, name="approvals")
app.add_typer(conversations.app, name="conversations")
app.add_typer(people.app, name="people")
app.add_typer(dead.app, name="dead")
app.add_typer(agents.app, name="agents")
app.add_typer(audit.app, name="audit")
app.add_typer(slack.app, name="slack")


def _start(work: "Callable[[Settings], Coroutine[Any, Any, None]]") -> None:
    """Settings first: a wrong one is told before the heavy imports."""
    from config import logs, stopping
    from config.settings import read

    with one_line():
        settings = read()
        logs.set_up(settings.log_level, settings.log_format)
        asyncio.run(work(settings))
    stopping.leave()


def main() -> None:
    app(prog_name="gateway")
