"""`gateway dead ...`: what was set aside, to be read, taken up again or dropped."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.cli.desk import at_the_desk
from config.cli.rows import now, over_the_rows, whoever
from config.cli.show import as_json, columns, table, visible, when
from gateway.errors import GiveUp

if TYPE_CHECKING:
    from config.desk import Desk
    from gateway.dead import DeadLetter, LetterId
    from gateway.store import Store

app = typer.Typer(
    help="Dead letters: events (in-12) and messages (out-34) that were set aside for good.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Letter = Annotated[str, typer.Argument(metavar="ID", help="Such as in-12 or out-34.")]
Letters = Annotated[list[str], typer.Argument(metavar="ID", help="Such as in-12 or out-34.")]
Some = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Such as in-12 or out-34.")]
All = Annotated[bool, typer.Option("--all", help="All that can be taken up again.")]


@app.command("list", epilog="Example: gateway dead list   |   gateway dead list --json")
def list_all(json: Json = False) -> None:
    """List them without their words: events first, each kind oldest first."""
    from gateway import dead

    found = over_the_rows(lambda store, _: store.read(dead.letters))
    if json:
        typer.echo(as_json(found))
    elif found:
        head = ("ID", "WHEN", "CHANNEL", "KIND", "CONVERSATION", "TRIES", "WHY")
        typer.echo(table(head, [[value for _, value in _facts(one)] for one in found]))
    else:
        typer.echo("there are no dead letters")


@app.command(epilog="Example: gateway dead show in-12")
def show(letter: Letter) -> None:
    """Show one with the words it holds: the one command that prints what people wrote."""
    from gateway import dead

    (one,) = _read([letter])
    found, words = over_the_rows(lambda store, _: store.read(lambda db: dead.show(db, one)))
    typer.echo(columns(_facts(found)))
    typer.echo("\n" + visible(words, keep="\n\t"))


@app.command(epilog="Example: gateway dead replay in-12 out-34   |   gateway dead replay --all")
def replay(letters: Some = None, every: All = False) -> None:
    """Take them up again: an event at the end of its conversation, a message at its place in the outbox.

    Decisions and other events of the gateway's own cannot be: their session went on without them. Neither can a
    message to somebody who wants none (`gateway people optouts`).
    """
    from gateway import dead

    if bool(letters) == every:
        raise typer.BadParameter("name the letters, or say --all")
    named = _read(letters or [])

    async def work(desk: "Desk") -> int:
        async def again(letter: "LetterId") -> str:
            how: dict[str, Any] = {"who": whoever(), "now": now(), "wanted": desk.outbox.consents}
            new = await desk.store.write(lambda tx: dead.replay(tx, letter, **how))
            return f"{letter} is queued again" if new == letter else f"{letter} goes on as {new}"

        return await _each(desk.store, named, again)

    if at_the_desk(work) and named:
        raise typer.Exit(1)


@app.command(epilog="Example: gateway dead drop in-12")
def drop(letters: Letters) -> None:
    """Let them rest: they are listed no more, and stay in the database."""
    from gateway import dead

    named = _read(letters)

    async def work(store: "Store") -> int:
        async def rest(letter: "LetterId") -> str:
            await store.write(lambda tx: dead.drop(tx, letter, who=whoever(), now=now()))
            return f"{letter} is dropped"

        return await _each(store, named, rest)

    if over_the_rows(lambda store, _: work(store)):
        raise typer.Exit(1)


async def _each(store: "Store", named: "list[LetterId]", do: "Callable[[LetterId], Awaitable[str]]") -> int:
    """One after the other, each by itself: how many could not be. None named: all there are."""
    from gateway import dead

    letters = named or _read([one.id for one in await store.read(dead.letters)])
    if not letters:
        typer.echo("there are no dead letters")
    failed = 0
    for letter in letters:
        try:
            typer.echo(await do(letter))
        except GiveUp as error:
            typer.echo(f"gateway: {error}", err=True)
            failed += 1
    return failed


def _read(written: list[str]) -> "list[LetterId]":
    from gateway import dead

    try:
        return [dead.read_id(one) for one in dict.fromkeys(written)]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _facts(one: "DeadLetter") -> list[tuple[str, object]]:
    return [
        ("id", one.id),
        ("when", when(one.at)),
        ("channel", one.channel),
        ("kind", one.kind),
        ("conversation", one.conversation or "-"),
        ("tries", one.tries),
        ("why", one.why),
    ]
