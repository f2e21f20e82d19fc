"""With many workspaces every Slack address says of which it is, and no two people are one."""

from pathlib import Path

import pytest

from config import teams
from gateway import policy as policies
from gateway.errors import ConfigError
from gateway.events import Identity
from tests.helpers.cli import ROOT, asks

SLACK = {
    "SLACK__SIGNING_SECRET": "s3cret",
    "SLACK__BOT_TOKEN": "xoxb-s3cret",
    "PUBLIC_URL": "https://gateway.example",
    "SECRET_KEY": "s3cret-and-long-enough-for-anybody",
}

WHOLE = """
[people.ana]
slack = "T0ACME/U0ANA"

[people.ben]
slack = "T0OTHER/U0ANA"

[approvals.default]
ask = ["slack:ana", "slack:T0ACME/C0OPS", "requester"]
approvers = ["ana", "ben", "slack:group:T0ACME/S0LEADS", "slack:T0ACME/U0CAT"]
required = 2
escalate_after = "1h"
escalate_to = ["slack:T0ACME/C0HEAD"]

[[approvals.default.when]]
if = "amount > 10"
approvers = ["slack:T0ACME/U0BIG", "ana"]

[operations]
alerts = ["slack:T0ACME/C0OPS", "sms:+15550002222"]
"""


def test_a_file_that_names_them_all_is_taken() -> None:
    teams.check(policies.read(WHOLE), "gateway.toml")


@pytest.mark.parametrize(
    ("address", "word", "better"),
    [
        ("T0ACME/U0ANA", "people.ana.slack", "T0TEAM/U0ANA"),
        ("T0ACME/C0HEAD", "approvals.default.escalate_to", "slack:T0TEAM/C0HEAD"),
        ("T0ACME/S0LEADS", "approvals.default.approvers", "slack:group:T0TEAM/S0LEADS"),
        ("T0ACME/U0BIG", "approvals.default.approvers", "slack:T0TEAM/U0BIG"),
        ("T0ACME/C0OPS", "operations.alerts", "slack:T0TEAM/C0OPS"),
    ],
)
def test_a_bare_address_is_refused_with_what_to_write(address: str, word: str, better: str) -> None:
    bare = WHOLE.replace(address, address.partition("/")[2])

    with pytest.raises(ConfigError) as refused:
        teams.check(policies.read(bare), "gateway.toml")

    assert str(refused.value).startswith(f"gateway.toml: {word}: ")
    assert f'as "{better}"' in str(refused.value)


@pytest.mark.parametrize(("team", "whose"), [("T0ACME", "ana"), ("T0OTHER", "ben"), ("T0THIRD", None)])
def test_the_same_id_in_two_workspaces_is_two_people(team: str, whose: str | None) -> None:
    policy = policies.read(WHOLE)
    who = Identity(channel="slack", account=team, address="U0ANA")

    assert policy.person(who) == whose
    assert policy.named(("ana",), who) == (whose if whose == "ana" else None)


def test_two_who_share_an_id_count_as_two() -> None:
    both = 'approvers = ["ana", "slack:T0OTHER/U0ANA"]\nrequired = 2\n'
    ana = '[people.ana]\nslack = "T0ACME/U0ANA"\n[approvals.default]\nask = ["slack:T0ACME/C0OPS"]\n'

    assert policies.read(ana + both).people

    with pytest.raises(ConfigError, match="needs 2 people and names 1"):
        policies.read(ana + both.replace("T0OTHER/", "T0ACME/"))


@pytest.mark.parametrize(
    ("policy", "more", "said"),
    [
        (WHOLE.replace("T0ACME/C0HEAD", "C0HEAD"), {}, 'write it with its own, as "slack:T0TEAM/C0HEAD"'),
        (WHOLE, SLACK, "--many is about the sandbox, and a channel is configured"),
    ],
)
def test_the_sandbox_of_two_workspaces_is_as_strict(
    policy: str, more: dict[str, str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "my.toml").write_text(policy)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/agents").symlink_to(ROOT / "config/agents")

    done = asks(tmp_path, "run", "--many", GATEWAY_CONFIG="my.toml", **more)

    assert done.returncode == 1
    assert said in done.stderr
