"""What the commands about approvals and people share: the desk beside the rows, and who is at it."""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from config.cli.rows import over_the_rows
from gateway.errors import GiveUp

if TYPE_CHECKING:
    from config.desk import Desk
    from config.settings import Settings
    from gateway.events import Identity
    from gateway.store import Store

T = TypeVar("T")
VARIABLE = "GATEHOUSE_TOKEN"

Token = Annotated[
    str, typer.Option("--token", envvar=VARIABLE, help="Your own. The variable is not seen in the list of processes.")
]


def at_the_desk(job: "Callable[[Desk], Awaitable[T]]") -> T:
    """Do it with approvals and tokens of this environment. What is wrong with it is one line."""

    async def work(store: "Store", settings: "Settings") -> T:
        from config import desk

        async with desk.opened(settings, store) as opened:
            return await job(opened)

    return over_the_rows(work)


def named(token: str) -> str:
    if not token:
        raise typer.BadParameter(f"a decision needs your own token: set {VARIABLE} to it, or give --token")
    return token


async def bearer(desk: "Desk", token: str) -> "Identity":
    who = await desk.tokens.bearer(token.strip())
    if who is None:
        raise GiveUp(f"{VARIABLE}: it is nobody's token (any more): `gateway people token NAME` prints the one to use")
    return who


def values(written: list[str], option: str) -> dict[str, Any]:
    """`amount=40 order_id=A-1001`: JSON where it is JSON, else text."""
    found = {}
    for one in written:
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{one!r}: write {option} as name=value, such as amount=40")
        found[name] = _value(value)
    return found


def _value(written: str) -> Any:
    try:
        return json.loads(written, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return written


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
