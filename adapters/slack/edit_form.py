"""The form in which arguments are changed: an input for each, made from the tool's JSON Schema. Pure.

What is written in it keeps the type of the argument. Whether the tool takes it, the core says.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.slack import card
from adapters.slack.parts import Block, cut, section, seen, words
from gateway.events import ApprovalView

EDIT_FORM = "approval_edit_form"

MAX_FIELDS = 80  # a view has 100 blocks
MAX_INITIAL = 3_000  # of what stands in a text input when it opens
MAX_OPTIONS, MAX_OPTION = 100, 75
MAX_DEPTH = 5
MAX_ERROR = 150

Schema = Mapping[str, Any]


class NotThat(ValueError):
    """What was written is no value of this kind. Its words are for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One argument, or one of an argument's own parts."""

    path: tuple[str, ...]
    schema: Schema
    kind: str  # text, integer, number, boolean, choice or json
    present: bool
    value: Any
    nullable: bool = False
    required: bool = False  # by the tool

    @property
    def block_id(self) -> str:
        """Also the name of the input in it."""
        return "/".join(part.replace("~", "~0").replace("/", "~1") for part in self.path)


def form(asked: ApprovalView) -> Block:
    """A modal with an input for each argument that may be changed in it."""
    fields, left = _fields(asked)
    inputs = [_input(field) for field in fields]
    notes = [section(f"{name} cannot be changed here; it stays as it is.", 300) for name in left]
    submit = {"submit": words("Save")} if inputs else {}
    return {
        "type": "modal",
        "callback_id": EDIT_FORM,
        "private_metadata": f"{asked.id} {asked.digest[: card.DIGEST_CHARS]}",
        "title": words("Change the arguments"),
        "close": words("Back"),
        "blocks": [
            section(f"{card.question(asked)} Nothing is decided by saving: it is approved on the card.", 2_000),
            *inputs,
            *notes[:10],
        ],
        **submit,
    }


