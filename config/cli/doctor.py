"""`gateway doctor`: prints what `config/doctor.py` finds."""

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from config.cli.show import as_json, visible

if TYPE_CHECKING:
    from gateway.ports import Finding

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]


def doctor(json: Json = False) -> None:
    """Look whether everything the gateway needs is there: one line each. Changes nothing, prints no secret.

    Exit code 1 when a line says "not ok". A line that says "look" is worth a look and no failure.
    """
    from config import doctor as checks

    found = asyncio.run(checks.examine())
    typer.echo(as_json([asdict(one) for one in found]) if json else "\n".join(line(one) for one in found))
    if not all(one.ok for one in found):
        raise typer.Exit(1)


def line(one: "Finding") -> str:
    mark = "not ok" if not one.ok else "look" if one.advice else "ok"
    return visible(f"{mark:7} {one.what}" + (f" -> {one.advice}" if one.advice else ""))
