"""Changed arguments: what the tool's schema takes, types as they are. Nothing is converted."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from gateway.approvals import edits
from gateway.approvals.views import difference

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "minLength": 1},
        "amount": {"type": "number", "minimum": 0},
        "count": {"type": "integer"},
        "express": {"type": "boolean"},
        "reason": {"enum": ["damaged", "late", "other"]},
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "zip": {"type": "string"}},
            "required": ["street"],
            "additionalProperties": False,
        },
    },
    "required": ["order_id", "amount"],
}
GOOD: dict[str, Any] = {"order_id": "A-1001", "amount": 40}


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 35},
        {"amount": 35.5},
        {"amount": 0},
        {"count": -3},
        {"express": True},
        {"reason": "late"},
        {"address": {"street": "Main St 1"}},
        {"address": {"street": "Main St 1", "zip": "10115"}},
    ],
)
def test_a_value_of_its_own_type_is_taken(change: dict[str, Any]) -> None:
    assert edits.problems(GOOD | change, SCHEMA) == ()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"amount": "35"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": -1}, "amount"),
        ({"count": 1.5}, "count"),
        ({"count": "1"}, "count"),
        ({"express": "true"}, "express"),
        ({"express": 1}, "express"),
        ({"express": 0}, "express"),
        ({"reason": "Late"}, "reason"),
        ({"reason": ""}, "reason"),
        ({"address": "Main St 1"}, "address"),
        ({"address": {"street": 1}}, "address.street"),
        ({"address": {}}, "address"),
        ({"address": {"street": "Main St 1", "planet": "Mars"}}, "address"),
        ({"order_id": 1001}, "order_id"),
        ({"order_id": ""}, "order_id"),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_name(change: dict[str, Any], named: str) -> None:
    (problem,) = edits.problems(GOOD | change, SCHEMA)

    assert problem.startswith(f"{named}: ")


def test_an_argument_that_the_tool_does_not_know_is_refused() -> None:
    (problem,) = edits.problems(GOOD | {"approved": True}, SCHEMA)

    assert "'approved' was unexpected" in problem


def test_where_the_tool_takes_any_argument_an_unknown_one_is_taken() -> None:
    assert edits.problems(GOOD | {"note": "x"}, SCHEMA | {"additionalProperties": True}) == ()


def test_a_missing_argument_is_refused_by_its_name() -> None:
    (problem,) = edits.problems({"order_id": "A-1001"}, SCHEMA)

    assert "'amount' is a required property" in problem


def test_of_many_problems_the_first_ten_are_told() -> None:
    schema = {"properties": {f"a{n}": {"type": "string"} for n in range(30)}}

    assert len(edits.problems({f"a{n}": n for n in range(30)}, schema)) == edits.MOST_PROBLEMS


@pytest.mark.parametrize("schema", [{"type": "objekt"}, {"properties": []}, {"required": "amount"}])
def test_by_a_definition_that_cannot_be_read_nothing_can_be_changed(schema: dict[str, Any]) -> None:
    (problem,) = edits.problems(GOOD, schema)

    assert "cannot be read" in problem


@pytest.mark.parametrize("where", ["#/$defs/nowhere", "https://schemas.example/address.json"])
def test_a_definition_that_points_elsewhere_lets_nothing_be_changed(where: str) -> None:
    schema = {"properties": {"order_id": {"$ref": where}, "amount": {}}}

    (problem,) = edits.problems(GOOD, schema)

    assert "cannot be read" in problem


def test_arguments_beyond_all_measure_are_refused() -> None:
    (problem,) = edits.problems({"order_id": "x" * 200_000, "amount": 1}, SCHEMA)

    assert str(edits.MAX_CHARS) in problem


@pytest.mark.parametrize("amount", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_no_json_holds_is_refused(amount: float) -> None:
    assert edits.problems(GOOD | {"amount": amount}, SCHEMA) != ()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
words = st.sampled_from([*SCHEMA["properties"], "unknown"])


@settings(deadline=None)
@given(arguments=st.dictionaries(words, values, max_size=7))
def test_whatever_is_taken_has_the_types_of_the_tool(arguments: dict[str, Any]) -> None:
    if edits.problems(arguments, SCHEMA) == ():
        assert isinstance(arguments["order_id"], str)
        assert isinstance(arguments["amount"], int | float)
        assert not isinstance(arguments["amount"], bool)
        assert isinstance(arguments.get("express", False), bool)
        assert arguments.get("reason", "late") in ("damaged", "late", "other")
        assert arguments.keys() <= SCHEMA["properties"].keys()


def test_the_difference_names_each_argument_that_is_another() -> None:
    before = {"amount": 40, "express": True, "gone": 1, "same": {"a": [1, 2]}}
    after = {"amount": 35, "express": 1, "new": None, "same": {"a": [1, 2]}}

    assert difference(before, after) == (
        "amount: 40 -> 35",
        "express: true -> 1",
        "gone: 1 -> (none)",
        "new: (none) -> null",
    )


@settings(deadline=None)
@given(before=st.dictionaries(words, values), after=st.dictionaries(words, values))
def test_what_differs_is_named_and_nothing_else(before: dict[str, Any], after: dict[str, Any]) -> None:
    named = {line.partition(": ")[0] for line in difference(before, after)}
    other = {name for name in before.keys() | after.keys() if before.get(name, ...) != after.get(name, ...)}

    assert difference(before, before) == ()
    assert other <= named <= before.keys() | after.keys()
