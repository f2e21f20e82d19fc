"""Is somebody at an address of Slack's? From the real client."""

from typing import Any

import pytest

from gateway.errors import GatewayError, TryLater
from tests.adapters.slack.conftest import FakeSlack
from tests.adapters.slack.test_check import looking

ANA = {"id": "U0ANA", "team_id": "T0TEAM", "deleted": False, "is_bot": False}


@pytest.mark.parametrize(
    ("answer", "address", "why"),
    [
        ({"ok": True, "user": ANA}, "U0ANA", ""),
        ({"ok": True, "user": ANA}, "T0TEAM/U0ANA", ""),
        ({"ok": True, "user": ANA}, "T0OTHER/U0ANA", "this user is of the workspace T0TEAM"),
        ({"ok": True, "user": ANA | {"deleted": True}}, "U0ANA", "this user is deactivated"),
        ({"ok": True, "user": ANA | {"is_bot": True}}, "U0ANA", "this user is a bot"),
        ({"ok": False, "error": "user_not_found"}, "U0ANA", "Slack knows no such user"),
    ],
)
async def test_a_person_of_the_workspace_is_told_from_others(
    answer: dict[str, Any], address: str, why: str, slack: FakeSlack
) -> None:
    slack.will_answer("api/users.info", answer)
    async with looking(f"{slack.base}/api") as channel:
        assert await channel.nobody_at(address) == why


async def test_what_slack_does_not_say_is_no_word_about_the_person(slack: FakeSlack) -> None:
    slack.will_answer("api/users.info", {"ok": False, "error": "missing_scope"})
    async with looking(f"{slack.base}/api") as channel:
        with pytest.raises(GatewayError, match="missing_scope"):
            await channel.nobody_at("U0ANA")
    slack.will_answer("api/users.info", {"ok": False, "error": "ratelimited"})
    async with looking(f"{slack.base}/api") as channel:
        with pytest.raises(TryLater):
            await channel.nobody_at("U0ANA")
