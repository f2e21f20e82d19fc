"""`gateway approvals explain`: the policy read aloud for one call. Needs no database."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.cli.desk import values
from config.cli.rows import one_line
from config.cli.show import as_json, columns

if TYPE_CHECKING:
    from gateway.policy import Policy
    from gateway.policy.explaining import Explanation

Tool = Annotated[str, typer.Argument(metavar="TOOL", help="Such as issue_refund.")]
Arguments = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="What it is called with. JSON, or else text.")
]
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]

SAYS = {"ask": "people are asked", "approve": "approved by the policy itself", "deny": "denied by the policy itself"}
UNANSWERED = {
    "deny": "it ends, and the agent is told that nobody decided",
    "hold": "it stays open, for at most 7d in all",
    "handoff": "it ends, and the conversation waits for a person",
}


def explain(tool: Tool, arguments: Arguments = None, json: Json = False) -> None:
    """Say which rule of gateway.toml a call meets: whom it is shown, who may decide it, and what time does to it."""
    from config import running
    from config.settings import read
    from gateway.policy import explaining

    call = values(arguments or [], "an argument")
    with one_line():
        policy = running.read_policy(read())
    found = explaining.explain(policy, tool, call)
    typer.echo(as_json(found) if json else columns(list(_lines(found, policy))))


def _lines(found: "Explanation", policy: "Policy") -> Iterator[tuple[str, str]]:
    yield (found.tool, SAYS[found.says])
    yield ("the rule", f"[{found.table}]" if found.table else "none is written for it: nobody may approve")
    for one in found.conditions:
        asks = " and so people are asked" if one.found == "cannot be evaluated" else ""
        yield (f"if {one.condition}", f"{one.found}{asks}")
    if found.says == "ask":
        yield from _asking(found, policy)


def _asking(found: "Explanation", policy: "Policy") -> Iterator[tuple[str, str]]:
    terms = found.terms
    if found.nobody:
        yield ("nobody", f"could approve it: {found.nobody}")
    yield ("shown at", ", ".join(_place(one, policy) for one in terms["ask"]) or "nowhere")
    yield ("may decide", f"{', '.join(found.approvers) or 'nobody'}; {_needed(terms)}")
    yield ("their own requests", "they may decide" if terms["self_approval"] else "they may not decide")
    for where in found.where:
        cap = f"up to {where.cap:g}" if where.cap is not None else "yes"
        yield (f"approved on {where.surface}", f"no: {where.why_not}" if where.why_not else cap)
    yield ("arguments", "may be changed first" if terms["edit"] == "allow" else "are not changed")
    if terms["redact"]:
        yield ("hidden", f"{', '.join(terms['redact'])}: shown in the whole request alone")
    if terms["approve_unseen"]:
        yield ("approving", "is allowed without having seen the whole")
    if terms["destructive"]:
        yield ("approving", "is asked once more: it is destructive")
    yield ("a denial", "needs a reason" if terms["reason"] == "required" else "may have a reason")
    yield from _in_time(found, policy)


def _in_time(found: "Explanation", policy: "Policy") -> Iterator[tuple[str, str]]:
    terms = found.terms
    if terms["remind_after"]:
        quiet = f", never in {terms['quiet_hours']}" if terms["quiet_hours"] else ""
        yield ("reminded", f"after {' and '.join(terms['remind_after'])}{quiet}")
    if terms["escalate_to"]:
        after = f"after {terms['escalate_after']}, or " if terms["escalate_after"] else ""
        yield ("escalated", f"{after}when somebody cannot be reached")
        yield ("  shown at", ", ".join(_place(one, policy) for one in terms["escalate_to"]))
        yield ("  may decide then", ", ".join(found.once_escalated))
    yield (f"after {terms['expires_after']}", UNANSWERED[terms["on_unanswered"]])


def _needed(terms: dict[str, Any]) -> str:
    return "one of them is enough" if terms["required"] == 1 else f"{terms['required']} of them are needed"


def _place(written: str, policy: "Policy") -> str:
    channel, _, address = written.partition(":")
    person = policy.people.get(address)
    return f"{written} ({getattr(person, channel)})" if person else written
