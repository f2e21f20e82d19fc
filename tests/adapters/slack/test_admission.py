"""With many workspaces: whose requests are taken, by whose token they are answered, and what a removal does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse

from adapters.slack import card
from adapters.slack.channel import SlackChannel
from adapters.slack.settings import SlackSettings
from gateway.errors import DatabaseAway, KeyRefused, WillNeverArrive
from gateway.events import Say, ThreadRef
from tests.adapters.doors import RecordingDoor
from tests.adapters.slack.conftest import NOW, SECRET, FakeSlack, SlackSide, side_of
from tests.adapters.slack.test_endpoint import click
from tests.helpers import slack as said

GONE = {"type": "app_uninstalled"}
REVOKED = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U0BOT"]}}


@pytest.fixture
async def many(slack: FakeSlack, door: RecordingDoor) -> AsyncIterator[SlackChannel]:
    """Installed in T0ACME and in all of E0CORP."""
    door.installations.kept = {"T0ACME": ("xoxb-acme", "Acme"), "E0CORP": ("xoxb-corp", "Corp")}
    settings = SlackSettings(
        signing_secret=SecretStr(SECRET),
        client_id="1.2",
        client_secret=SecretStr("s3cret"),
        api_url=f"{slack.base}/api",
    )
    channel = SlackChannel(
        settings, clock=lambda: NOW, public_url=lambda: "https://gw.example", installed=door.installations
    )
    yield channel
    await channel.aclose()


@pytest.fixture
async def side(many: SlackChannel, door: RecordingDoor) -> AsyncIterator[SlackSide]:
    async with side_of(many, door) as side:
        yield side


def of(team: str, event: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    body = said.message("hello", ts="1.0001") | {"team_id": team, "event_time": int(NOW.timestamp())}
    grant = {"team_id": team, "user_id": "U0BOT", "is_bot": True, **more}
    return body | {"authorizations": [grant]} | ({} if event is None else {"event": event})


async def test_who_is_installed_is_kept_under_their_own_account(side: SlackSide, door: RecordingDoor) -> None:
    assert (await side.sends(of("T0ACME"))).status_code == 200

    assert [one.thread.account for one in door.inbox.kept] == ["T0ACME"]


async def test_a_workspace_of_an_organisation_comes_by_the_organisations_installation(
    side: SlackSide, door: RecordingDoor, many: SlackChannel, slack: FakeSlack
) -> None:
    whole = {"enterprise_id": "E0CORP", "is_enterprise_install": True}
    assert (await side.sends(of("T0PART", **whole))).status_code == 200

    to = door.inbox.kept[0].thread
    await many.send(Say(to=to, text="hi"))
    assert (to.account, slack.calls[-1].authorization) == ("E0CORP", "Bearer xoxb-corp")


async def test_in_a_shared_channel_the_grant_says_whose_installation_it_is(
    side: SlackSide, door: RecordingDoor
) -> None:
    assert (await side.sends(of("T0ACME") | {"team_id": "T0PARTNER"})).status_code == 200

    assert [one.thread.account for one in door.inbox.kept] == ["T0ACME"]


async def test_who_is_not_installed_is_acknowledged_and_named_once(
    side: SlackSide, door: RecordingDoor, slack: FakeSlack, caplog: pytest.LogCaptureFixture
) -> None:
    click = {"type": "block_actions", "team": {"id": "T0EVIL"}, "user": {"id": "U1", "team_id": "T0EVIL"}}
    approve = click | {"actions": [{"action_id": "approval_approve", "value": "A1", "block_id": "b"}]}

    answers = [await side.sends(of("T0EVIL")), await side.sends(of("T0EVIL")), await side.interacts(approve)]

    assert [(one.status_code, one.content) for one in answers] == [(200, b"")] * 3
    assert (door.inbox.kept, door.approvals.decided, slack.calls) == ([], [], [])
    assert caplog.text.count("T0EVIL") == 1


@pytest.mark.parametrize("event", [GONE, REVOKED])
async def test_a_removal_is_kept_before_it_is_answered_and_twice_is_once(
    event: dict[str, Any], side: SlackSide, door: RecordingDoor, many: SlackChannel
) -> None:
    assert [(await side.sends(of("T0ACME", event))).status_code for _ in range(2)] == [200, 200]

    assert list(door.installations.kept) == ["E0CORP"]
    assert [(at - NOW).total_seconds() for _, at in door.installations.removals] == [1, 1]
    with pytest.raises(WillNeverArrive, match="T0ACME"):
        await many.send(Say(to=ThreadRef("slack", "T0ACME", "C1"), text="hi"))


async def test_a_removal_that_cannot_be_kept_is_sent_again(side: SlackSide, door: RecordingDoor) -> None:
    door.installations.fails = DatabaseAway("away")

    assert (await side.sends(of("T0ACME", GONE))).status_code == 503


async def test_a_persons_own_token_that_is_revoked_removes_nothing(side: SlackSide, door: RecordingDoor) -> None:
    theirs = {"type": "tokens_revoked", "tokens": {"oauth": ["U0ANA"], "bot": []}}

    assert (await side.sends(of("T0ACME", theirs))).status_code == 200
    assert door.installations.removals == []


async def test_what_no_key_opens_is_tried_again_and_what_comes_in_is_kept(
    side: SlackSide, door: RecordingDoor, many: SlackChannel, slack: FakeSlack
) -> None:
    door.installations.fails = KeyRefused("no key of SECRET_KEY opens it")
    approve = click(card.APPROVE, slack, team={"id": "T0ACME"})

    answers = [await side.sends(of("T0ACME")), await side.interacts(approve)]

    assert [one.status_code for one in answers] == [200, 200]
    assert (len(door.inbox.kept), len(door.approvals.decided)) == (1, 1)
    with pytest.raises(KeyRefused):
        await many.send(Say(to=ThreadRef("slack", "T0ACME", "C1"), text="hi"))


async def test_a_place_without_a_workspace_is_nowhere(many: SlackChannel) -> None:
    with pytest.raises(WillNeverArrive, match="T0TEAM/C0OPS"):
        await many.send(Say(to=ThreadRef("slack", "", "C0OPS"), text="hi"))


async def test_the_members_of_a_group_are_of_its_workspace(many: SlackChannel, slack: FakeSlack) -> None:
    slack.will_answer("api/usergroups.users.list", {"ok": True, "users": ["U0ANA"]})

    assert await many.members("T0ACME/S0LEADS") == ["T0ACME/U0ANA"]


async def test_doctor_says_of_each_workspace_whether_its_token_is_good(many: SlackChannel, slack: FakeSlack) -> None:
    slack.will_answer("api/auth.test", {"ok": False, "error": "account_inactive"})
    slack.will_answer("api/auth.test", {"ok": False, "error": "account_inactive"})

    found = await many.check()

    assert [one.ok for one in found] == [False, False]
    assert found[0].what.startswith("slack: T0ACME (Acme): Slack said account_inactive")
    assert "xoxb" not in str(found)


async def test_variables_of_slacks_own_tools_switch_nothing_on(
    channel: SlackChannel, door: RecordingDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"):
        monkeypatch.setenv(name, "somebody else's")

    async with side_of(channel, door) as side:
        assert (await side.sends(of("T0ANY"))).status_code == 200
        assert (await side._http.get("/slack/install")).status_code == 404
    assert len(door.inbox.kept) == 1


async def test_the_installer_is_led_to_the_slack_that_is_set(side: SlackSide, slack: FakeSlack) -> None:
    page = await side._http.get("/slack/install?team=T0ACME%0d%0aevil")

    assert page.status_code == 200
    assert f"{slack.base}/oauth/v2/authorize?client_id=1.2&amp;scope=" in page.text
    assert "redirect_uri=https%3A%2F%2Fgw.example%2Fslack%2Foauth_redirect" in page.text
    assert "evil" not in page.text
    assert "HttpOnly" in page.headers["set-cookie"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (JSONResponse({"ok": False, "error": "invalid_code"}), 400),
        (JSONResponse({"ok": True, "access_token": "xoxb-1", "team": None}), 502),
        (JSONResponse({"ok": True, "team": {"id": "T0NEW", "name": "<b>New"}}), 502),
        (JSONResponse("a page of a proxy", status_code=503), 400),
    ],
)
async def test_whatever_slack_answers_the_installer_reads_a_plain_page(
    answer: JSONResponse, status: int, side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    state = await door.installations.new_state()
    slack.will_answer("api/oauth.v2.access", answer)
    slack.will_answer("api/auth.test", {"ok": True, "bot_id": "B1"})

    cookie = {"cookie": f"slack-app-oauth-state={state}"}
    page = await side._http.get(f"/slack/oauth_redirect?code=c0de&state={state}", headers=cookie)

    assert page.status_code == status
    assert "was not installed" in page.text
    assert sorted(door.installations.kept) == ["E0CORP", "T0ACME"]
