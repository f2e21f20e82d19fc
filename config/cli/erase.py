"""`gateway conversations erase`: a conversation's words and addresses, or all of a person's, ours and the agent's."""

import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from config.cli import whose
from config.cli.rows import now, over_the_rows, whoever
from config.cli.show import as_json, columns, visible
from config.cli.whose import Person

if TYPE_CHECKING:
    from config.settings import Settings
    from gateway.erasing import Belongings, Erased, Erasing, Session
    from gateway.store import Store

Ids = Annotated[
    list[int] | None, typer.Argument(metavar="ID", min=1, max=2**62, help="As `conversations list` shows them.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="What was erased and what remains, for scripts.")]

CARRIERS = {
    "sms": ("Twilio", "the texts themselves: delete them there, or let its own retention do it"),
    "slack": ("Slack", "the messages themselves: delete them there; cards of requests are emptied by the gateway"),
}
ALWAYS = (
    ("audit", "what was done and when, with digests and pseudonyms; ids that Slack and Twilio gave to messages"),
    ("policy", "addresses of your own people, in gateway.toml and its kept versions"),
    ("exports", "files that were made with `gateway conversations export`"),
    ("backups", "whatever was backed up before: erase again after one is restored"),
    ("opt-outs", "the number that wants no messages: without it, it would be texted again"),
    ("logs", "ids, no words"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be erased: conversations with their channels, and a person's events that no route took."""

    conversations: dict[int, str]
    elsewhere: "tuple[Belongings, ...]" = ()  # in no conversation, by address
    unreached: tuple[int, ...] = ()  # erased before, and the agent platform did not answer then

    @property
    def is_empty(self) -> bool:
        return not self.conversations and not any(one.unrouted or one.answers for one in self.elsewhere)


def erase(conversations: Ids = None, person: Person = "", yes: Yes = False, json: Json = False) -> None:
    """Erase what was said in conversations, here and at the agent platform, and who said it. It cannot be undone.

    What runs in them is stopped, open requests are withdrawn. Prints what was erased, and what remains where. Exit
    code 1 when the agent platform did not answer: the same command again asks it for what is left.
    """
    if bool(conversations) == bool(person):
        raise typer.BadParameter("name the conversations, or a person with --person")
    if not yes and not sys.stdin.isatty():
        raise typer.BadParameter("this is no terminal, so nobody can be asked: say --yes to erase")
    ids = list(dict.fromkeys(conversations or []))
    target = over_the_rows(lambda store, settings: _target(store, settings, ids, person))
    if not yes and not target.is_empty:
        typer.confirm(f"Erase {_named(target)}? It cannot be undone", abort=True, err=True)
    erased, sessions = over_the_rows(lambda store, settings: _erase(store, settings, target))
    _report(erased, sessions, target, json)
    if any(one.state == "unreached" for one in sessions):
        raise typer.Exit(1)


# --- what ----------------------------------------------------------------------------------------------------


async def _target(store: "Store", settings: "Settings", ids: list[int], person: str) -> Target:
    from gateway.store import erasing as rows

    if not person:
        return Target(await whose.channels(store, ids))
    found = await whose.belongings(store, settings, person)
    theirs = sorted({one for belongings in found for one in belongings.conversations})
    # By now nobody can tell whose they were: whoever erases for a person asks for all that was left unanswered.
    unreached = tuple(sorted(await store.read(rows.unreached)))
    return Target(await whose.channels(store, theirs), tuple(found), unreached)


def _named(target: Target) -> str:
    conversations = ", ".join(map(str, target.conversations))
    unrouted = sum(len(one.unrouted) for one in target.elsewhere)
    said = [f"conversation{'s' * (len(target.conversations) > 1)} {conversations}"] * bool(conversations)
    return " and ".join(said + [f"{unrouted} message{'s' * (unrouted > 1)} in no conversation"] * bool(unrouted))


# --- erased --------------------------------------------------------------------------------------------------


async def _erase(store: "Store", settings: "Settings", target: Target) -> "tuple[Erased, list[Session]]":
    from gateway.erasing import Erased

    erased = Erased()
    async with _erasing(store, settings) as erasing, whose.platform(settings) as platform:
        for one in target.conversations:
            erased += await erasing.conversation(one, by=whoever())
        for belongings in target.elsewhere:
            erased += await erasing.unrouted(belongings, by=whoever())
        sessions = await erasing.sessions(platform.erase, [*target.conversations, *target.unreached])
    return erased + Erased(sessions=sum(one.state == "erased" for one in sessions)), sessions


@contextlib.asynccontextmanager
async def _erasing(store: "Store", settings: "Settings") -> "AsyncIterator[Erasing]":
    """Runs nothing: what it queues and wakes is found by whatever runs."""
    from config import boxed, wiring
    from config.desk import NOWHERE
    from gateway.approvals import Approvals
    from gateway.erasing import Erasing
    from gateway.outbox import Outbox
    from gateway.policy import Policy
    from gateway.words import Words
    from gateway.work.local import LocalEngine
    from gateway.work.postgres import PostgresEngine

    engine = LocalEngine() if store.on_sqlite else PostgresEngine(store.url)
    # Without a channel the sandbox is the world: its channels say here how a request is shown, and send nothing.
    world = None if settings.has_channel else boxed.settings(NOWHERE, NOWHERE, Path())
    channels = wiring.build_channels(settings, world, public_url=lambda: settings.public_url, clock=now)
    try:
        outbox = Outbox(store, engine, channels, now, alerts=())
        # Withdrawing asks no policy.
        approvals = Approvals(store, engine, outbox, Policy(), now, Words(), channels=channels)
        yield Erasing(store, engine, approvals, now)
    finally:
        for channel in channels.values():
            await channel.aclose()


# --- told ----------------------------------------------------------------------------------------------------


def _report(erased: "Erased", sessions: "list[Session]", target: Target, json: bool) -> None:
    told = _remains(sessions, target)
    if json:
        typer.echo(as_json({"erased": erased, "sessions": sessions, "remains": dict(told)}))
        return
    if target.is_empty and not sessions:
        typer.echo("nothing of this person is kept: there is nothing to erase")
        return
    counts = [(one.name.replace("_", " "), getattr(erased, one.name)) for one in fields(erased)]
    typer.echo(columns([("ERASED", "COUNT"), *(_line(name, count) for name, count in counts)]))
    typer.echo("\n" + columns([("REMAINS AT", "WHAT"), *told]))
    for one in sessions:
        if one.state == "unreached":
            typer.echo(visible(f"gateway: session {one.id} of conversation {one.conversation}: {one.why}"), err=True)
    if again := sorted({one.conversation for one in sessions if one.state == "unreached"}):
        command = f"gateway conversations erase {' '.join(map(str, again))}"
        typer.echo(f"gateway: ours is erased, the agent's is not yet: run `{command}` again", err=True)


def _line(name: str, count: int) -> tuple[str, int]:
    return ("sessions at the agent" if name == "sessions" else name, count)


def _remains(sessions: "list[Session]", target: Target) -> list[tuple[str, str]]:
    told = []
    if kept := [one.id for one in sessions if one.state == "remains"]:
        told.append(("agent platform", f"it offers no deletion: ask whoever runs it to delete {', '.join(kept)}"))
    if left := [one.id for one in sessions if one.state == "unreached"]:
        told.append(("agent platform, not reached", f"{', '.join(left)}: run the command again"))
    channels = set(target.conversations.values())
    return told + [CARRIERS[one] for one in sorted(channels & CARRIERS.keys())] + list(ALWAYS)
