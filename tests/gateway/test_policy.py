"""gateway.toml: the words it takes, what they mean, and what it says about the words it does not take."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from gateway import policy
from gateway.errors import ConfigError
from gateway.events import Identity, MessageReceived, Proof, ThreadRef
from gateway.policy import Policy, Rule, Terms

SHIPPED = Path(__file__).parents[2] / "config/gateway.toml"

WHOLE = """
[[routes]]
channel = "sms"
account = "+15005550199"
agent = "shop"
session_idle = "12h"

[[routes]]
channel = "*"
agent = "support"

[people.ana]
slack = "T0TEAM/U0ANA"
email = "Ana@Acme.example"
sms = "+15550002222"

[people.ben]
slack = "U0BEN"

[approvals.default]
ask = ["slack:C0OPS", "slack:T0TEAM/C0OPS", "sms:ana", "requester"]
approvers = ["ana", "slack:U0CLEO", "email:head@acme.example", "slack:group:S0LEADS", "requester"]
required = 2
self_approval = false
expires_after = "90m"
on_unanswered = "hold"
remind_after = ["15m", "1h"]
escalate_after = "45m"
escalate_to = ["slack:ben"]
edit = "forbid"
reason = "optional"
destructive = true
surfaces = ["slack", "api"]
max_amount_slack = 1000
redact = ["iban"]
quiet_hours = "20:00-08:00 Europe/Berlin"
approve_unseen = true

[approvals.tools.issue_refund]
approvers = ["ben"]
required = 1
reason = "required"

[[approvals.tools.issue_refund.when]]
if = "amount <= 10"
decision = "approve"

