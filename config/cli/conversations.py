"""`gateway conversations ...`: the fate of every message in order, the stop of a turn, and a person who takes over."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from config.cli import erase, export
from config.cli.rows import now, over_the_rows, said, whoever
from config.cli.show import as_json, table, visible, when
from gateway.errors import GiveUp

if TYPE_CHECKING:
    from gateway.fate import Conversation, Step
    from gateway.ports import Engine
    from gateway.store import Store
    from gateway.store.texting import ConsentRow

app = typer.Typer(help="Conversations: what became of every message. Without anybody's words.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="At most so many.")]
Id = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**62, help="As `conversations list` shows it.")]


@app.command("list", epilog="Example: gateway conversations list --limit 20   |   gateway conversations list --json")
def list_newest(limit: Limit = 50, json: Json = False) -> None:
    """List them, the newest turns first."""
    from gateway import fate

    found = over_the_rows(lambda store, _: store.read(lambda db: fate.conversations(db, limit=limit)))
    if json:
        typer.echo(as_json(found))
    elif found:
        head = ("ID", "CHANNEL", "ACCOUNT", "THREAD", "AGENT", "STATE", "WAITING", "DEAD", "LAST")
        typer.echo(table(head, [_line(one) for one in found]))
    else:
        typer.echo("there are no conversations yet")


@app.command(epilog="Example: gateway conversations show 3   |   gateway conversations show 3 --json")
def show(conversation: Id, json: Json = False) -> None:
    """Show every event, turn, request and message of a conversation by time."""
    from gateway import fate
    from gateway.store import consents

    async def look(store: "Store") -> "tuple[Conversation, list[Step], list[ConsentRow]]":
        found = await store.read(lambda db: fate.of(db, conversation))
        if found is None:
            raise _unknown(conversation)
        one = found[0]
        return *found, await store.read(lambda db: consents.beside(db, one.channel, one.thread))

    one, steps, wanted = over_the_rows(lambda store, _: look(store))
    if json:
        typer.echo(as_json({"conversation": one, "steps": steps, "consents": [said(row) for row in wanted]}))
        return
    session = one.session or "none"
    typer.echo(visible(f"conversation {one.id}: {one.channel}, {one.account} with {one.thread}"))
    typer.echo(visible(f"agent {one.agent}, session {session}, {one.state}, {one.waiting} waiting, {one.dead} dead"))
    for row in wanted:
        wants = "wants no messages from" if row.state == "out" else "wants messages again from"
        typer.echo(visible(f"{row.address} {wants} {row.account}, since {when(row.at)} ({row.source})"))
    if steps:
        typer.echo("\n" + table(("AT", "WHAT", "ID", "KIND", "STATUS", "TRIES", "MORE"), map(_step, steps)))


@app.command(epilog="Example: gateway conversations interrupt 3")
def interrupt(conversation: Id) -> None:
    """Stop the turn that runs. Nothing is said to the customer; the next message follows. Twice is safe."""
    over_the_rows(lambda store, _: _interrupt(store, conversation))


app.command(
    epilog="Example: gateway conversations erase 3   |   gateway conversations erase --person sms:+15550001111 --yes"
)(erase.erase)
app.command(
    epilog="Example: gateway conversations export 3   |   "
    "gateway conversations export --person sms:+15550001111 --format html --output alice.html"
)(export.export)


@app.command(epilog="Example: gateway conversations take 3")
def take(conversation: Id) -> None:
    """Take a conversation over from the agent. What the customer writes is kept until `release`. Twice is safe.

    The customer is told at their next message that a person looks after them. A turn that runs is stopped, as
    `interrupt` does; one that goes on after a decision ends as a draft for operations.
    """
    taken = over_the_rows(lambda store, _: _take(store, conversation))
    typer.echo(f"conversation {conversation} is with a person {'now' if taken else 'already'}")


@app.command(epilog="Example: gateway conversations release 3")
def release(conversation: Id) -> None:
    """Give a conversation back to the agent. What was kept goes to it, in order. Twice is safe."""
    released = over_the_rows(lambda store, _: _release(store, conversation))
    typer.echo(f"conversation {conversation} is with the agent {'again' if released else 'already'}")


async def _take(store: "Store", conversation: int) -> bool:
    from gateway import handoff

    await _there_is(store, conversation)
    engine = _engine_of(store)
    return await store.write(lambda tx: handoff.take(tx, engine, conversation, by=whoever(), now=now()))


async def _release(store: "Store", conversation: int) -> bool:
    from gateway import handoff

    await _there_is(store, conversation)
    return await store.write(lambda tx: handoff.release(tx, conversation, by=whoever(), now=now()))


async def _interrupt(store: "Store", conversation: int) -> None:
    from gateway import stop

    await _there_is(store, conversation)
    engine = _engine_of(store)
    stopped = await store.write(lambda tx: stop.interrupt(tx, engine, conversation, by=whoever(), now=now()))
    if not stopped:
        typer.echo(f"no turn of conversation {conversation} runs")
    elif store.on_sqlite:
        typer.echo("the turn that runs is fenced off: its reply will be dropped. On SQLite another process cannot")
        typer.echo("cut it short, so the next message follows when the agent has ended it")
    else:
        typer.echo("the turn that ran is stopped")


async def _there_is(store: "Store", conversation: int) -> None:
    from gateway.store import fate

    if await store.read(lambda db: fate.outline(db, conversation)) is None:
        raise _unknown(conversation)


def _engine_of(store: "Store") -> "Engine":
    """Runs nothing here. On PostgreSQL a stop and a wake-up reach the worker; on SQLite nothing can."""
    from gateway.work.local import LocalEngine
    from gateway.work.postgres import PostgresEngine

    return LocalEngine() if store.on_sqlite else PostgresEngine(store.url)


def _unknown(conversation: int) -> GiveUp:
    return GiveUp(f"there is no conversation {conversation}: see `gateway conversations list`")


def _line(one: "Conversation") -> tuple[object, ...]:
    where = (one.channel, one.account, one.thread)
    return (one.id, *where, one.agent, one.state, one.waiting, one.dead, when(one.last_at))


def _step(step: "Step") -> tuple[object, ...]:
    from gateway.fate import Asked, Came, Ran, Went

    told: tuple[object, ...]
    match step:
        case Came():
            told = (step.id, step.kind, step.status, step.tries)
            more = [f"seq {step.seq}", _at("handled", step.handled), _at("next try", step.next_try)]
        case Ran():
            took = f"{(step.ended - step.at).total_seconds():.1f} s" if step.ended else ""
            told = (f"turn-{step.id}", f"for {step.event}", step.state, step.tries)
            more = [took, f"session {step.session}"]
        case Asked():
            told = (step.id, step.tool, step.state, "")
            more = [f"of turn-{step.turn}", f"by {step.by}" if step.by else "", _at("decided", step.decided)]
            more += ["applied" if step.applied else ""]
        case Went():
            told = (step.id, step.kind, step.status, step.tries)
            more = [step.channel, _at("sent", step.sent), _at("next try", step.next_try), step.receipt]
        case _:
            assert_never(step)
    return (when(step.at), step.what, *told, ", ".join(filter(None, [*more, step.why])))


def _at(what: str, moment: datetime | None) -> str:
    return f"{what} {when(moment)}" if moment else ""
