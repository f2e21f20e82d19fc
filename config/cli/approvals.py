"""`gateway approvals ...`: what waits, what a request is, and a person's own decision."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.cli import explain, request_page
from config.cli.desk import Token, at_the_desk, bearer, named, values
from config.cli.rows import now
from config.cli.show import as_json, table, visible, when
from gateway.errors import GiveUp

if TYPE_CHECKING:
    from config.desk import Desk
    from gateway.docket import Case, Entry
    from gateway.events import Identity
    from gateway.ports import Decision

app = typer.Typer(help="Approvals: what waits, and a person's own decision, by their own token.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
All = Annotated[bool, typer.Option("--all", help="Also those that were settled.")]
Conversation = Annotated[
    int | None, typer.Option("--conversation", metavar="N", min=1, max=2**62, help="Of this conversation alone.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="At most so many, the newest.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="As `approvals list` shows it; its first 8 characters will do.")]
MaybeId = Annotated[str | None, typer.Argument(metavar="[ID]", help="As `approvals list` shows it.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change an argument first; may be given again.")
]
Digest = Annotated[
    str, typer.Option("--digest", metavar="HEX", help="Of what you read elsewhere, instead of `approvals show`.")
]
Reason = Annotated[str, typer.Option("--reason", help="The agent is told, and may tell the customer.")]

VIA = "api"
UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


@app.command("list", epilog="Example: gateway approvals list   |   gateway approvals list --all --json")
def list_all(every: All = False, conversation: Conversation = None, limit: Limit = 200, json: Json = False) -> None:
    """List what waits for a decision, without anybody's words."""
    from gateway import docket

    async def look(desk: "Desk") -> "list[Entry]":
        about: dict[str, Any] = {"every": every, "conversation": conversation, "limit": limit}
        return await desk.store.read(lambda db: docket.entries(db, desk.policy, **about))

    found = at_the_desk(look)
    if json:
        typer.echo(as_json(found))
    elif found:
        head = ("ID", "AGE", "TOOL", "CONVERSATION", "REQUESTER", "STATE", "VOTES", "EXPIRES")
        typer.echo(table(head, [_line(one) for one in found]))
    else:
        typer.echo("there are no requests" if every else "nothing waits for a decision")


@app.command(epilog="Example: gateway approvals show 6_dzO0fy   |   gateway approvals show 6_dzO0fy --json")
def show(approval: Id, token: Token = "", json: Json = False) -> None:
    """Show the whole request. With your token that counts as having opened it, which approving needs.

    It prints what people wrote, also what the policy hides elsewhere.
    """

    async def look(desk: "Desk") -> "Case":
        who = await bearer(desk, token) if token else None
        found = await _called(desk, approval, by=who)
        if who is not None:
            _refuse(await desk.approvals.read(found, who, whole=True, via=VIA), ("decided", "already"))
        return await _case(desk, found)

    case = at_the_desk(look)
    typer.echo(as_json(case) if json else request_page.text(case))


@app.command(
    epilog="Example: gateway approvals approve 6_dzO0fy   |   gateway approvals approve 6_dzO0fy --set amount=35"
)
def approve(approval: Id, change: Set = None, digest: Digest = "", token: Token = "") -> None:
    """Approve a request that you have opened with `approvals show`, or whose whole digest you name.

    Exit code 0: your word is kept (more people may have to approve). 1: nothing was decided, and why.
    """
    from gateway.events import Verdict

    changes, mine = values(change or [], "--set"), named(token)
    _check_digest(digest)

    async def decide(desk: "Desk") -> "Decision":
        who = await bearer(desk, mine)
        found = await _called(desk, approval, by=who)
        seen = await _edit(desk, found, who, changes, digest) if changes else digest
        return await desk.approvals.decide(found, who, Verdict.APPROVE, via=VIA, digest=seen)

    _say(at_the_desk(decide))


@app.command(
    epilog='Example: gateway approvals deny 6_dzO0fy --reason "Too old"   |   gateway approvals deny --conversation 3'
)
def deny(approval: MaybeId = None, conversation: Conversation = None, reason: Reason = "", token: Token = "") -> None:
    """Deny a request, or all that a conversation still asks for.

    Exit code 0: denied. 1: something was not, and why.
    """
    from gateway.events import Verdict

    if (approval is None) == (conversation is None):
        raise typer.BadParameter("name one request, or --conversation N")
    mine = named(token)

    async def decide(desk: "Desk") -> "list[tuple[str, Decision]]":
        who = await bearer(desk, mine)
        if conversation is not None:
            return await desk.approvals.deny_all(conversation, who, reason=reason, via=VIA)
        found = await _called(desk, approval or "", by=who)
        return [(found, await desk.approvals.decide(found, who, Verdict.DENY, via=VIA, reason=reason))]

    said = at_the_desk(decide)
    if approval is None:
        _say_each(said, conversation or 0)
    else:
        _say(said[0][1])