def written(asked: ApprovalView, state: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The arguments as the form has them, and what is wrong with some, by block. `state`: of a submitted view."""
    arguments = json.loads(json.dumps(asked.arguments or {}))
    errors = dict[str, str]()
    for field in _fields(asked)[0]:
        try:
            found, value = _read(field, _given(state, field.block_id))
        except NotThat as error:
            errors[field.block_id] = str(error)
            continue
        if found:
            _put(arguments, field.path, value)
    return arguments, errors


def beside(asked: ApprovalView, problems: Sequence[str]) -> dict[str, str]:
    """The core's complaints, each at the input it is about; what is about none of them stands at the first."""
    blocks = {".".join(field.path): field.block_id for field in _fields(asked)[0]}
    errors = dict[str, str]()
    for problem in problems:
        where, _, what = problem.partition(": ")
        name = max((name for name in blocks if where == name or where.startswith(f"{name}.")), key=len, default="")
        block, said = (blocks[name], what) if name else (next(iter(blocks.values()), ""), problem)
        errors[block] = cut(f"{errors[block]}; {said}" if block in errors else said, MAX_ERROR)
    return errors


# --- which inputs there are --------------------------------------------------------------------------------


def _fields(asked: ApprovalView) -> tuple[list[Field], list[str]]:
    """Those that have an input, and the names of those that do not fit one. What is hidden has none."""
    root = asked.input_schema or {}
    hidden = set(asked.hidden)
    fields, left = list[Field](), list[str]()
    for field in _leaves((), root, root, asked.arguments or {}, present=True):
        if field.path[0] in hidden:
            continue
        if len(fields) < MAX_FIELDS and len(_initial(field)) <= MAX_INITIAL and len(field.block_id) <= 255:
            fields.append(field)
        else:
            left.append(seen(".".join(field.path), 200))
    return fields, left + sorted(seen(name, 200) for name in hidden)


def _leaves(
    path: tuple[str, ...], schema: Schema, root: Schema, value: Any, *, present: bool, required: bool = False
) -> Iterator[Field]:
    schema, nullable = _plain(schema, root)
    parts = schema.get("properties")
    an_object = isinstance(parts, Mapping) and (not path or schema.get("type") == "object")
    if an_object and parts and isinstance(value, Mapping) and len(path) < MAX_DEPTH:
        needed = schema.get("required")
        for name, part in parts.items():
            is_needed = isinstance(needed, list) and name in needed
            below: dict[str, Any] = {"present": name in value, "required": is_needed}
            yield from _leaves((*path, str(name)), _mapping(part), root, value.get(name), **below)
    elif path:
        yield Field(path, schema, _kind(schema), present, value, nullable, required)


def _plain(schema: Schema, root: Schema) -> tuple[Schema, bool]:
    """Without a reference within the document, and without `or null`; and whether null is allowed."""
    for _ in range(MAX_DEPTH):
        where = schema.get("$ref")
        if not (isinstance(where, str) and where.startswith("#/")):
            break
        there: Any = root
        for part in where[2:].split("/"):
            there = _mapping(there).get(part.replace("~1", "/").replace("~0", "~"))
        schema = {**_mapping(there), **{name: value for name, value in schema.items() if name != "$ref"}}
    kinds, either = schema.get("type"), schema.get("anyOf")
    if isinstance(kinds, list) and "null" in kinds and len(kinds) == 2:
        return {**schema, "type": next(kind for kind in kinds if kind != "null")}, True
    if isinstance(either, list) and {"type": "null"} in either and len(either) == 2:
        rest = {name: value for name, value in schema.items() if name != "anyOf"}
        one = next((_mapping(one) for one in either if one != {"type": "null"}), {})
        return {**_plain(one, root)[0], **rest}, True
    return schema, False


def _kind(schema: Schema) -> str:
    choices = schema.get("enum")
    if isinstance(choices, list) and 0 < len(choices) <= MAX_OPTIONS:
        return "choice"
    kind = schema.get("type")
    return {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}.get(str(kind), "json")


# --- an input ----------------------------------------------------------------------------------------------


def _input(field: Field) -> Block:
    about = field.schema.get("description")
    hint = {"hint": words(seen(about, 1_000))} if isinstance(about, str) and about.strip() else {}
    return {
        "type": "input",
        "block_id": field.block_id,
        "optional": not _is_needed(field),
        "label": words(seen(".".join(field.path), 200)),
        "element": {**_element(field), "action_id": field.block_id},
        **hint,
    }


def _is_needed(field: Field) -> bool:
    """It cannot be left empty: of a text, one that the tool requires and that says something now."""
    says = field.kind != "text" or (field.required and isinstance(field.value, str) and bool(field.value.strip()))
    return field.present and not field.nullable and says


def _element(field: Field) -> Block:
    if field.kind in ("choice", "boolean"):
        options = [_option(at, choice) for at, choice in enumerate(_choices(field))]
        chosen = _chosen(field)
        return {
            "type": "static_select",
            "options": options,
            **({} if chosen is None else {"initial_option": options[chosen]}),
        }
    initial = _initial(field)
    start = {"initial_value": initial} if initial else {}
    if field.kind in ("integer", "number") and "e" not in initial.lower():
        return {"type": "number_input", "is_decimal_allowed": field.kind == "number", **start}
    multiline = field.kind == "json" or len(initial) > 100 or len((initial + "x").splitlines()) > 1
    return {"type": "plain_text_input", "multiline": multiline, **start}


def _option(at: int, choice: Any) -> Block:
    shown = choice if isinstance(choice, str) and choice.strip() else json.dumps(choice, ensure_ascii=False)
    return {"text": words(seen(shown, MAX_OPTION)), "value": str(at)}


def _choices(field: Field) -> Sequence[Any]:
    return (True, False) if field.kind == "boolean" else list(field.schema["enum"])


def _chosen(field: Field) -> int | None:
    """As JSON, so that `1` is not `true`."""
    same = [at for at, choice in enumerate(_choices(field)) if json.dumps(choice) == json.dumps(field.value)]
    return same[0] if field.present and same else None


def _initial(field: Field) -> str:
    if not field.present or field.value is None or field.kind in ("choice", "boolean"):
        return ""
    if field.kind == "text" and isinstance(field.value, str):
        return field.value
    return json.dumps(field.value, ensure_ascii=False, indent=2 if field.kind == "json" else None)


# --- what was written --------------------------------------------------------------------------------------


def _given(state: Any, block_id: str) -> str | None:
    values = _mapping(_mapping(state).get("values"))
    given = _mapping(_mapping(values.get(block_id)).get(block_id))
    chosen = given.get("value") if "selected_option" not in given else _mapping(given["selected_option"]).get("value")
    return chosen if isinstance(chosen, str) else None


def _read(field: Field, given: str | None) -> tuple[bool, Any]:
    """Is there a value, and which? A text that was there and is emptied is the empty text, or null where that may be.

    White space at the ends and the kind of line ends make no change of a text: a form need not give them back.
    """
    if field.kind == "text" and isinstance(field.value, str) and _same(given or "", field.value):
        return True, field.value
    if given is None or not given.strip():
        if not field.present:
            return False, None
        if field.value is None or field.nullable:
            return True, None
        if _is_needed(field):
            raise NotThat("This cannot be left out, only changed.")
    given = given or ""
    match field.kind:
        case "text":
            return True, given
        case "integer" | "number":
            return True, _number(given.strip(), whole=field.kind == "integer")
        case "json":
            return True, _json(given)
        case _:
            choices = _choices(field)
            if not given.isdecimal() or int(given) >= len(choices):
                raise NotThat("This is not one of the choices.")
            return True, choices[int(given)]


def _same(given: str, before: str) -> bool:
    return given.strip().splitlines() == before.strip().splitlines()


def _number(given: str, *, whole: bool) -> int | float:
    if re.fullmatch(r"[+-]?\d{1,15}", given, re.ASCII):
        return int(given)
    if whole:
        raise NotThat("Write a whole number, such as 35.")
    if re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", given, re.ASCII) and math.isfinite(float(given)):
        return float(given)
    raise NotThat("Write a number with a point, such as 35 or 35.50.")


def _json(given: str) -> Any:
    try:
        return json.loads(given, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NotThat("This is not JSON. Keep its brackets, commas and double quotes.") from None


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _put(arguments: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *above, last = path
    for name in above:
        arguments = arguments[name]
    arguments[last] = value


def _mapping(thing: Any) -> Mapping[str, Any]:
    return thing if isinstance(thing, Mapping) else {}
