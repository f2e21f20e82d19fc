"""What the model of a functional agent is asked, and what it answered. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.agent.frames import clean, parsed
from adapters.agent.server.definitions import Io

HEAD = "Run with these inputs, and answer with one JSON object that has exactly the keys under outputs."
WITHOUT_OUTPUTS = "Run with these inputs, and say in one sentence what you did."
FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n\s*```", re.DOTALL)


class Unanswered(Exception):
    """Its text says what is wrong with the answer, for the model and for the client."""


def written(inputs: Mapping[str, Any], outputs: Sequence[Io]) -> str:
    asked = {one.name: f"{one.io_type}: {one.description}".rstrip(": ") for one in outputs}
    data = {"inputs": dict(inputs), "outputs": asked} if asked else {"inputs": dict(inputs)}
    return f"{HEAD if asked else WITHOUT_OUTPUTS}\n{json.dumps(data, ensure_ascii=False, default=str)}"


def read(prompt: str) -> tuple[Mapping[str, Any], Sequence[str]] | None:
    """The inputs and the names of the outputs of a prompt that was `written` here; None for any other text."""
    head, _, data = prompt.strip().partition("\n")
    if head != HEAD:
        return None
    try:
        asked = json.loads(data)
        return dict(asked["inputs"]), list(asked["outputs"])
    except (ValueError, KeyError, TypeError):
        return None


def again(wrong: Unanswered) -> str:
    return f"That answer cannot be used: {wrong}. Answer once more, with the JSON object alone."


def values(stretches: Sequence[str], outputs: Sequence[Io]) -> dict[str, Any]:
    """By output name, from what the model said, in its stretches of text. Raises `Unanswered`."""
    if not outputs:
        return {}
    whole = "".join(stretches)
    found = next(filter(None, (_object(text) for text in (*reversed(stretches), whole))), None)
    if found is None:
        if len(outputs) == 1 and whole.strip():
            return {outputs[0].name: whole.strip()}  # a model that cannot do JSON can still fill one output
        raise Unanswered("it is not a JSON object")
    if missing := [one.name for one in outputs if found.get(one.name) is None]:
        raise Unanswered(f"it says nothing under {', '.join(missing)}")
    return {one.name: _typed(one, found[one.name]) for one in outputs}


def _object(text: str) -> dict[str, Any] | None:
    fenced = FENCE.search(text)
    candidates = (text, fenced[1] if fenced else "", text[text.find("{") : text.rfind("}") + 1])
    for candidate in candidates:
        try:
            found = clean(parsed(candidate))
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return None


def _typed(output: Io, value: Any) -> Any:
    if output.io_type == "string" and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value
