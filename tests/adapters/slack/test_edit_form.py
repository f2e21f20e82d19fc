"""The form in which an approver changes arguments: types are kept, and what is wrong is said where it stands."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from adapters.sandbox.blocks import check_view
from adapters.slack import edit_form
from gateway.events import ApprovalView, Identity, Proof

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "description": "The number of the order."},
        "amount": {"type": "number"},
        "count": {"type": "integer"},
        "express": {"type": "boolean"},
        "currency": {"enum": ["USD", "EUR", "true", True, 1]},
        "address": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"$ref": "#/$defs/Zip"}},
        },
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "gift": {"type": "string"},
    },
    "$defs": {"Zip": {"type": "string", "minLength": 5}},
}
ARGUMENTS: dict[str, Any] = {
    "order_id": "A-1001",
    "amount": 40,
    "count": 2,
    "express": False,
    "currency": "USD",
    "address": {"city": "Boston", "zip": "02101"},
    "note": None,
    "tags": ["kite"],
}
VIEW = ApprovalView(
    id="apr_4f6c",
    tool="issue_refund",
    arguments=ARGUMENTS,
    digest="0123456789abcdef" * 4,
    requester=Identity(channel="sms", address="+15550001111", proof=Proof.CARRIER),
    asked_in="sms",
    agent="support",
    message="Please refund order A-1001, $40.",
    required=1,
    approvers=("ana",),
    reason_required=False,
    expires_at=datetime(2026, 11, 21, 14, 30, tzinfo=UTC),
    can_edit=True,
    input_schema=SCHEMA,
)


def inputs(view: ApprovalView) -> dict[str, dict[str, Any]]:
    form = edit_form.form(view)
    check_view(form)
    return {block["block_id"]: block["element"] for block in form["blocks"] if block["type"] == "input"}


def submitted(view: ApprovalView, **changes: str | None) -> dict[str, Any]:
    """The state Slack sends when somebody changes some inputs and leaves the others as they open."""
    values: dict[str, Any] = {}
    for block_id, element in inputs(view).items():
        chooses = element["type"] == "static_select"
        if block_id in changes:
            said = changes[block_id]
        elif chooses:
            said = (element.get("initial_option") or {}).get("value")
        else:
            said = element.get("initial_value")
        given_: dict[str, Any] = {"type": element["type"]}
        given_ |= {"selected_option": None if said is None else {"value": said}} if chooses else {"value": said}
        values[block_id] = {block_id: given_}
    return {"values": values}


def changed(view: ApprovalView = VIEW, **changes: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    return edit_form.written(view, submitted(view, **changes))


def option(view: ApprovalView, block_id: str, text: str) -> str:
    options = inputs(view)[block_id]["options"]
    return next(str(one["value"]) for one in options if one["text"]["text"] == text)


def test_each_argument_has_the_input_of_its_kind() -> None:
    kinds = {block: element["type"] for block, element in inputs(VIEW).items()}

    assert kinds == {
        "order_id": "plain_text_input",
        "amount": "number_input",
        "count": "number_input",
        "express": "static_select",
        "currency": "static_select",
        "address/city": "plain_text_input",
        "address/zip": "plain_text_input",
        "note": "plain_text_input",
        "tags": "plain_text_input",
        "gift": "plain_text_input",
    }
    assert inputs(VIEW)["count"]["is_decimal_allowed"] is False


def test_who_saves_without_a_change_changes_nothing() -> None:
    arguments, errors = changed()

    assert (json.dumps(arguments), errors) == (json.dumps(ARGUMENTS), {})


@pytest.mark.parametrize(
    ("block", "said", "path", "value"),
    [
        ("amount", "35.50", ["amount"], 35.5),
        ("amount", "35", ["amount"], 35),
        ("amount", "-1.5e2", ["amount"], -150.0),
        ("count", "3", ["count"], 3),
        ("order_id", "42", ["order_id"], "42"),
        ("order_id", None, ["order_id"], ""),
        ("address/zip", "10001", ["address", "zip"], "10001"),
        ("note", "fragile", ["note"], "fragile"),
        ("tags", '["kite", "red"]', ["tags"], ["kite", "red"]),
        ("gift", "yes", ["gift"], "yes"),
    ],
)
def test_what_is_written_keeps_the_type_of_the_argument(
    block: str, said: str | None, path: list[str], value: Any
) -> None:
    arguments, errors = changed(**{block: said})

    expected = json.loads(json.dumps(ARGUMENTS))
    place = expected
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert errors == {}
    assert json.dumps(arguments, sort_keys=True) == json.dumps(expected, sort_keys=True)


@pytest.mark.parametrize(
    ("block", "text", "value"),
    [("express", "true", True), ("currency", "EUR", "EUR"), ("currency", "1", 1), ("currency", "true", "true")],
)
def test_a_choice_is_the_very_value_of_the_schema(block: str, text: str, value: Any) -> None:
    arguments, errors = changed(**{block: option(VIEW, block, text)})

    assert errors == {}
    assert json.dumps(arguments[block]) == json.dumps(value)


@pytest.mark.parametrize(
    ("block", "said", "words"),
    [
        ("amount", "about 35", "Write a number"),
        ("amount", "1e999", "Write a number"),
        ("amount", "NaN", "Write a number"),
        ("amount", "٣٥", "Write a number"),
        ("amount", None, "cannot be left out"),
        ("count", "3.5", "whole number"),
        ("count", "9" * 30, "whole number"),
        ("currency", "77", "not one of the choices"),
        ("currency", "x", "not one of the choices"),
        ("express", None, "cannot be left out"),
        ("tags", "[kite]", "not JSON"),
        ("tags", "[NaN]", "not JSON"),
        ("tags", "[" * 100_000, "not JSON"),
    ],
)
def test_what_is_wrong_is_said_at_its_input_and_the_rest_is_kept(block: str, said: str | None, words: str) -> None:
    arguments, errors = changed(**{block: said, "order_id": "A-1002"})

    assert list(errors) == [block]
    assert words in errors[block]
    assert arguments["order_id"] == "A-1002"


@pytest.mark.parametrize("state", [None, [], {}, {"values": 3}, {"values": {"amount": None, "express": {"value": []}}}])
def test_a_form_that_no_slack_sends_changes_nothing_silently(state: Any) -> None:
    arguments, errors = edit_form.written(VIEW, state)

    assert {"amount", "count", "express"} <= set(errors)
    assert arguments["amount"] == 40


def test_what_the_tool_does_not_take_is_said_beside_it() -> None:
    said = ("address.zip: '1' is too short", "amount: 90 is more than 80", "amount: no", "something is odd")

    assert edit_form.beside(VIEW, said) == {
        "address/zip": "'1' is too short",
        "amount": "90 is more than 80; no",
        "order_id": "something is odd",
    }


def test_a_hidden_argument_has_no_input_and_stays() -> None:
    view = replace(VIEW, hidden=("order_id",), arguments={**ARGUMENTS, "order_id": "(hidden)"})

    assert "order_id" not in inputs(view)
    assert "order_id cannot be changed here" in json.dumps(edit_form.form(view))
    assert changed(view, amount="35")[0]["order_id"] == "(hidden)"


def test_what_is_too_long_for_an_input_is_named_and_stays() -> None:
    view = replace(VIEW, arguments={**ARGUMENTS, "order_id": "A" * 4_000})

    assert "order_id" not in inputs(view)
    assert "order_id cannot be changed here" in json.dumps(edit_form.form(view))
    assert changed(view)[0]["order_id"] == "A" * 4_000


def test_a_tool_of_many_arguments_still_opens() -> None:
    names = [f"argument_{number}" for number in range(150)]
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}

    assert len(inputs(replace(VIEW, input_schema=schema, arguments=dict.fromkeys(names, "x")))) == 80


@pytest.mark.parametrize("schema", [{}, {"properties": {}}, {"properties": 3}, {"$ref": "#/nowhere"}, {"$ref": "#"}])
def test_without_anything_to_change_there_is_nothing_to_save(schema: dict[str, Any]) -> None:
    form = edit_form.form(replace(VIEW, input_schema=schema))

    check_view(form)
    assert "submit" not in form


LEAVES = st.one_of(
    st.tuples(st.just({"type": "string"}), st.text(st.characters(codec="utf-8"), max_size=50)),
    st.tuples(st.just({"type": "integer"}), st.integers(-(10**14), 10**14)),
    st.tuples(st.just({"type": "number"}), st.one_of(st.integers(-99, 99), st.floats(-1e9, 1e9, width=32))),
    st.tuples(st.just({"type": "boolean"}), st.booleans()),
    st.tuples(st.just({"type": ["string", "null"]}), st.one_of(st.none(), st.text(max_size=5))),
    st.tuples(st.just({"enum": [1, "1", True, None, 1.5]}), st.sampled_from([1, "1", True, None, 1.5])),
    st.tuples(st.just({"type": "array"}), st.lists(st.integers(), max_size=3)),
)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)
SHAPES = st.dictionaries(
    NAMES,
    st.one_of(
        LEAVES,
        st.dictionaries(NAMES, LEAVES, min_size=1, max_size=3).map(
            lambda parts: (
                {"type": "object", "properties": {name: part[0] for name, part in parts.items()}},
                {name: part[1] for name, part in parts.items()},
            )
        ),
    ),
    max_size=6,
)


@given(SHAPES)
def test_whatever_the_tool_takes_saving_without_a_change_changes_nothing(shape: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {name: part[0] for name, part in shape.items()}}
    arguments = {name: part[1] for name, part in shape.items()}
    view = replace(VIEW, input_schema=schema, arguments=arguments)

    kept, errors = changed(view)

    assert errors == {}
    assert json.dumps(kept) == json.dumps(arguments)


BLANKS = ["", " ", "\t", " \n ", "\u3000", "kite ", "\tkite", "a\r\nb", "a\r"]


@pytest.mark.parametrize("schema", [{"type": "string"}, {"type": ["string", "null"]}])
@pytest.mark.parametrize("text", BLANKS)
def test_a_form_that_trims_what_it_gives_back_changes_nothing(text: str, schema: dict[str, Any]) -> None:
    view = replace(VIEW, input_schema={"type": "object", "properties": {"note": schema}}, arguments={"note": text})

    assert changed(view) == ({"note": text}, {})
    assert changed(view, note=text.strip().replace("\r\n", "\n") or None) == ({"note": text}, {})


def test_a_text_that_is_emptied_is_empty_or_null_where_that_may_be() -> None:
    assert changed(order_id=" ")[0]["order_id"] == " "
    assert changed(order_id=None)[0]["order_id"] == ""
    assert changed(replace(VIEW, arguments={**ARGUMENTS, "note": "kite"}), note=None)[0]["note"] is None


def test_a_text_that_the_tool_requires_cannot_be_emptied_but_stays_as_empty_as_it_was() -> None:
    needed = replace(VIEW, input_schema={**SCHEMA, "required": ["order_id"]})
    inputs = {block["block_id"]: block for block in edit_form.form(needed)["blocks"] if block["type"] == "input"}
    assert [inputs[name]["optional"] for name in ("order_id", "address/city")] == [False, True]

    kept, errors = edit_form.written(needed, {"values": {}})
    assert errors["order_id"] == "This cannot be left out, only changed."
    assert kept["order_id"] == "A-1001"

    blank = replace(needed, arguments={"order_id": ""})
    assert edit_form.written(blank, {"values": {}}) == ({"order_id": ""}, {})
