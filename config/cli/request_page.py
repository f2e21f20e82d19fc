"""A whole request as text for a terminal. Pure; what people and models wrote is shown as text."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from config.cli.show import columns, table, visible, when
from gateway import sentences

if TYPE_CHECKING:
    from gateway.docket import Case
    from gateway.events import Spoken

PROOFS = {"none": "not proven", "carrier": "as the carrier says", "platform": "signed in there", "token": "by token"}

MOST_SAID = 600  # characters of each


def text(case: "Case") -> str:
    parts = [columns(list(_facts(case))), "arguments\n" + _arguments(case.request.arguments)]
    if case.request.difference:
        parts.append(
            "changed since the agent asked\n" + "\n".join(f"  {visible(one)}" for one in case.request.difference)
        )
    recent, notes = _said("said last", case.request.recent), _said("notes beside the card", case.request.notes)
    parts += [part for part in (recent, notes, _shown(case), _opened(case), _votes(case)) if part]
    return "\n\n".join(parts)


def _facts(case: "Case") -> Iterator[tuple[str, object]]:
    asked, entry = case.request, case.entry
    who = asked.requester
    yield ("id", asked.id)
    yield ("tool", asked.tool + (" (destructive)" if asked.destructive else ""))
    yield ("state", sentences.outcome(asked))
    yield ("conversation", f"{entry.conversation}, on {asked.asked_in}, with the agent {asked.agent}")
    name = f"{who.name}, " if who.name else ""
    yield ("asked by", f"{name}{who.channel} {who.address} ({PROOFS[who.proof]})")
    yield ("they wrote", asked.message or "(no words)")
    yield ("may decide", ", ".join(asked.approvers) or "nobody")
    yield ("approved by", f"{', '.join(asked.votes) or 'nobody yet'} ({entry.votes} of {entry.required})")
    yield ("asked at", when(entry.created_at))
    yield ("expires", when(asked.expires_at))
    yield ("digest", asked.digest)
    if asked.hidden:
        yield ("hidden elsewhere", ", ".join(asked.hidden))


def _arguments(arguments: dict[str, Any] | None) -> str:
    if arguments is None:
        return "  the agent platform did not say with which"
    lines = [
        f"  {visible(name)} = {visible(json.dumps(value, ensure_ascii=False))}" for name, value in arguments.items()
    ]
    return "\n".join(lines) or "  (none)"


def _said(head: str, said: "Sequence[Spoken]") -> str:
    """Each on a line of its own, cut where it is long."""
    lines = [f"  {when(one.at)}  {visible(one.by)}: {visible(_cut(one.text))}" for one in said]
    return "\n".join([head, *lines]) if lines else ""


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SAID else f"{text[: MOST_SAID - 1]}…"


def _shown(case: "Case") -> str:
    rows = [(one.where, one.status, when(one.at)) for one in case.shown]
    return table(("SHOWN AT", "STATUS", "SENT"), rows) if rows else ""


def _opened(case: "Case") -> str:
    rows = [(one.who, when(one.at), one.digest[:12]) for one in case.opened]
    return table(("OPENED WHOLE BY", "AT", "DIGEST"), rows) if rows else ""


def _votes(case: "Case") -> str:
    rows = [(one.who, one.verdict, one.via, when(one.at), one.digest[:12], one.reason or "-") for one in case.votes]
    return table(("VOTE OF", "VERDICT", "VIA", "AT", "DIGEST", "REASON"), rows) if rows else ""
