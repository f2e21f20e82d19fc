"""The placeholders of functional agents: `[[inputs.topic]]` as people write it, `{{inputs.<id>}}` as platforms keep it.

Pure. A text without a placeholder leaves here as it came, and so does what is canonical already.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from gateway.errors import ConfigError

if TYPE_CHECKING:
    from adapters.agent.server.definitions import AgentDefinition
    from adapters.agent.server.tool_definitions import ToolDefinition

KINDS = {"inputs": "input", "outputs": "output", "tools": "tool"}
OPENED = re.compile(r"\[\[(?!\[)(?:([^\[\]]*)\]\])?")
CANONICAL = re.compile(r"\{\{\s*(inputs|outputs|tools)\.([^{}\n]*?)\s*\}\}")
NAME_LIKE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")  # what the published SDK takes for a placeholder
MEANT = re.compile(r"(inputs?|outputs?|tools?)\b", re.IGNORECASE)


class TemplateReferenceError(ConfigError):
    """A placeholder leads nowhere, or to more than one thing. Its text names the place and the placeholder.

    `written` is the placeholder as it stands in the text.
    """

    def __init__(self, message: str, written: str) -> None:
        super().__init__(message)
        self.written = written


@dataclass(frozen=True, slots=True)
class References:
    """What a placeholder may name: name -> id, for each kind."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    tools: Mapping[str, str]

    @classmethod
    def of(cls, agent: "AgentDefinition") -> "References":
        return cls(
            inputs={one.name: agent.input_id(one) for one in agent.inputs},
            outputs={one.name: agent.output_id(one) for one in agent.outputs},
            tools={tool.name: agent.tool_id(tool.name) for tool in agent.tools},
        )

    def __getitem__(self, kind: str) -> Mapping[str, str]:
        return {"inputs": self.inputs, "outputs": self.outputs, "tools": self.tools}[kind]


def canonical_agent(agent: "AgentDefinition") -> "AgentDefinition":
    """The agent with its placeholders in the platform's form; a conversational one as it is.

    Raises `TemplateReferenceError`. Doing it twice changes nothing.
    """
    if agent.agent_type != "functional":
        return agent
    refs, at = References.of(agent), f"agent {agent.name}"
    tools = tuple(_canonical_tool(tool, refs, f"{at}, tool {tool.name}") for tool in agent.tools)
    return agent.model_copy(
        update={"instructions": canonical(agent.instructions, refs, f"{at}, instructions"), "tools": tools}
    )


def _canonical_tool(tool: "ToolDefinition", refs: References, at: str) -> "ToolDefinition":
    parameters = {
        name: one.model_copy(
            update={"description": canonical(one.description, refs, f"{at}, parameter {name}, description")}
        )
        for name, one in tool.parameters.items()
    }
    description = canonical(tool.description, refs, f"{at}, description")
    return tool.model_copy(update={"description": description, "parameters": parameters})


def canonical(text: str, refs: References, place: str) -> str:
    """`[[inputs.x]]` -> `{{inputs.<id of x>}}`, outputs and tools alike.

    Names match exactly, else whatever their case, else camel and snake case alike; a raw id will do.
    Raises `TemplateReferenceError` naming `place`, the placeholder and the nearest name.
    """
    return OPENED.sub(lambda found: _replaced(found, refs, place), text)


def _replaced(found: re.Match[str], refs: References, place: str) -> str:
    if found[1] is None:
        if MEANT.match(found.string[found.end() : found.end() + 80].lstrip()):
            raise _wrong(place, found.string[found.start() : found.start() + 40], "it is not closed: end it with ]]")
        return found[0]
    written = found[1].strip()
    kind, dot, name = (part.strip() for part in written.partition("."))
    if dot and name and kind in KINDS:
        return f"{{{{{kind}.{_id(refs, kind, name, place, found[0])}}}}}"
    if NAME_LIKE.fullmatch(written) or MEANT.match(written) or any(_like(written, refs[kind]) for kind in KINDS):
        raise _wrong(place, found[0], _of_no_kind(refs, kind if dot else "", name if dot else written))
    return found[0]


