"""What is wrong in a definition file, as a person wants to hear it: the line, the word, what was meant. Pure."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from adapters.agent.server.toml_lines import Path, line_of

TAKES = {  # what pydantic's names of mistakes begin with, and what it would have taken
    "float_": "a number",
    "int_": "a whole number",
    "bool_": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}
UNWRITTEN = {"stored_id"}  # a word of the model that no file has


class WordWrong(ValueError):
    """To be raised by a validator that looks at more than one word: `path` is the one that is wrong."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path


def of_syntax(error: tomllib.TOMLDecodeError, text: str) -> str:
    """`line 3: Invalid value (column 8): name = `."""
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", str(error))
    if not found:
        return str(error)
    what = str(error)[: found.start()]
    if not found[1]:
        return f"line {text.count(chr(10)) + 1}: {what} (at the end of the file)"
    written = text.split("\n")[int(found[1]) - 1].strip()
    return f"line {found[1]}: {what} (column {found[2]}): {written[:60]}"


def of_words(error: ValidationError, text: str, words: Mapping[str, Any], model: type[BaseModel]) -> tuple[str, ...]:
    """One sentence for each mistake: `line 3: tools.0.approval: ...`. By line."""
    told = [_told(one, text, words, model) for one in error.errors(include_url=False)]
    return tuple(dict.fromkeys(said for _, said in sorted(told, key=lambda one: one[0])))


def _told(one: ErrorDetails, text: str, words: Mapping[str, Any], model: type[BaseModel]) -> tuple[int, str]:
    cause = one.get("ctx", {}).get("error")
    path = _as_written(one["loc"], words) + (cause.path if isinstance(cause, WordWrong) else ())
    said = str(cause) if cause is not None else _said(one, path, model)
    return line_of(text, path) or 0, at(text, said, *path)


def at(text: str, said: str, *path: str | int) -> str:
    """A mistake with the line and the word it is about."""
    line, where = line_of(text, path), ".".join(str(part) for part in path)
    return f"{f'line {line}: ' if line else ''}{f'{where}: ' if where else ''}{said}"


def at_written(text: str, said: str, written: str) -> str:
    """A mistake with the line of what is written wrongly: none where an escape hides it."""
    place = text.find(written)
    return said if place < 0 else f"line {text.count(chr(10), 0, place) + 1}: {said}"


def _as_written(loc: Sequence[str | int], words: Any) -> Path:
    """A place as the file has it: pydantic also counts the members of a union, which nobody wrote."""
    path: Path = ()
    for number, part in enumerate(loc):
        held = _held(words, part)
        if held is None and (number < len(loc) - 1 or not isinstance(words, Mapping)):
            continue
        path, words = (*path, part), held
    return path


def _held(words: Any, part: str | int) -> Any:
    """TOML has no null, so None is nothing."""
    if isinstance(words, Mapping):
        return words.get(part)
    is_there = isinstance(words, list | tuple) and isinstance(part, int) and part < len(words)
    return words[part] if is_there else None


def _said(one: ErrorDetails, path: Path, model: type[BaseModel]) -> str:
    if one["type"] == "extra_forbidden" and path:
        known = sorted({word for table in _tables(model, path[:-1]) for word in table.model_fields} - UNWRITTEN)
        near = nearest(str(path[-1]), known)
        return f"`{path[-1]}` is not a word of this table{near} (there are {', '.join(known)})"
    if one["type"] == "missing" and path:
        return f"`{path[-1]}` is missing here"
    if one["type"] in ("literal_error", "enum"):
        known = re.findall(r"'([^']*)'", str(one.get("ctx", {}).get("expected", "")))
        return f"{one['input']!r} is none of {', '.join(known)}{nearest(str(one['input']), known)}"
    kind = next((takes for sign, takes in TAKES.items() if one["type"].startswith(sign)), "")
    if kind:
        return f"takes {kind}, and it is {_short(one['input'])}"
    return f"{one['msg']}, and it is {_short(one['input'])}"


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean ...?`, or nothing where nothing is near."""
    near = get_close_matches(word.lower(), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _short(value: object) -> str:
    written = repr(value)
    return written if len(written) <= 40 else f"{written[:37]}..."


def _tables(model: type[BaseModel], path: Path) -> list[type[BaseModel]]:
    """The models a table at `path` may be."""
    models = [model]
    for part in path:
        if isinstance(part, int):
            continue
        fields = [one.model_fields[part].annotation for one in models if part in one.model_fields]
        # A word that is no field is a key of a mapping whose values are these very models.
        models = [inner for field in fields for inner in _models_in(field)] if fields else models
    return models


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
