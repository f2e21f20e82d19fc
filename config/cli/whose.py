"""What erasing and exporting share: whose conversations, and the agent platform beside whatever runs."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.errors import GiveUp

if TYPE_CHECKING:
    from adapters.agent.client import AgentClient
    from adapters.agent.server.beside import Beside
    from config.settings import Settings
    from gateway.erasing import Belongings
    from gateway.store import Store

Person = Annotated[
    str,
    typer.Option("--person", metavar="PERSON", help="All of theirs: sms:+15550001111, slack:T0TEAM/U0ANA, or a name."),
]


async def channels(store: "Store", ids: Sequence[int]) -> dict[int, str]:
    """Of these conversations. Raises `GiveUp` for one that is not there."""
    from gateway.store import fate

    found = {}
    for one in ids:
        outline = await store.read(lambda db, one=one: fate.outline(db, one))  # type: ignore[misc]
        if outline is None:
            raise GiveUp(f"there is no conversation {one}: see `gateway conversations list`")
        found[one] = outline.row.channel
    return found


async def belongings(store: "Store", settings: "Settings", person: str) -> "list[Belongings]":
    """What a person wrote, by address."""
    from gateway import erasing

    who = _addresses(settings, person)
    return [await store.survey(lambda db, one=one: erasing.of_person(db, *one)) for one in who]  # type: ignore[misc]


def _addresses(settings: "Settings", person: str) -> list[tuple[str, str]]:
    """A person of the policy may have several."""
    from gateway.policy import CHANNELS
    from gateway.policy.words import known_as

    channel, colon, address = person.partition(":")
    if colon:
        channel, address = known_as(channel, address)
        if channel not in CHANNELS or not address.rpartition("/")[2]:
            forms = "sms:+15550001111, whatsapp:+15550001111 or slack:T0TEAM/U0ANA"
            raise typer.BadParameter(f"{person!r} is no address: write {forms}")
        return [(channel, address)]
    from config.running import read_policy

    people = read_policy(settings).people
    if person not in people:
        there = f"there are: {', '.join(sorted(people))}" if people else "there is none"
        raise typer.BadParameter(f"{person!r} is none of [people] in {settings.gateway_config} ({there})")
    return list(people[person].addresses())


@contextlib.asynccontextmanager
async def platform(settings: "Settings") -> "AsyncIterator[AgentClient | Beside]":
    """The platform the environment names; else the rows of the embedded server, which may run."""
    from adapters.agent.client import AgentClient
    from adapters.agent.server.beside import Beside

    where, key = settings.agent_platform(), settings.agent.api_key
    made: AgentClient | Beside
    if where is None:
        made = Beside(settings.embedded_database_url, key.get_secret_value() if key else "")
    else:
        made = AgentClient(where)
    async with contextlib.aclosing(made):
        yield made
