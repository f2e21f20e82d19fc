"""Slack as the app meets it from outside: codes, tokens of two workspaces, and what is refused."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.sandbox import cast

BACK = "/slack/oauth_redirect"


@pytest.fixture
def oauth(world: Any) -> Any:
    """The same world, with an app that is installed by OAuth."""
    world.sandbox.settings.slack_client_id = "1.2"
    world.sandbox.settings.slack_client_secret = "s3cret"
    return world


async def allowed(world: Any, team: str) -> str:
    """The code with which Slack leads back; empty: none."""
    asked = {"client_id": "1.2", "scope": "chat:write", "state": "x&y", "redirect_uri": world.url + BACK}
    async with httpx.AsyncClient(trust_env=False) as http:
        page = await http.get(f"{world.url}/sandbox/slack/oauth/v2/authorize", params=asked)
        assert page.status_code == 200
        answer = await http.post(f"{world.url}/sandbox/slack/oauth/v2/authorize", data={**asked, "team": team})
    told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert told["state"] == ["x&y"]
    return told.get("code", [""])[0]


async def exchanged(world: Any, code: str, /, **other: str) -> Any:
    given = {"client_id": "1.2", "client_secret": "s3cret", "redirect_uri": world.url + BACK, "code": code}
    return await AsyncWebClient(base_url=f"{world.url}/sandbox/slack/api/").oauth_v2_access(**{**given, **other})


async def test_each_workspace_has_a_token_and_posts_of_its_own(oauth: Any) -> None:
    told = await exchanged(oauth, await allowed(oauth, cast.SECOND))
    client = AsyncWebClient(told["access_token"], base_url=f"{oauth.url}/sandbox/slack/api/")

    await client.chat_postMessage(channel=cast.OPS, text="in the second")

    assert told["team"] == {"id": cast.SECOND, "name": "Second"}
    assert (await client.auth_test())["team_id"] == cast.SECOND
    state = oauth.sandbox.state()
    assert state["channels"][cast.OPS] == []
    assert [post["text"] for post in state["second"]["channels"][cast.OPS]] == ["in the second"]


@pytest.mark.parametrize(
    ("other", "error"),
    [
        ({"client_secret": "guessed"}, "bad_client_secret"),
        ({"client_id": "9.9"}, "invalid_client_id"),
        ({"redirect_uri": "https://evil.example"}, "bad_redirect_uri"),
        ({"code": "guessed"}, "invalid_code"),
    ],
)
async def test_a_code_is_for_one_app_and_one_address(other: dict[str, str], error: str, oauth: Any) -> None:
    with pytest.raises(SlackApiError, match=error):
        await exchanged(oauth, await allowed(oauth, cast.SECOND), **other)


async def test_a_code_is_good_once_and_for_ten_minutes(oauth: Any) -> None:
    code, late = await allowed(oauth, cast.SECOND), await allowed(oauth, cast.SECOND)
    await exchanged(oauth, code)
    oauth.clock.now += 601

    for old in (code, late):
        with pytest.raises(SlackApiError, match="invalid_code"):
            await exchanged(oauth, old)


async def test_whoever_cancels_gives_no_code(oauth: Any) -> None:
    assert await allowed(oauth, "") == ""


async def test_slack_leads_nobody_to_an_address_that_is_not_the_apps(oauth: Any) -> None:
    asked = {"client_id": "1.2", "redirect_uri": "https://evil.example/", "state": "<script>"}
    async with httpx.AsyncClient(trust_env=False) as http:
        page = await http.get(f"{oauth.url}/sandbox/slack/oauth/v2/authorize", params=asked)

    assert (page.status_code, page.text) == (400, "bad_redirect_uri")


async def test_a_token_that_was_revoked_is_refused(world: Any) -> None:
    assert (await world.slack.auth_revoke())["revoked"]

    with pytest.raises(SlackApiError, match="token_revoked"):
        await world.slack.auth_test()


async def test_who_uninstalls_the_app_is_told_of_and_its_token_is_refused(world: Any) -> None:
    await world.sandbox.uninstall()

    assert world.sandbox.state()["installed"] == {cast.TEAM: False, cast.SECOND: False}
    with pytest.raises(SlackApiError, match="account_inactive"):
        await world.slack.auth_test()
    told = [got.payload["event"]["type"] for got in world.gateway.at("/slack/events")]
    assert told == ["tokens_revoked", "app_uninstalled"]


async def test_a_reset_forgets_no_installation(oauth: Any) -> None:
    told = await exchanged(oauth, await allowed(oauth, cast.SECOND))

    oauth.sandbox.reset()

    client = AsyncWebClient(told["access_token"], base_url=f"{oauth.url}/sandbox/slack/api/")
    assert (await client.auth_test())["ok"]
