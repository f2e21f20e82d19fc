"""One case as a page for people: readable on a phone and on paper, complete in itself. Pure: text in, text out.

No script, no address, everything escaped; what hides in a text is spelled out.
"""

from collections.abc import Mapping
from typing import Any

from config.cli import paper

LISTS = (
    ("Where it was shown", "shown"),
    ("Who opened the whole", "opened"),
    ("Edits", "edits"),
    ("Votes", "votes"),
    ("Notes written beside its cards", "notes"),
    ("What else was sent about it", "told"),
)
APART = ("view", "terms", "arguments", "input_schema")  # shown by themselves
OUTCOMES = {"expired": "nobody decided", "cancelled": "withdrawn"}


def page(case: Mapping[str, Any]) -> str:
    request = case["request"]
    view = request["view"] if isinstance(request["view"], dict) else {}
    outcome = OUTCOMES.get(request["state"], request["state"])
    by = f" by {request['decided_by']}" if request["decided_by"] else ""
    title = paper.safe(f"{request['tool']}: {outcome}{by}")
    parts = [
        f"<h1>{title}</h1>",
        f"<p>Request {paper.safe(case['case'])}, exported {paper.cell(case['exported_at'])}. Times are UTC.</p>",
        paper.section("What the customer wrote", paper.block(view.get("message", "(it is not kept any more)"))),
        paper.section("What the agent asked to run", paper.block(request["arguments"])),
        paper.section(
            "The request", paper.facts({name: value for name, value in request.items() if name not in APART})
        ),
        *(paper.section(head, paper.table(case[name])) for head, name in LISTS),
        paper.section("What became of the turn", paper.facts(case["turn"])),
        paper.section("Where it came from", paper.facts({**_named("conversation", case), **_named("event", case)})),
        paper.section("The policy's words, then", paper.block(request["terms"])) if request.get("terms") else "",
        paper.section("The audit", _audit(case)),
    ]
    return paper.document(title, parts)


def _audit(case: Mapping[str, Any]) -> str:
    said = (
        "<p>No row here differs from its seal. Of the whole chain <code>gateway audit verify</code> tells.</p>"
        if case["audit_holds"]
        else '<p class="broken">A row below is damaged, or does not fit its seal: it is not what was written then.</p>'
    )
    return said + paper.table(case["audit"])


def _named(what: str, case: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{what} {name}": value for name, value in case[what].items()}