def _id(refs: References, kind: str, name: str, place: str, written: str) -> str:
    known, meant = refs[kind], _like(name, refs[kind])
    if len(meant) > 1:
        raise _wrong(place, written, f"it may be {' or '.join(meant)}: write the name as it is")
    if meant:
        return known[meant[0]]
    if name in known.values():
        return name
    near = next(_near(refs, name, kind), "")
    there = f"there are {', '.join(known)}" if known else "there is none"
    raise _wrong(place, written, f"there is no such {KINDS[kind]}{_did_you_mean(near)} ({there})")


def _like(name: str, known: Mapping[str, str]) -> list[str]:
    """The names that are meant, by the strictest rule any of them fulfils."""
    if name in known:
        return [name]
    lower = [one for one in known if one.lower() == name.lower()]
    return lower or [one for one in known if _folded(one) == _folded(name)]


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _near(refs: References, name: str, *kinds: str) -> Iterator[str]:
    """What may have been meant, as it should be written; these kinds first."""
    for kind in sorted(KINDS, key=lambda one: one not in kinds):
        by_folded = {_folded(one): one for one in refs[kind]}
        for one in get_close_matches(_folded(name), by_folded, n=1):
            yield f"[[{kind}.{by_folded[one]}]]"


def _of_no_kind(refs: References, kind: str, name: str) -> str:
    """Bare, or of no kind that there is."""
    kinds = get_close_matches(kind.lower(), KINDS, n=1)
    near = [f"[[{one}.{exact}]]" for one in KINDS for exact in _like(name, refs[one])] or [*_near(refs, name)]
    near = [one for one in near if kinds and one.startswith(f"[[{kinds[0]}.")] or near
    what = (
        "no name follows" if kind in KINDS else f"{kind!r} is no kind" if kind else "it does not say of what kind it is"
    )
    return f"{what}: write [[inputs.name]], [[outputs.name]] or [[tools.name]]{_did_you_mean(*near)}"


def _did_you_mean(*near: str) -> str:
    meant = " or ".join(filter(None, near))
    return f"; did you mean {meant}?" if meant else ""


def _wrong(place: str, written: str, why: str) -> TemplateReferenceError:
    return TemplateReferenceError(f"{place}: {' '.join(written.split())[:80]}: {why}", written)


def filled(text: str, refs: References, values: Mapping[str, object]) -> str:
    """A canonical text for one run: `{{inputs.<id or name>}}` -> the run's value, outputs and tools -> their names.

    `values` go by input name; an input without one is empty. What names nothing stays, and no value is read again.
    """
    return CANONICAL.sub(lambda found: _filled(found, refs, values), text)


def _filled(found: re.Match[str], refs: References, values: Mapping[str, object]) -> str:
    kind, key = found[1], found[2]
    names = [one for one, its_id in refs[kind].items() if its_id == key] or _like(key, refs[kind])
    if not names:
        return found[0]
    if kind != "inputs":
        return names[0]
    value = values.get(names[0], "")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def placeholders(text: str) -> list[str]:
    """The canonical ones as they are written, in order."""
    return [found[0] for found in CANONICAL.finditer(text)]


def as_people_write(text: str) -> list[str]:
    """The others: what would be a placeholder in a functional agent."""
    return [found[0] for found in OPENED.finditer(text) if found[1] is not None and MEANT.match(found[1].strip())]


def leads_nowhere(placeholder: str, refs: References) -> bool:
    """A canonical placeholder that names nothing of the agent: it passes, and is never filled."""
    found = CANONICAL.fullmatch(placeholder)
    return found is not None and found[2] not in refs[found[1]].values() and not _like(found[2], refs[found[1]])