app.command(
    epilog="Example: gateway approvals explain issue_refund amount=40 order_id=A-1001   |   "
    "gateway approvals explain issue_refund amount=40 --json"
)(explain.explain)


# --- one request ---------------------------------------------------------------------------------------------


async def _called(desk: "Desk", start: str, *, by: "Identity | None") -> str:
    """The id. Who comes with a token hears of a request that does not exist what they hear of those of others."""
    from gateway import docket
    from gateway.ports import Decision

    found = await desk.store.read(lambda db: docket.called(db, start))
    if len(found) == 1:
        return found[0]
    if found:
        raise GiveUp(f"several requests begin with {start!r}: write more of the id")
    if by is not None and len(start) >= docket.SHORTEST_START:
        _refuse(Decision(result="not_allowed"), ())
    short = f" (at least {docket.SHORTEST_START} characters)" if len(start) < docket.SHORTEST_START else ""
    raise GiveUp(f"there is no request {start!r}{short}: see `gateway approvals list --all`")


async def _case(desk: "Desk", approval: str) -> "Case":
    from gateway import docket

    found = await desk.store.read(lambda db: docket.case(db, desk.policy, approval))
    assert found is not None  # requests are never removed
    return found


async def _edit(desk: "Desk", approval: str, who: "Identity", changes: dict[str, Any], digest: str) -> str:
    """Change what this person has seen the whole of; the digest of what they approve then."""
    from gateway.ports import Decision

    mine = await desk.approvals.read(approval, who, via=VIA)
    _refuse(mine, ("decided",))
    case = await _case(desk, approval)
    asked = case.request
    opened = any((one.who, one.digest) == (who.address, asked.digest) for one in case.opened)
    if not digest and not opened:
        _refuse(Decision(result="unseen", approval=asked), ())
    arguments = {**(asked.arguments or {}), **changes}
    edited = await desk.approvals.edit(approval, who, arguments, via=VIA, digest=digest or asked.digest)
    _refuse(edited, ("edited",))
    assert edited.approval is not None
    for line in edited.approval.difference:
        typer.echo(visible(line))
    return edited.approval.digest


# --- what is said --------------------------------------------------------------------------------------------


def _refuse(decision: "Decision", fine: tuple[str, ...]) -> None:
    """Raises `GiveUp` in the sentence for it."""
    from gateway import sentences

    if decision.result not in fine:
        problems = "".join(f"\n  {visible(one)}" for one in decision.problems)
        raise GiveUp(visible(sentences.answer(decision)) + _how(decision) + problems)


def _say(decision: "Decision") -> None:
    from gateway import sentences

    said = visible(sentences.answer(decision)) + _how(decision)
    if decision.result not in ("decided", "voted"):
        typer.echo(f"gateway: {said}", err=True)
        raise typer.Exit(1)
    typer.echo(said)


def _say_each(said: "list[tuple[str, Decision]]", conversation: int) -> None:
    """Of what is others' nothing is said, unless some of it was theirs: then not all is done."""
    from gateway import sentences

    theirs = [(approval, decision) for approval, decision in said if decision.approval is not None]
    if not theirs:
        unsure = [sentences.answer(decision) for _, decision in said if decision.result == "unsure"]
        nothing = f"conversation {conversation} asks for nothing that is yours to decide"
        typer.echo(f"gateway: {(unsure or [nothing])[0]}", err=True)
        raise typer.Exit(1)
    for approval, decision in theirs:
        typer.echo(f"{approval}: {visible(sentences.answer(decision))}")
    if others := len(said) - len(theirs):
        typer.echo(f"gateway: {others} not denied: not yours to decide", err=True)
    if any(decision.result != "decided" for _, decision in said):
        raise typer.Exit(1)


def _how(decision: "Decision") -> str:
    """What to do about it here."""
    match decision.result:
        case "unseen":
            return " `gateway approvals show ID` with your token does."
        case "reason_required":
            return " Give --reason."
        case "not_allowed":
            return " `gateway approvals list --all` has those there are."
        case _:
            return ""


def _check_digest(digest: str) -> None:
    from gateway.digests import is_digest

    if digest and not is_digest(digest):
        raise typer.BadParameter("--digest: write at least 8 of its 64 characters, 0-9 and a-f")


def _line(one: "Entry") -> tuple[object, ...]:
    ends = when(one.expires_at) if one.state == "pending" else "-"
    what = (one.id, _age(now() - one.created_at), one.tool, one.conversation, one.requester)
    return (*what, one.state, f"{one.votes} of {one.required}", ends)


def _age(time: timedelta) -> str:
    seconds = max(0, int(time.total_seconds()))
    return next((f"{seconds // one}{letter}" for letter, one in UNITS if seconds >= one), "0s")
