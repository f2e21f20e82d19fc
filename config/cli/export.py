"""`gateway conversations export`: all that is kept of a conversation, or of a person, to be handed over."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.cli import whose
from config.cli.rows import hand_over, now, over_the_rows
from config.cli.show import as_json, visible
from config.cli.whose import Person

if TYPE_CHECKING:
    from config.settings import Settings
    from gateway.store import Store


class Format(StrEnum):
    JSON = "json"
    HTML = "html"


Id = Annotated[int | None, typer.Argument(metavar="ID", min=1, max=2**62, help="As `conversations list` shows it.")]
As = Annotated[Format, typer.Option("--format", help="json, or a page to read and print.")]
Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Instead of the terminal; for you alone.")
]

LEFT_OUT = (
    ("attachments", "their names alone: the bytes stay at the carrier"),
    ("carriers", "what Twilio and Slack keep themselves"),
    ("audit", "`gateway audit export` has the rows about one request; they hold pseudonyms"),
    ("agent platform", "what its tools, knowledge and logs keep outside of a session's messages"),
    ("colleagues", "their addresses; they stand here by name"),
    ("backups", "whatever was erased or purged since"),
)


def export(conversation: Id = None, person: Person = "", form: As = Format.JSON, output: Output = None) -> None:
    """Write all that is kept of one conversation, or of a person: messages, requests, turns, the agent's history.

    It holds what people wrote; of a thread with several people, all of them. Exit code 1 when the agent platform did
    not tell all: the file is written all the same, and says what is missing.
    """
    if (conversation is None) == (not person):
        raise typer.BadParameter("name one conversation, or a person with --person")
    found = over_the_rows(lambda store, settings: _all(store, settings, conversation, person))
    hand_over(output, _page(found) if form is Format.HTML else as_json(found) + "\n")
    for one in found["not_reached"]:
        typer.echo(visible(f"gateway: session {one['session']} was not read: {one['why']}"), err=True)
    if found["not_reached"]:
        raise typer.Exit(1)


async def _all(store: "Store", settings: "Settings", conversation: int | None, person: str) -> dict[str, Any]:
    from dataclasses import asdict

    from gateway import exporting

    ids, elsewhere, theirs = await _whose(store, settings, conversation, person)
    told = [one for id in ids if (one := await exporting.conversation(store, id)) is not None]
    async with whose.platform(settings) as platform:
        names = [name for one in told for name in one["sessions"]]
        sessions = {one.id: asdict(one) for one in await exporting.sessions(platform.attach, names)}
    for one in told:
        one["sessions"] = [sessions[name] for name in one["sessions"]]
    missing = [one for one in sessions.values() if one["state"] == "not reached"]
    return {
        "export_of": person or f"conversation {conversation}",
        "exported_at": now(),
        "conversations": told,
        "elsewhere": elsewhere,
        "consents": await exporting.wanted(store, [*theirs, *((one["channel"], one["thread"]) for one in told)]),
        "not_reached": [{"session": one["id"], "why": one["why"]} for one in missing],
        "left_out": dict(LEFT_OUT),
    }


async def _whose(
    store: "Store", settings: "Settings", conversation: int | None, person: str
) -> tuple[list[int], list[dict[str, Any]], list[tuple[str, str]]]:
    """Which conversations, what else is theirs, and by which addresses."""
    from gateway import erasing, exporting

    if conversation is not None:
        ids = list(await whose.channels(store, [conversation]))
        found = [await store.survey(lambda db: erasing.beside(db, conversation))]
    else:
        found = await whose.belongings(store, settings, person)
        ids = sorted({id for one in found for id in one.conversations})
    unrouted = [id for one in found for id in one.unrouted]
    answers = [id for one in found for id in one.answers]
    theirs = [(one.channel, one.address) for one in found]
    return ids, await exporting.elsewhere(store, unrouted, answers), theirs


def _page(found: dict[str, Any]) -> str:
    from config.cli import conversation_page

    return conversation_page.page(found)