[operations]
alerts = ["slack:C0OPS"]
"""


def slack(address: str, account: str = "T0TEAM") -> Identity:
    return Identity(channel="slack", account=account, address=address, proof=Proof.PLATFORM)


def mail(address: str) -> Identity:
    return Identity(channel="email", address=address)


def phone(address: str) -> Identity:
    return Identity(channel="sms", address=address)


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        policy.read(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _written(text: str) -> set[str]:
    return {line.partition(" = ")[0] for line in text.splitlines()}


# --- the words there are -----------------------------------------------------------------------------------


def test_every_documented_word_is_taken() -> None:
    read = policy.read(WHOLE)

    assert [(route.channel, route.account, route.agent) for route in read.routes] == [
        ("sms", "+15005550199", "shop"),
        ("*", "*", "support"),
    ]
    assert read.routes[0].session_idle == timedelta(hours=12)
    assert read.routes[1].session_idle == timedelta(days=30)
    assert read.rule_for("anything") == Rule(
        ask=("slack:C0OPS", "slack:T0TEAM/C0OPS", "sms:ana", "requester"),
        approvers=("ana", "slack:U0CLEO", "email:head@acme.example", "slack:group:S0LEADS", "requester"),
        required=2,
        expires_after=timedelta(minutes=90),
        on_unanswered="hold",
        remind_after=(timedelta(minutes=15), timedelta(hours=1)),
        escalate_after=timedelta(minutes=45),
        escalate_to=("slack:ben",),
        edit="forbid",
        destructive=True,
        surfaces=("slack", "api"),
        max_amount_slack=1000,
        redact=("iban",),
        quiet_hours="20:00-08:00 Europe/Berlin",
        approve_unseen=True,
    )
    assert set(Terms.model_fields) <= {"max_amount_sms", "max_amount_email", "max_amount_api"} | _written(WHOLE)
    assert read.rule_for("issue_refund").of({"amount": 10}).says == "approve"
    assert read.operations.alerts == ("slack:C0OPS",)


def test_the_file_that_ships_is_taken() -> None:
    read = policy.read(SHIPPED.read_text())

    assert read.rule_for("issue_refund").approvers == ("ana",)


def test_an_empty_file_routes_nothing_and_lets_nobody_approve() -> None:
    read = policy.read("")

    assert read.routes == ()
    assert read.rule_for("issue_refund").approvers == ()
    assert read.rule_for("issue_refund").expires_after == timedelta(hours=24)
    assert read.named(read.rule_for("issue_refund").approvers, slack("U0ANA")) is None


@settings(deadline=None)
@given(channel=st.sampled_from(policy.CHANNELS), account=st.text(max_size=8), address=st.text(max_size=8))
def test_by_an_empty_rule_nobody_approves(channel: str, account: str, address: str) -> None:
    who = Identity(channel=channel, account=account, address=address)

    assert policy.read(WHOLE).named(Rule().approvers, who) is None
    assert Policy().person(who) is None


def test_the_version_names_the_text() -> None:
    first, again, other = (policy.read(text).version for text in (WHOLE, WHOLE, WHOLE + "# more\n"))

    assert first == again != other
    assert len(first) == 12


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(hours=24)),
        ("30d", timedelta(days=30)),
        ("1s", timedelta(seconds=1)),
    ],
)
def test_a_time_is_a_number_and_a_unit(written: str, meant: timedelta) -> None:
    assert policy.duration(written) == meant


@pytest.mark.parametrize(
    "written", ['"24"', '"h"', '"0h"', '"-1h"', '"1.5h"', '"24 h"', '"1w"', '""', "24", "true", '"٢h"']
)
def test_another_time_is_refused_with_an_example(written: str) -> None:
    said = refused(f"[approvals.default]\nexpires_after = {written}\n")

    assert said.startswith("gateway.toml, line 2: approvals.default.expires_after: ")
    assert "such as 15m or 24h" in said


# --- words there are not -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("colour = 1\n", 1, "colour"),
        ('[[routes]]\nchannel = "*"\nagent = "a"\nacount = "x"\n', 4, "acount"),
        ("[people.ana]\nphone = '+1'\n", 2, "phone"),
        ("[approvals.default]\napprover = []\n", 2, "approver"),
        ("[approvals.tools.pay]\n\nexpire_after = '1h'\n", 3, "expire_after"),
        ("[approvals.defualt]\nask = []\n", 1, "defualt"),
        ("[operations]\nalert = []\n", 2, "alert"),
        ("[[routes]]\nchannel = '*'\nagent = 'a'\n[[routes]]\nchannel = '*'\nagent = 'b'\nidle = '1h'\n", 7, "idle"),
    ],
)
def test_an_unknown_word_is_refused_with_its_line(text: str, line: int, word: str) -> None:
    said = refused(text)

    assert said.startswith(f"gateway.toml, line {line}: ")
    assert f"`{word}` is not a word of this table" in said
    assert "docs/policy.md" in said


def test_what_an_older_file_let_a_request_keep_can_still_be_read() -> None:
    kept = Terms.model_validate_json('{"ask": ["slack:C0OPS"], "approvers": ["slack:bob", "sms:+1"]}')

    assert kept.approvers == ("slack:bob", "sms:+1")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[approvals.default]\nrequired = 0\n", 2, "greater than or equal to 1"),
        ("[approvals.default]\nrequired = 21\n", 2, "less than or equal to 20"),
        ('[approvals.default]\non_unanswered = "approve"\n', 2, "'deny'"),
        ('[approvals.default]\nask = ["email:ana@acme.example"]\n', 2, "is built yet, not"),
        ('[approvals.default]\nescalate_to = ["email:ana@acme.example"]\n', 2, "is built yet, not"),
        ('[approvals.default]\nescalate_to = ["requester"]\n', 2, "is built yet, not"),
        ('[approvals.default]\nask = ["slack:"]\n', 2, "is built yet, not"),
        ('[approvals.default]\nask = "slack:C0OPS"\n', 2, 'default.ask: it is a list: write it as ["slack:C0OPS"]'),
        ('[approvals.default]\napprovers = ["slack:group:"]\n', 2, "names no group"),
        ('[approvals.default]\nsurfaces = ["fax"]\n', 2, "'slack', 'sms'"),
        ("[approvals.default]\nmax_amount_sms = -1\n", 2, "greater than or equal to 0"),
        ('[approvals.default]\nedit = "maybe"\n', 2, "'allow' or 'forbid'"),
        ('[approvals.default]\nquiet_hours = "8-20"\n', 2, "20:00-08:00 Europe/Berlin"),
        ('[approvals.default]\nquiet_hours = "20:00-08:00 Mars/Base"\n', 2, "there is no time zone"),
        ('[approvals.default]\nquiet_hours = "20:00-20:00 UTC"\n', 2, "never be over"),
        ('[approvals.default]\nremind_after = ["1x"]\n', 2, "such as 15m or 24h"),
        ('[approvals.default]\nexpires_after = "1h"\nremind_after = ["15m", "1h"]\n', 1, "`remind_after` comes after"),
        ('[approvals.default]\nescalate_after = "2h"\n', 1, "`escalate_after` needs `escalate_to`"),
        ('[approvals.default]\napprovers = ["requester"]\nrequired = 2\n', 1, "nobody could approve"),
        ('[approvals.default]\nask = ["sms:ana"]\n[people.ana]\nslack = "U0ANA"\n', None, "people.ana has no `sms`"),
        ('[people.a]\nsms = "+15550001"\n[people.b]\nsms = "+15550001"\n', None, "both a and b"),
        ('[people.a]\nsms = "+15550001"\n[people.b]\nwhatsapp = "+15550001"\n', None, "both a and b"),
        ('[people.a]\nwhatsapp = "whatsapp:+15550001"\n', 2, "a number with its country"),
        ('[approvals.default]\nask = ["whatsapp:ana"]\n[people.ana]\nsms = "+15550001"\n', None, "has no `whatsapp`"),
        ('[approvals.default]\nask = ["whatsapp:anna"]\n', None, "neither among [people.*] nor a number"),
        ('[approvals.default]\nask = ["sms:whatsapp:+15550001111"]\n', None, "neither among [people.*] nor a number"),
        ('[approvals.default]\nask = ["rcs:+15550001111"]\n', 2, "is built yet, not"),
        ('[approvals.default]\napprovers = ["whatsapp:ana"]\n', 2, "is no number like whatsapp:+15550001111"),
        ('[approvals.default]\napprovers = ["whatsapp:+0"]\n', 2, "can never decide"),
        ('[people.requester]\nsms = "+15550001"\n', None, "cannot be a person's name"),
        ('[people.a]\nslack = "a"\n', 2, "a Slack member id, such as U0123ABCD"),
        ('[people.a]\nslack = "C0OPS"\n', 2, "a Slack member id, such as U0123ABCD"),
        ('[people.a]\nsms = "0555 000111"\n', 2, "a number with its country, such as +15550002222"),
        ('[people.a]\nemail = "a.acme.example"\n', 2, '"a.acme.example": it is not a mail address'),
        ('[approvals.default]\napprovers = ["slack:bob"]\n', 2, '"slack:bob" can never decide: it is not a Slack'),
        ('[approvals.default]\napprovers = ["slack:group:leads"]\n', 2, "the id of a Slack user group"),
        ('[approvals.default]\napprovers = ["sms:+0555"]\n', 2, '"sms:+0555" can never decide'),
        ('[approvals.default]\napprovers = ["email:ana"]\n', 2, '"email:ana" can never decide'),
        ('[[approvals.default.when]]\nif = "amount > 1"\napprovers = ["slack:bob"]\n', 3, '"slack:bob" can never'),
        ('[approvals.default]\nask = ["sms:+1-555-000-1111"]\n', None, "nor a number like +15550001111"),
        ('[approvals.default]\napprovers = ["fax:123"]\n', 2, '"fax:123" is no identity'),
        ('[approvals.default]\napprovers = ["slack:"]\n', 2, '"slack:" is no identity'),
        ('[approvals.default]\nexpires_after = "8d"\n', 2, "at most 7d"),
        ('[approvals.default]\nreason = "always"\n', 2, "'optional' or 'required'"),
        ('[operations]\nalerts = ["email:a@b.example"]\n', 2, "is built yet, not"),
        ('[[routes]]\nchannel = "fax"\nagent = "a"\n', 2, "'slack', 'sms'"),
        ('[[routes]]\nchannel = "*"\nagent = ""\n', 3, "routes.0.agent"),
        ('[[routes]]\nchannel = "*"\n', None, "routes.0.agent: Field required"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_line(text: str, line: int | None, said: str) -> None:
    told = refused(text)

    assert told.startswith(f"gateway.toml, line {line}: " if line else "gateway.toml")
    assert said in told


@pytest.mark.parametrize("table", ["default", "tools.issue_refund"])
def test_an_approver_nobody_knows_is_refused(table: str) -> None:
    said = refused(f'[people.ben]\nslack = "U0BEN"\n[approvals.{table}]\napprovers = ["ben", "ana"]\n')

    assert '"ana"' in said
    assert table.rpartition(".")[2] in said
    assert "[people.*]" in said


@pytest.mark.parametrize(
    ("text", "line"), [("[approvals\n", 1), ("\n\nask = [\n", 4), ('a = "x\n', 1), ("a = 1\na = 2\n", 2), ("=\n", 1)]
)
def test_what_is_no_toml_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ConfigError) as caught:
        policy.read(text, "config/gateway.toml")

    assert str(caught.value).startswith("config/gateway.toml: ")
    assert f"line {line}" in str(caught.value) or "end of document" in str(caught.value)
    assert "mend the line" in str(caught.value)


@settings(deadline=None)
@given(text=st.text(max_size=80) | st.lists(st.sampled_from(WHOLE.splitlines()), max_size=12).map("\n".join))
def test_no_text_is_anything_but_a_policy_or_one_clear_error(text: str) -> None:
    try:
        assert isinstance(policy.read(text), Policy)
    except ConfigError as error:
        said = str(error)
    else:
        said = "gateway.toml"
    assert said.startswith("gateway.toml")


# --- rules -------------------------------------------------------------------------------------------------


def test_a_tools_table_changes_the_words_it_names_and_keeps_the_rest() -> None:
    read = policy.read(WHOLE)

    rule, default = read.rule_for("issue_refund"), read.rule_for("update_address")
    assert (rule.approvers, rule.reason) == (("ben",), "required")
    assert (rule.ask, rule.expires_after) == (default.ask, default.expires_after)
    assert (default.approvers[0], default.reason) == ("ana", "optional")


def test_without_a_default_other_tools_have_no_approver() -> None:
    read = policy.read('[people.ana]\nslack = "U0ANA"\n[approvals.tools.pay]\napprovers = ["ana"]\n')

    assert read.named(read.rule_for("pay").approvers, slack("U0ANA")) == "ana"
    assert read.named(read.rule_for("issue_refund").approvers, slack("U0ANA")) is None


# --- routes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class To:
    """A message to one of our accounts."""

    channel: str
    account: str
    own: bool = True

    def message(self) -> MessageReceived:
        return MessageReceived(
            event_id="1",
            message_id="1",
            thread=ThreadRef(self.channel, self.account, "k"),
            sender=Identity(channel=self.channel, address="x"),
            text="hi",
            own_account=self.own,
        )


ROUTES = """
[[routes]]
channel = "sms"
account = "+1"
agent = "one"
[[routes]]
channel = "sms"
agent = "texts"
[[routes]]
channel = "*"
account = "T0TEAM"
agent = "team"
[[routes]]
channel = "*"
agent = "rest"
[[routes]]
channel = "sms"
agent = "never"
"""


@pytest.mark.parametrize(
    ("to", "agent"),
    [
        (To("sms", "+1"), "one"),
        (To("sms", "+1", own=False), "one"),
        (To("sms", "+2"), "texts"),
        (To("sms", "+2", own=False), None),
        (To("slack", "T0TEAM"), "team"),
        (To("slack", "T0TEAM", own=False), "team"),
        (To("slack", "T0OTHER"), "rest"),
        (To("email", "help@acme.example"), "rest"),
        (To("email", "help@acme.example", own=False), None),
    ],
)
def test_the_first_route_that_matches_takes_a_message(to: To, agent: str | None) -> None:
    route = policy.read(ROUTES).route_for(to.message())

    assert (route.agent if route else None) == agent


def test_an_account_called_star_is_not_everybodys() -> None:
    assert policy.read(ROUTES).route_for(To("email", "*", own=False).message()) is not None
    assert policy.read("[[routes]]\nchannel='sms'\nagent='a'\n").route_for(To("slack", "*").message()) is None


# --- people ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "name"),
    [
        (slack("U0ANA"), "ana"),
        (slack("U0ANA", "T0OTHER"), None),
        (slack("u0ana"), None),
        (slack("U0BEN"), "ben"),
        (slack("U0BEN", "T0OTHER"), "ben"),
        (slack("T0TEAM/U0ANA"), None),
        (slack("+15550002222"), None),
        (slack(""), None),
        (mail("ana@acme.example"), "ana"),
        (mail("ANA@ACME.EXAMPLE"), "ana"),
        (mail("ana@acme.example.evil"), None),
        (mail(""), None),
        (phone("+15550002222"), "ana"),
        (phone("15550002222"), None),
        (phone(""), None),
        (Identity(channel="web", address="ana"), None),
    ],
)
def test_one_person_is_known_by_their_own_addresses_only(who: Identity, name: str | None) -> None:
    assert policy.read(WHOLE).person(who) == name


@pytest.mark.parametrize(
    ("who", "approver"),
    [
        (slack("U0ANA"), "ana"),
        (phone("+15550002222"), "ana"),
        (mail("ana@acme.example"), "ana"),
        (slack("U0CLEO"), "slack:U0CLEO"),
        (mail("Head@acme.example"), "email:head@acme.example"),
        (slack("U0BEN"), None),
        (slack("ana"), None),
        (phone("U0CLEO"), None),
        (mail("stranger@acme.example"), None),
    ],
)
def test_only_who_is_named_may_approve(who: Identity, approver: str | None) -> None:
    read = policy.read(WHOLE)

    assert read.named(read.rule_for("update_address").approvers, who) == approver


def test_a_person_named_by_a_bare_identity_is_still_that_person() -> None:
    read = policy.read('[people.ana]\nslack = "U0ANA"\n[approvals.default]\napprovers = ["slack:U0ANA"]\n')

    assert read.named(read.rule_for("x").approvers, slack("U0ANA")) == "ana"


def test_a_bare_identity_may_name_its_team() -> None:
    read = policy.read('[approvals.default]\napprovers = ["slack:T0TEAM/U0ANA"]\n')

    assert read.named(read.rule_for("x").approvers, slack("U0ANA")) == "slack:T0TEAM/U0ANA"
    assert read.named(read.rule_for("x").approvers, slack("U0ANA", "T0OTHER")) is None


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("slack:C0OPS", ThreadRef("slack", "", "C0OPS")),
        ("slack:T0TEAM/C0OPS", ThreadRef("slack", "T0TEAM", "C0OPS")),
        ("sms:+15550002222", ThreadRef("sms", "", "+15550002222")),
    ],
)
def test_a_place_is_where_a_card_goes(written: str, place: ThreadRef) -> None:
    assert policy.place(written) == place


ANA_ON_BOTH = """
[people.ana]
sms = "+15550002222"
whatsapp = "+15550002222"
[approvals.default]
ask = ["whatsapp:ana", "sms:ana", "whatsapp:+15550003333"]
"""


def test_on_whatsapp_a_person_has_an_address_of_the_channel_of_texts() -> None:
    read = policy.read(ANA_ON_BOTH + 'approvers = ["ana", "whatsapp:+15550003333"]\n')

    assert [read.destination(one) for one in read.rule_for("pay").ask] == [
        ThreadRef("sms", "", "whatsapp:+15550002222"),
        ThreadRef("sms", "", "+15550002222"),
        ThreadRef("sms", "", "whatsapp:+15550003333"),
    ]
    assert read.person(phone("whatsapp:+15550002222")) == read.person(phone("+15550002222")) == "ana"
    assert read.named(["ana"], phone("whatsapp:+15550002222")) == "ana"
    assert read.named(["whatsapp:+15550003333"], phone("whatsapp:+15550003333")) == "whatsapp:+15550003333"


def test_whoever_is_listed_on_one_of_the_two_is_a_stranger_on_the_other() -> None:
    read = policy.read('[people.ana]\nwhatsapp = "+15550002222"\n')

    assert read.person(phone("+15550002222")) is None
    assert read.named(["sms:+15550003333"], phone("whatsapp:+15550003333")) is None
    assert read.named(["whatsapp:+15550003333"], phone("+15550003333")) is None


@pytest.mark.parametrize(
    "approvers",
    ['["sms:+15550003333", "whatsapp:+15550003333"]', '["ana", "whatsapp:+15550002222"]', '["sms:+15550002222"]'],
)
def test_one_number_is_never_two_approvers(approvers: str) -> None:
    only_sms = approvers.startswith('["ana"')
    ana = "[people.ana]\n" + ('sms = "+15550002222"\n' if only_sms else 'whatsapp = "+15550002222"\n')

    assert "one person; see [people.*]" in refused(f"{ana}[approvals.default]\napprovers = {approvers}\n")


def test_more_approvals_than_people_are_refused() -> None:
    people = '[people.ana]\nslack = "U0ANA"\n[people.ben]\nslack = "U0BEN"\n'
    rule = '[approvals.default]\nask = ["slack:C0OPS"]\nrequired = 2\n'

    said = refused(people + rule + 'approvers = ["ana", "requester"]\n')

    assert "default needs 2 people and names 1: nobody could approve" in said
    assert policy.read(people + rule + 'approvers = ["ana", "ben"]\n').approvals.default is not None
    assert policy.read(people + rule + 'approvers = ["slack:group:S0LEADS"]\n').approvals.default is not None
