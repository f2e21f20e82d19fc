"""Who and what exists in the sandbox: two workspaces, four people, three phone numbers. Constants only.

The second workspace is a twin: other people under the very same ids, so that whoever takes one for the other is found.
"""

from dataclasses import dataclass

TEAM = "T0SANDBOX"
TEAM_NAME = "Sandbox"
TEAM_DOMAIN = "sandbox"
SECOND = "T0SECOND"
TEAMS = {TEAM: TEAM_NAME, SECOND: "Second"}
APP = "A0SANDBOX"
BOT = "B0BOT"

OPS = "C0OPS"
ANA = "U0ANA"
MAX = "U0MAX"
BOT_USER = "U0BOT"

WHATSAPP = "whatsapp:"  # before a number there
OUR_NUMBER = "+15550000000"
ALICE = "+15550001111"
BOB = "+15550002222"

CUSTOMERS = {ALICE: "Alice", BOB: "Bob"}


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    username: str
    name: str
    note: str = ""
    is_bot: bool = False


PEOPLE = {
    ANA: Person(ANA, "ana", "Ana", "approver"),
    MAX: Person(MAX, "max", "Max", "not an approver"),
    BOT_USER: Person(BOT_USER, "gatehouse", "Gatehouse", is_bot=True),
}
STAFF = {id: person for id, person in PEOPLE.items() if not person.is_bot}

GROUPS = {"S0LEADS": [ANA]}


@dataclass(frozen=True, slots=True)
class Channel:
    id: str
    name: str
    members: tuple[str, ...]
    is_im: bool = False


def dm_of(user: str) -> str:
    """The id of the direct messages between `user` and the app."""
    return f"D0{user}"


CHANNELS = {OPS: Channel(OPS, "ops", (ANA, MAX, BOT_USER))} | {
    dm_of(user): Channel(dm_of(user), "directmessage", (user, BOT_USER), is_im=True) for user in STAFF
}
