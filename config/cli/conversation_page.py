"""Conversations as a page for whoever asked for their data. Pure: values in, text out."""

from collections.abc import Mapping, Sequence
from typing import Any

from config.cli import paper

FACTS = ("channel", "account", "thread", "agent", "state", "began", "last")
REQUEST = ("asked", "state", "decided_by", "decided_on", "decided", "reason", "applied", "trouble", "led_to_by")
LISTS = (("Edits", "edits"), ("Votes", "votes"), ("Notes", "notes"), ("Where it was shown", "shown"))


def page(found: Mapping[str, Any]) -> str:
    title = paper.safe(f"Export of {found['export_of']}")
    missing = found["not_reached"]
    parts = [
        f"<h1>{title}</h1>",
        f"<p>Written {paper.cell(found['exported_at'])}. Times are UTC.</p>",
        paper.section("What could not be read", paper.table(missing)) if missing else "",
        *(part for one in found["conversations"] for part in _conversation(one)),
        paper.section("Outside of conversations", _messages(found["elsewhere"])) if found["elsewhere"] else "",
        paper.section("Whether messages are wanted", paper.table(found["consents"])) if found["consents"] else "",
        paper.section("What is not in here", paper.facts(found["left_out"])),
    ]
    return paper.document(title, parts)


def _conversation(one: Mapping[str, Any]) -> list[str]:
    name = f"Conversation {one['id']}"
    return [
        paper.section(name, paper.facts({fact: one[fact] for fact in FACTS})),
        paper.section(f"{name}: what was said", _messages(one["messages"])),
        *(paper.section(f"{name}: request {asked['tool']}", _request(asked)) for asked in one["approvals"]),
        paper.section(f"{name}: turns of the agent", paper.table(one["turns"])),
        *(paper.section(f"{name}: the agent platform's session {held['id']}", _held(held)) for held in one["sessions"]),
    ]


def _messages(messages: Sequence[Mapping[str, Any]]) -> str:
    return paper.table([_message(one) for one in messages])


def _message(one: Mapping[str, Any]) -> dict[str, Any]:
    if one["direction"] == "in":
        attached = [f"[attached: {name}]" for name in one["attachments"]]
        who = " ".join(filter(None, (one["by"], one["name"])))
        return {"at": one["at"], "from": who or "-", "to": "us", "said": _lines(one["text"], *attached), **_fate(one)}
    return {"at": one["at"], "from": "us", "to": one["to"], "said": _lines(one["text"]), **_fate(one)}


def _fate(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"sent": one["sent"], "status": one["status"], "id": one["id"]}


def _lines(*lines: str) -> str:
    return "\n".join(filter(None, lines))


def _request(asked: Mapping[str, Any]) -> str:
    parts = [paper.block(asked["arguments"]), paper.facts({name: asked[name] for name in REQUEST})]
    parts += [f"<h3>{head}</h3>" + paper.table(asked[name]) for head, name in LISTS if asked[name]]
    return "\n".join(parts)


def _held(session: Mapping[str, Any]) -> str:
    if session["state"] != "read":
        return paper.facts({"state": session["state"], "why": session["why"]})
    return paper.table([{"by": one["by"], "said": one["text"]} for one in session["history"]])
