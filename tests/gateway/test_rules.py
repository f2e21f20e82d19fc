"""The words of a rule: conditions on arguments, the stricter of two texts, quiet hours. Pure, on any input."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings, strategies as st

from gateway.policy import Rule, Terms, conditions, hours, stricter

# --- conditions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "arguments", "holds"),
    [
        ("amount > 100", {"amount": 101}, True),
        ("amount > 100", {"amount": 100}, False),
        ('amount > 100 and currency == "USD"', {"amount": 101, "currency": "USD"}, True),
        ('currency in ("USD", "EUR")', {"currency": "EUR"}, True),
        ('currency in ["USD", "EUR"]', {"currency": "GBP"}, False),
        ('order.country == "DE"', {"order": {"country": "DE"}}, True),
        ('order["country"] == "DE"', {"order": {"country": "FR"}}, False),
        ("len(items) > 2", {"items": [1, 2, 3]}, True),
        ('lower(name) == "ana"', {"name": "ANA"}, True),
        ("not express", {"express": False}, True),
        ("amount > 100", {"amount": "4000"}, None),
        ("amount > 100", {}, None),
        ("amount > 100", None, None),
        ("amount", {"amount": 1}, None),
        ("amount ** 9999999 > 1", {"amount": 9}, None),
        ("amount << 9999999 > 1", {"amount": 9}, None),
        ('"a" * amount == ""', {"amount": 10**9}, None),
        ("open(path)", {"path": "/etc/passwd"}, None),
        ("name.__class__ == 1", {"name": "x"}, None),
        ('name.format("x") == "x"', {"name": "x"}, None),
        ("lower(amount) == 1", {"amount": 1}, None),
    ],
)
def test_a_condition_holds_does_not_hold_or_cannot_be_said(
    text: str, arguments: dict[str, Any] | None, holds: bool | None
) -> None:
    assert conditions.met(text, arguments) is holds


@pytest.mark.parametrize(
    "text", ["", " ", "amount >", "amount = 5", "a; b", "import os", "(" * 300, "x" * 501, "a\0b", "if a: b"]
)
def test_what_is_no_one_expression_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match=r"condition|null bytes"):
        conditions.check(text)


names = st.sampled_from(["amount", "currency", "items", "len", "lower", "order", "__class__", "True"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
leaves = names | st.sampled_from(["1", "-1.5", '"USD"', "None", "[1, 2]", '{"a": 1}', "10 ** 9", "()"])
expressions = st.recursive(
    leaves,
    lambda one: st.one_of(
        st.tuples(one, st.sampled_from([">", "==", "in", "and", "or", "+", "*", "%", "/", "**", "<<", "is"]), one).map(
            " ".join
        ),
        one.map(lambda text: f"({text})"),
        one.map(lambda text: f"not {text}"),
        one.map(lambda text: f"len({text})"),
        one.map(lambda text: f"lower({text})"),
        st.tuples(one, one).map(lambda two: f"{two[0]}[{two[1]}]"),
        st.tuples(one, one).map(lambda two: f"[{two[0]} for x in {two[1]}]"),
        one.map(lambda text: f"{text}.__class__"),
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(text=expressions | st.text(max_size=30), arguments=st.none() | st.dictionaries(names, values, max_size=4))
def test_a_condition_never_raises_and_says_nothing_but_yes_no_or_that_it_cannot_be_said(
    text: str, arguments: dict[str, Any] | None
) -> None:
    assert conditions.met(text, arguments) in (True, False, None)


# --- what a rule says of a call ----------------------------------------------------------------------------

TIERS = Rule.model_validate(
    {
        "approvers": ["head"],
        "required": 2,
        "edit": "forbid",
        "when": [
            {"if": 'country == "XX"', "decision": "deny"},
            {"if": "amount <= 10", "decision": "approve"},
            {"if": "amount <= 100", "required": 1, "approvers": ["ana"], "edit": "allow"},
        ],
    }
)


@pytest.mark.parametrize(
    ("arguments", "says", "required"),
    [
        ({"amount": 5, "country": "DE"}, "approve", 2),
        ({"amount": 5, "country": "XX"}, "deny", 2),
        ({"amount": 50, "country": "DE"}, "ask", 1),
        ({"amount": 500, "country": "DE"}, "ask", 2),
    ],
)
def test_the_first_condition_that_holds_is_taken(arguments: dict[str, Any], says: str, required: int) -> None:
    ruling = TIERS.of(arguments)

    assert (ruling.says, ruling.terms.required, ruling.sure) == (says, required, True)


@pytest.mark.parametrize(
    "arguments", [None, {}, {"country": "DE"}, {"amount": "5", "country": "DE"}, {"amount": 5}, {"amount": True}]
)
def test_where_a_condition_cannot_be_evaluated_people_are_asked(arguments: dict[str, Any] | None) -> None:
    ruling = TIERS.of(arguments)

    assert (ruling.says, ruling.sure) == ("ask", False)
    assert ruling.terms.required == 2


def test_a_condition_that_cannot_be_evaluated_eases_nothing() -> None:
    easier = Rule.model_validate({**TIERS.model_dump(exclude={"when"}), "when": [TIERS.when[2]]})

    assert easier.of({"amount": 50}).terms.required == 1
    ruling = easier.of({"amount": "50"})
    assert (ruling.sure, ruling.terms.required, ruling.terms.edit) == (False, 2, "forbid")


def test_a_condition_that_cannot_be_evaluated_still_makes_it_harder() -> None:
    harder = Rule.model_validate({"approvers": ["ana"], "when": [{"if": "amount > 100", "required": 2}]})

    assert harder.of({"amount": 50}).terms.required == 1
    assert harder.of({"amount": "50"}).terms.required == 2


# --- terms, and the stricter of two ------------------------------------------------------------------------

times = st.integers(1, 600).map(lambda minutes: timedelta(minutes=minutes))
people = st.lists(st.sampled_from(["ana", "ben", "slack:U0CLEO", "slack:group:S0LEADS"]), max_size=4, unique=True)
caps = st.none() | st.floats(0, 1e9)
surfaces = st.lists(st.sampled_from(["slack", "sms", "email", "api"]), max_size=4, unique=True)


@st.composite
def terms(draw: Callable[[Any], Any]) -> Terms:
    escalates = draw(st.booleans())
    return Terms(
        ask=tuple(draw(st.lists(st.sampled_from(["slack:C0OPS", "sms:ana", "requester"]), max_size=3))),
        approvers=tuple(draw(people)),
        required=draw(st.integers(1, 20)),
        self_approval=draw(st.booleans()),
        expires_after=timedelta(minutes=draw(st.integers(601, 10_080))),
        on_unanswered=draw(st.sampled_from(["deny", "hold", "handoff"])),
        remind_after=tuple(draw(st.lists(times, max_size=10))),
        escalate_after=draw(times) if escalates else None,
        escalate_to=("slack:C0HEAD",) if escalates else (),
        edit=draw(st.sampled_from(["allow", "forbid"])),
        reason=draw(st.sampled_from(["optional", "required"])),
        destructive=draw(st.booleans()),
        surfaces=tuple(draw(surfaces)),
        max_amount_slack=draw(caps),
        max_amount_sms=draw(caps),
        max_amount_email=draw(caps),
        max_amount_api=draw(caps),
        redact=tuple(draw(st.lists(st.sampled_from(["iban", "phone"]), max_size=2, unique=True))),
        quiet_hours=draw(st.sampled_from(["", "20:00-08:00 Europe/Berlin"])),
        approve_unseen=draw(st.booleans()),
    )


@settings(deadline=None)
@given(one=terms())
def test_terms_survive_their_json(one: Terms) -> None:
    assert Terms.model_validate_json(one.model_dump_json()) == one


def gives(one: Terms, surface: str, amount: float, votes: int, *, own: bool, whole: bool, reason: str) -> set[str]:
    """What somebody may do with a request on these terms."""
    may = {"deny"} if surface in one.surfaces and (reason or one.reason == "optional") else set()
    cap = one.cap(surface)
    if surface in one.surfaces and (cap is None or amount <= cap) and votes >= one.required:
        may |= {"approve"} if (whole or one.approve_unseen) and (one.self_approval or not own) else set()
    if surface in one.surfaces and one.edit == "allow":
        may.add("edit")
    return may | {f"see {name}" for name in ("iban", "phone") if name not in one.redact}


@settings(deadline=None)
@given(
    then=terms(),
    now=terms(),
    surface=st.sampled_from(["slack", "sms", "email", "api"]),
    amount=st.floats(0, 1e9),
    votes=st.integers(0, 20),
    own=st.booleans(),
    whole=st.booleans(),
    reason=st.sampled_from(["", "too old"]),
)
def test_the_stricter_never_gives_more_than_either(
    then: Terms, now: Terms, surface: str, amount: float, votes: int, own: bool, whole: bool, reason: str
) -> None:
    both = stricter(then, now)

    def given_by(one: Terms) -> set[str]:
        return gives(one, surface, amount, votes, own=own, whole=whole, reason=reason)

    assert given_by(both) <= given_by(then) & given_by(now)
    assert both.approvers == now.approvers  # who may is always today's word
    assert both.destructive == (then.destructive or now.destructive)


@settings(deadline=None)
@given(one=terms())
def test_the_stricter_of_the_same_is_the_same(one: Terms) -> None:
    assert stricter(one, one) == one


# --- quiet hours -------------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT, SIESTA = hours.read("20:00-08:00 Europe/Berlin"), hours.read("12:30-14:00 Europe/Berlin")


def berlin(*when: int, fold: int = 0) -> datetime:
    return datetime(*when, tzinfo=BERLIN, fold=fold).astimezone(UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("quiet", "now", "over"),
    [
        (NIGHT, berlin(2026, 11, 21, 19, 59), berlin(2026, 11, 21, 19, 59)),
        (NIGHT, berlin(2026, 11, 21, 20, 0), berlin(2026, 11, 22, 8, 0)),
        (NIGHT, berlin(2026, 11, 22, 7, 59), berlin(2026, 11, 22, 8, 0)),
        (NIGHT, berlin(2026, 11, 22, 8, 0), berlin(2026, 11, 22, 8, 0)),
        (SIESTA, berlin(2026, 11, 21, 13, 0), berlin(2026, 11, 21, 14, 0)),
        (SIESTA, berlin(2026, 11, 21, 12, 29), berlin(2026, 11, 21, 12, 29)),
        (NIGHT, berlin(2026, 3, 28, 23, 0), berlin(2026, 3, 29, 8, 0)),  # clocks go forward: 8 hours, not 9
        (NIGHT, berlin(2026, 10, 24, 23, 0), berlin(2026, 10, 25, 8, 0)),  # and back: 10 hours
        (hours.read("22:00-02:30 Europe/Berlin"), berlin(2026, 3, 29, 1, 0), berlin(2026, 3, 29, 3, 30)),
        (hours.read("22:00-02:30 Europe/Berlin"), berlin(2026, 10, 25, 2, 10), berlin(2026, 10, 25, 2, 30)),
        (
            hours.read("22:00-02:30 Europe/Berlin"),
            berlin(2026, 10, 25, 2, 10, fold=1),
            berlin(2026, 10, 25, 2, 30, fold=1),
        ),
    ],
)
def test_quiet_hours_are_over_at_their_end_by_the_clock_on_the_wall(
    quiet: hours.Quiet, now: datetime, over: datetime
) -> None:
    assert quiet.over_at(now) == over


@settings(deadline=None)
@given(
    begins=st.integers(0, 1_439),
    lasts=st.integers(1, 16 * 60),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_it_is_never_quiet_when_quiet_hours_are_over(begins: int, lasts: int, zone: str, now: datetime) -> None:
    ends = (begins + lasts) % 1_440
    assume(begins != ends)
    quiet = hours.read(f"{begins // 60:02d}:{begins % 60:02d}-{ends // 60:02d}:{ends % 60:02d} {zone}")
    assert quiet is not None

    over = quiet.over_at(now)

    assert now <= over <= now + timedelta(hours=18)
    assert quiet.over_at(over) == over
    assert over.tzinfo == now.tzinfo


def test_without_quiet_hours_it_is_never_quiet() -> None:
    assert hours.read("") is None


@pytest.mark.parametrize("text", ["20:00", "20:00-08:00", "24:00-08:00 UTC", "8:00-9:00 UTC", "20:00-08:00 ../x"])
def test_hours_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"quiet hours|time zone"):
        hours.read(text)
