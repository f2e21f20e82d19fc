"""The floor under `let_agent_decide`: what is always asked about, whatever the model says."""

import unicodedata

from sqlalchemy import select

from adapters.agent.server.parameters import like
from adapters.agent.server.rows import CallState
from adapters.agent.server.tables import calls
from adapters.agent.server.tool_definitions import ToolDefinition
from adapters.agent.server.tool_kinds import Condition, Scalar
from adapters.agent.server.tools.call import Arguments, Call


async def why_ask(tool: ToolDefinition, call: Call, arguments: Arguments, *, is_verified: bool) -> str:
    """The first reason to ask a person, in a few words; empty: the floor gives none."""
    for condition in tool.ask_if:
        if holds(condition, arguments):
            return told(condition) if condition.argument in arguments else f"{condition.argument} is not said"
    if tool.ask_unless_verified and not is_verified:
        return "it is not proven who is speaking"
    if tool.ask_first_use and not await _was_used(tool, call):
        return f"{tool.name} is used for the first time in this session"
    return ""


def holds(condition: Condition, arguments: Arguments) -> bool:
    """An argument that is not given could be anything: what is said of it then holds."""
    value = arguments.get(condition.argument)
    return value is None or all(_is(test, limit, value) for test, limit in condition.tests.items())


def _is(test: str, limit: object, value: object) -> bool:
    match test, limit:
        case "above", float() | int():
            return not isinstance(value, int | float) or value > limit
        case "below", float() | int():
            return not isinstance(value, int | float) or value < limit
        case "one_of", tuple():
            return any(_same(one, value) for one in limit)
        case "not_one_of", tuple():
            # To the letter: what only looks like a member is asked about.
            return not any(isinstance(one, bool) == isinstance(value, bool) and one == value for one in limit)
    return _same(limit, value)


def _same(limit: object, value: object) -> bool:
    """Loosely, so that spelling does not lead around the floor."""
    if isinstance(limit, str):
        return _plain(limit) == _plain(value)
    read = _read_like(limit, value) if isinstance(value, str) else value
    return isinstance(limit, bool) == isinstance(read, bool) and limit == read


def _read_like(limit: object, text: str) -> object:
    """A number or a truth that stands in a text."""
    parameter = like(limit)
    try:
        return parameter.typed("it", text) if parameter else text
    except ValueError:
        return text


def _plain(value: object) -> str:
    """As a person reads it: without case, extra spaces, odd forms of letters and what cannot be seen."""
    text = unicodedata.normalize("NFKC", str(value))
    seen = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return " ".join(seen.split()).casefold()


def told(condition: Condition) -> str:
    return " and ".join(f"{condition.argument} is {_words(test, limit)}" for test, limit in condition.tests.items())


def _words(test: str, limit: Scalar | tuple[Scalar, ...]) -> str:
    said = ", ".join(map(_written, limit)) if isinstance(limit, tuple) else _written(limit)
    return {"equals": said, "one_of": f"one of {said}", "not_one_of": f"none of {said}"}.get(test, f"{test} {said}")


def _written(limit: Scalar) -> str:
    return f"{limit:g}" if isinstance(limit, float) else str(limit)


async def _was_used(tool: ToolDefinition, call: Call) -> bool:
    done = select(calls.c.seq).filter_by(session_id=call.session_id, tool_name=tool.name, state=CallState.COMPLETED)
    async with call.database.reading() as db:
        return await db.scalar(done.limit(1)) is not None
