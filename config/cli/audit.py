"""`gateway audit ...`: is the chain whole, and what happened, for people outside."""

import contextlib
import csv
import io
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.cli.rows import hand_over, now, one_line, over_the_rows
from config.cli.show import as_json, visible
from gateway.errors import GiveUp

if TYPE_CHECKING:
    from gateway.proving import Verified
    from gateway.store import Store
    from gateway.verifying import Head

app = typer.Typer(help="The audit: a chain of what happened. Verified, and exported as evidence.", no_args_is_help=True)
LONG = timedelta(minutes=1)  # for a row that waits for its seal
SUSPECT = "; nothing seals (`gateway doctor`), or somebody removed seals, or put in rows"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of one


class Format(StrEnum):
    JSON = "json"
    HTML = "html"
    CSV = "csv"


Heads = Annotated[
    list[str] | None, typer.Option("--head", metavar="N:HASH", help="As the alert channel has it; may be given again.")
]
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Approval = Annotated[str | None, typer.Argument(metavar="[APPROVAL]", help="The id of one request.")]
From = Annotated[
    datetime | None, typer.Option("--from", metavar="DATE", formats=["%Y-%m-%d"], help="The first day, in UTC.")
]
To = Annotated[
    datetime | None, typer.Option("--to", metavar="DATE", formats=["%Y-%m-%d"], help="The last day, in UTC.")
]
Tool = Annotated[str | None, typer.Option("--tool", help="Decisions on this tool alone.")]
As = Annotated[Format | None, typer.Option("--format", help="One request: json or html. A time: csv or json.")]
Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Instead of the terminal; for you alone.")
]


@app.command(epilog="Example: gateway audit verify   |   gateway audit verify --head 1204:9f86d081... --json")
def verify(head: Heads = None, json: Json = False) -> None:
    """Follow the whole chain and name the first link that does not hold. Changes nothing.

    Exit code 0: it is whole. 1: it is broken. Rows of the last second may wait for their seal; they are counted.
    """
    from gateway import proving

    given = [_head(one) for one in head or []]
    with _progress() as tell:
        found = over_the_rows(lambda store, _: proving.verify(store, given, tell=tell))
    typer.echo(as_json(found) if json else _said(found))
    if not found.whole:
        raise typer.Exit(1)


@app.command(
    epilog="Example: gateway audit export 6_dzO0fyn8merXBkoasfG05W --format html --output case.html   |   "
    "gateway audit export --from 2026-11-01 --to 2026-11-30 --tool issue_refund"
)
def export(
    approval: Approval = None,
    since: From = None,
    until: To = None,
    tool: Tool = None,
    form: As = None,
    output: Output = None,
) -> None:
    """Write one request with all that belongs to it, or all decisions of a time. It holds what people wrote."""
    if (approval is None) == (since is None or until is None):
        raise typer.BadParameter("name one request, or a time: --from 2026-11-01 --to 2026-11-30")
    if approval is not None:
        if since or until or tool:
            raise typer.BadParameter("--from, --to and --tool do not go with one request")
        hand_over(output, _case(approval, _one_of(form, Format.JSON, Format.HTML)))
        return
    assert since is not None
    assert until is not None
    if until < since:
        raise typer.BadParameter("--to is before --from")
    if until.date() == date.max:
        raise typer.BadParameter("--to: there is no day after it")
    form = _one_of(form, Format.CSV, Format.JSON)
    found = _decisions(since.replace(tzinfo=UTC), until.replace(tzinfo=UTC) + timedelta(days=1), tool)
    hand_over(output, _csv(found) if form is Format.CSV else as_json(found) + "\n")


# --- verified ------------------------------------------------------------------------------------------------


def _head(written: str) -> "Head":
    from gateway.verifying import Head

    found = re.fullmatch(r"([1-9][0-9]{0,17}):([0-9a-f]{64})", written.strip())
    if found is None:
        raise typer.BadParameter(f"{written!r} is no head: write it as 1204:HASH, with all 64 characters of the hash")
    return Head(int(found[1]), found[2])


def _said(found: "Verified") -> str:
    if found.broken is None:
        lines = [f"whole: {found.links} links hold; head {found.links} {found.head}"]
    else:
        lines = [f"broken at place {found.broken.n}: {found.broken.what}: {found.broken.says}"]
        lines += [f"{found.links} links before it hold"]
    lines += [f"compared with {found.heads} posted head{'s' * (found.heads != 1)}"]
    return "\n".join([*lines, *_tail(found)])


def _tail(found: "Verified") -> Iterator[str]:
    if found.oldest_unsealed is not None:
        age = max(now() - found.oldest_unsealed, timedelta())
        waits = f"not sealed yet: {found.unsealed}, the oldest for {age.total_seconds():.0f} s"
        yield waits + (SUSPECT if age > LONG else "")
    elif found.unsealed:
        yield f"not sealed yet: {found.unsealed}; since when cannot be read"


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """How far it is, where somebody watches."""
    watched = sys.stderr.isatty()

    def tell(links: int) -> None:
        if watched:
            typer.echo(f"\r{links} links", err=True, nl=False)

    yield tell
    if watched:
        typer.echo("\r", err=True, nl=False)


# --- exported ------------------------------------------------------------------------------------------------


def _one_of(form: Format | None, first: Format, other: Format) -> Format:
    if form not in (None, first, other):
        raise typer.BadParameter(f"--format is {first} or {other} here")
    return form or first


def _case(approval: str, form: Format) -> str:
    from config.cli import case_page
    from gateway import cases

    found = over_the_rows(lambda store, _: cases.case(store, approval, now()))
    if found is None:
        with one_line():
            raise GiveUp(
                f"there is no request {approval!r}: `gateway conversations show` lists those of a conversation"
            )
    return case_page.page(found) if form is Format.HTML else as_json(found) + "\n"


def _decisions(since: datetime, until: datetime, tool: str | None) -> list[dict[str, Any]]:
    from gateway import cases

    async def all_of(store: "Store") -> list[dict[str, Any]]:
        return [row async for row in cases.decisions(store, since, until, tool)]

    return over_the_rows(lambda store, _: all_of(store))


def _csv(rows: list[dict[str, Any]]) -> str:
    from gateway.cases import DECISION

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*DECISION, "votes"])
    table.writerows([[_harmless(cell) for cell in row.values()] for row in rows])
    return text.getvalue()


def _harmless(cell: object) -> str:
    """What a spreadsheet would take for a formula is text, and what hides in it is spelled out."""
    written = "" if cell is None else cell.isoformat() if isinstance(cell, datetime) else str(cell)
    shown = visible(written, keep="\n\t")
    return f"'{shown}" if written.lstrip().startswith(FORMULA) or written.startswith(FORMULA) else shown
