"""`gateway approvals explain`, `gateway people list|check` and the start: the policy read aloud. No database."""

import json
from pathlib import Path

import pytest

from tests.helpers.cli import ROOT, asks

POLICY = """
[[routes]]
channel = "*"
agent = "support"

[people.ana]
slack = "U0ANA"
sms = "+15550002222"

[people.max]
slack = "U0MAX"
email = "max@acme.example"

[approvals.default]
ask = ["slack:C0OPS"]
approvers = ["ana"]

[approvals.tools.issue_refund]
ask = ["slack:C0OPS", "sms:ana"]
approvers = ["ana", "slack:group:S0LEADS", "slack:U0BEN"]
max_amount_sms = 100
remind_after = ["15m"]
escalate_after = "2h"
escalate_to = ["slack:U0HEAD"]
quiet_hours = "20:00-08:00 UTC"

[[approvals.tools.issue_refund.when]]
if = "amount < 10"
decision = "approve"

[[approvals.tools.issue_refund.when]]
if = "amount > 200"
required = 2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/agents").symlink_to(ROOT / "config/agents")
    (tmp_path / "config/gateway.toml").write_text(POLICY)
    return tmp_path


def explained(folder: Path, *words: str) -> list[str]:
    done = asks(folder, "approvals", "explain", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_explain_says_whom_a_large_refund_is_shown_and_who_may_decide(folder: Path) -> None:
    said = explained(folder, "issue_refund", "amount=400", "order_id=A-1001")

    assert said[:2] == ["issue_refund people are asked", "the rule [approvals.tools.issue_refund]"]
    assert "if amount < 10 does not hold" in said
    assert "if amount > 200 holds" in said
    assert "shown at slack:C0OPS, sms:ana (+15550002222)" in said
    assert "may decide ana, slack:group:S0LEADS, slack:U0BEN; 2 of them are needed" in said
    assert "approved on sms no: the amount is not known to be at most 100" in said
    assert "approved on api yes" in said
    assert "reminded after 15m, never in 20:00-08:00 UTC" in said
    assert "may decide then ana, slack:group:S0LEADS, slack:U0BEN, slack:U0HEAD" in said
    assert said[-1] == "after 1d it ends, and the agent is told that nobody decided"
    assert not (folder / "var").exists()


def test_explain_says_what_the_policy_decides_by_itself_and_what_it_cannot_evaluate(folder: Path) -> None:
    assert explained(folder, "issue_refund", "amount=5")[0] == "issue_refund approved by the policy itself"
    unsure = explained(folder, "issue_refund", 'amount="5"')
    assert "if amount < 10 cannot be evaluated and so people are asked" in unsure
    assert "if amount > 200 cannot be evaluated and so people are asked" in unsure
    assert unsure[0] == "issue_refund people are asked"


def test_explain_reads_values_as_json_and_else_as_text(folder: Path) -> None:
    words = ("issue_refund", "amount=40", "order_id=A-1001", "urgent=true", 'tags=["a"]', "note=NaN")
    told = json.loads(asks(folder, "approvals", "explain", *words, "--json").stdout)

    assert told["arguments"] == {"amount": 40, "order_id": "A-1001", "urgent": True, "tags": ["a"], "note": "NaN"}
    assert (told["table"], told["says"], told["terms"]["required"]) == ("approvals.tools.issue_refund", "ask", 1)
    assert [one["surface"] for one in told["where"]] == ["slack", "sms", "email", "api"]


def test_people_are_listed_with_what_they_may_decide(folder: Path) -> None:
    listed = json.loads(asks(folder, "people", "list", "--json").stdout)

    assert [(one["name"], one["decides"]) for one in listed] == [("ana", ["default", "issue_refund"]), ("max", [])]
    assert "U0ANA" in asks(folder, "people", "list").stdout


def test_every_person_and_approver_is_looked_at_once(folder: Path) -> None:
    done = asks(folder, "people", "check", "--json")

    found = {(one["who"], one["address"]): one for one in json.loads(done.stdout)}
    assert done.returncode == 0
    assert found["ana", "sms:+15550002222"]["found"] == "unchecked"
    assert ("max", "slack:U0MAX") in found
    assert ("slack:group:S0LEADS", "slack:group:S0LEADS") in found
    assert ("slack:U0BEN", "slack:U0BEN") in found


def test_an_approver_who_can_never_decide_stops_the_start(folder: Path) -> None:
    (folder / "config/gateway.toml").write_text(POLICY.replace('"slack:U0BEN"', '"slack:ben"'))

    for words in (("run",), ("people", "check"), ("doctor",)):
        done = asks(folder, *words, PORT="0")
        assert done.returncode == 1
        said = done.stderr or done.stdout
        assert 'config/gateway.toml, line 20: approvals.tools.issue_refund.approvers: "slack:ben" can never' in said
        assert "a Slack member id, such as U0123ABCD or T0TEAM/U0123ABCD" in said


def test_a_rule_for_a_tool_that_no_agent_has_stops_the_start(folder: Path) -> None:
    path = folder / "config/gateway.toml"
    path.write_text(POLICY.replace("tools.issue_refund", "tools.issue_refunds"))

    for words in (("run",), ("approvals", "explain", "issue_refund"), ("people", "list")):
        done = asks(folder, *words, PORT="0")
        assert done.returncode == 1
        assert done.stderr == (
            "gateway: config/gateway.toml: [approvals.tools.issue_refunds]: no agent in config/agents has that tool; "
            "did you mean issue_refund?\n"
        )
    assert "issue_refunds" in asks(folder, "doctor").stdout
