"""Can something be shown at a place of gateway.toml? From the real client."""

from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.events import ThreadRef
from tests.adapters.slack.conftest import FakeSlack
from tests.adapters.slack.test_check import looking

OPS = ThreadRef("slack", "", "C0OPS")


@pytest.mark.parametrize(
    ("answer", "ok", "what", "advice"),
    [
        ({"ok": True, "channel": {"name": "ops", "is_member": True}}, True, "the bot is in #ops", ""),
        ({"ok": True, "channel": {"is_im": True}}, True, "the bot is in it", ""),
        ({"ok": True, "channel": {"name": "ops", "is_member": False}}, False, "the bot is not in #ops", "/invite"),
        ({"ok": True, "channel": {"name": "ops", "is_archived": True}}, False, "#ops is archived", "unarchive"),
        ({"ok": False, "error": "channel_not_found"}, False, "Slack shows the bot no such channel", "/invite"),
    ],
)
async def test_a_channel_is_one_where_the_bot_is(
    answer: dict[str, Any], ok: bool, what: str, advice: str, slack: FakeSlack
) -> None:
    slack.will_answer("api/conversations.info", answer)
    async with looking(f"{slack.base}/api") as channel:
        found = await channel.look_at(OPS)

    assert (found.ok, found.what) == (ok, what)
    assert advice in found.advice


@pytest.mark.parametrize(("deactivated", "what"), [(False, "somebody is there"), (True, "this user is deactivated")])
async def test_a_person_is_one_who_is_there(deactivated: bool, what: str, slack: FakeSlack) -> None:
    slack.will_answer("api/users.info", {"ok": True, "user": {"id": "U0ANA", "deleted": deactivated}})
    async with looking(f"{slack.base}/api") as channel:
        found = await channel.look_at(ThreadRef("slack", "", "U0ANA"))

    assert (found.ok, found.what) == (not deactivated, what)


async def test_what_slack_does_not_say_is_no_word_about_the_place(slack: FakeSlack) -> None:
    slack.will_answer("api/conversations.info", {"ok": False, "error": "missing_scope"})
    async with looking(f"{slack.base}/api") as channel:
        with pytest.raises(GatewayError, match="missing_scope"):
            await channel.look_at(OPS)
