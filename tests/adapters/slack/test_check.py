"""What `gateway doctor` learns of Slack, from the real client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.slack.channel import SlackChannel
from adapters.slack.settings import SlackSettings
from gateway.ports import Finding
from tests.adapters.doors import HangsUp, nobody_listens
from tests.adapters.slack.conftest import FakeSlack

ANSWER = {"ok": True, "team": "Acme", "user": "gatehouse", "team_id": "T0TEAM", "url": "https://acme.slack.com/"}
SCOPES = "app_mentions:read,chat:write,im:history,channels:history,groups:history,files:read"


@asynccontextmanager
async def looking(base: str, ahead: timedelta = timedelta()) -> AsyncIterator[SlackChannel]:
    settings = SlackSettings(signing_secret=SecretStr("s"), bot_token=SecretStr("xoxb-s3cret"), api_url=base)
    channel = SlackChannel(settings, clock=lambda: datetime.now(UTC) + ahead)
    try:
        yield channel
    finally:
        await channel.aclose()


async def found(
    slack: FakeSlack, answer: Any, headers: dict[str, str], ahead: timedelta = timedelta()
) -> list[Finding]:
    slack.will_answer("api/auth.test", answer, headers=headers)
    async with looking(f"{slack.base}/api", ahead) as channel:
        return list(await channel.check())


async def test_a_token_with_all_scopes_is_fine_and_says_whose_it_is(slack: FakeSlack) -> None:
    token, scopes, clock = await found(slack, ANSWER, {"x-oauth-scopes": SCOPES + ",users:read"})

    assert (token.ok, token.what) == (True, "slack: the token is gatehouse's in the workspace Acme")
    assert (scopes.ok, scopes.advice) == (True, "")
    assert (clock.ok, clock.what) == (True, "slack: its clock and ours agree")
    assert slack.calls[0].authorization == "Bearer xoxb-s3cret"


async def test_scopes_that_lack_are_named(slack: FakeSlack) -> None:
    _, scopes, _ = await found(slack, ANSWER, {"X-OAuth-Scopes": "chat:write, im:history,channels:history"})

    assert not scopes.ok
    assert scopes.what == "slack: the token lacks app_mentions:read, files:read, groups:history"
    assert "install" in scopes.advice


async def test_where_slack_does_not_say_the_scopes_that_is_no_failure(slack: FakeSlack) -> None:
    _, scopes, _ = await found(slack, ANSWER, {})

    assert scopes.ok
    assert "docs/deploying.md" in scopes.advice


async def test_a_clock_that_is_wrong_is_not_fine(slack: FakeSlack) -> None:
    _, _, clock = await found(slack, ANSWER, {}, timedelta(minutes=7))

    assert not clock.ok
    assert "Slack's requests are refused" in clock.advice


@pytest.mark.parametrize("error", ["invalid_auth", "account_inactive", "token_revoked", "fatal_error"])
async def test_a_token_that_is_refused_is_told_without_it(error: str, slack: FakeSlack) -> None:
    (one,) = await found(slack, {"ok": False, "error": error}, {})

    assert not one.ok
    assert error in one.what
    assert "SLACK__BOT_TOKEN" in one.advice
    assert "xoxb" not in one.what + one.advice


async def test_a_slack_that_is_away_is_said_so() -> None:
    async with looking(nobody_listens()) as channel:
        (away,) = await channel.check()
    hangs_up = HangsUp()
    async with hangs_up.open(), looking(hangs_up.base) as channel:
        (lost,) = await channel.check()

    for one in (away, lost):
        assert (one.ok, one.what) == (False, "slack: it cannot be reached")
