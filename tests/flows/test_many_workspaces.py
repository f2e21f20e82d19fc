"""Two workspaces that install the app by OAuth: the same ids in both, and nobody is ever taken for somebody else."""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.agent.client import AgentClient, AgentSettings
from adapters.sandbox import cast
from config import boxed, wiring
from config.serving import bind, serving
from gateway import dead, policy as policies
from tests.helpers import slack
from tests.helpers.cli import says
from tests.helpers.clock import Clock
from tests.helpers.databases import Copies
from tests.helpers.installing import Browser
from tests.helpers.rows import rows
from tests.helpers.town import Town

FIRST, SECOND = cast.TEAM, cast.SECOND
DM = cast.dm_of(cast.MAX)
POLICY = """
[[routes]]
channel = "slack"
account = "T0SECOND"
agent = "support"

[[routes]]
channel = "*"
agent = "support"

[people.ana]
slack = "T0SANDBOX/U0ANA"

[approvals.default]
ask = ["slack:T0SANDBOX/C0OPS"]
approvers = ["ana"]

[operations]
alerts = ["slack:T0SANDBOX/C0OPS"]
heads = false
"""


@pytest.fixture
async def town(database_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Town]:
    made = Town(database_url, tmp_path, clock, POLICY, by_oauth=True)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def browser(town: Town) -> AsyncIterator[Browser]:
    async with Browser(town.live.url) as browser:
        yield browser


async def test_each_workspace_is_answered_in_its_own_and_no_token_is_seen(
    town: Town, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gateway")
    caplog.set_level(logging.DEBUG, "adapters")
    await browser.installs(FIRST)
    await browser.installs(SECOND)

    await writes(town, FIRST, "Where is order A-1001?")
    await writes(town, SECOND, "Where is order A-1002?")

    assert "A-1001" in (await replies(town, FIRST))[0]["text"]
    assert "A-1002" in (await replies(town, SECOND))[0]["text"]
    accounts = [
        (row["account"], row["thread_key"].partition(":")[0]) for row in await rows(town.store, "conversations")
    ]
    assert sorted(accounts) == [(FIRST, DM), (SECOND, DM)]
    kept = await rows(town.store, "installations")
    assert [(one["account"], one["name"]) for one in kept] == [(FIRST, "Sandbox"), (SECOND, "Second")]
    assert "xoxb-" not in caplog.text
    assert "xoxb-" not in str(kept)
    listed = await says(town.settings.database_url, "slack", "workspaces")
    assert [line.split()[:2] for line in listed.splitlines()[1:]] == [[FIRST, "Sandbox"], [SECOND, "Second"]]


async def test_the_same_id_in_another_workspace_decides_nothing(town: Town, browser: Browser) -> None:
    await browser.installs(FIRST)
    await browser.installs(SECOND)
    await writes(town, SECOND, "Please refund order A-1001, $40.")
    card = await town.card()

    elsewhere = slack.click(cast.ANA, SECOND, cast.OPS, card, "approval_approve")
    await _sent(town, elsewhere)
    assert [row["state"] for row in await rows(town.store, "approvals")] == ["pending"]

    await town.ana.approves(card)
    assert any("40" in reply["text"] for reply in await replies(town, SECOND, 2))
    assert not cards(town, SECOND)
    assert [row["decided_by"] for row in await rows(town.store, "approvals")] == ["ana"]


async def test_two_processes_know_the_same_of_every_workspace(copies: Copies, tmp_path: Path, clock: Clock) -> None:
    with copies.lent() as url:
        town = Town(url, tmp_path, clock, POLICY, by_oauth=True)
        await town.open()
        async with another_door(town) as other, Browser(town.live.url) as browser:
            back = await browser.decides(await browser.begins(), SECOND)
            cookie = browser.cookie
            assert (await browser.opens(back.replace(town.live.url, other))).status_code == 200
            browser.cookie = cookie
            assert (await browser.opens(back)).status_code == 400

            await writes(town, SECOND, "Where is order A-1001?")
            await replies(town, SECOND)
            await town.sandbox.uninstall(SECOND)
            late = slack.message("Hello?", ts="1.0001") | {"team_id": SECOND, "authorizations": []}
            await _sent(town, late, to=other)

            assert [row["kind"] for row in await rows(town.store, "inbox")] == ["message"]
        await town.close()


async def test_a_request_that_its_requester_confirms_is_no_business_of_the_same_id_elsewhere(
    database_url: str, tmp_path: Path, clock: Clock
) -> None:
    policy = POLICY.replace('ask = ["slack:T0SANDBOX/C0OPS"]', 'ask = ["requester"]')
    town = Town(database_url, tmp_path, clock, policy.replace('["ana"]', '["requester"]'), by_oauth=True)
    await town.open()
    async with Browser(town.live.url) as browser:
        await browser.installs(SECOND)
        await browser.installs(FIRST)
    await writes(town, SECOND, "Please refund order A-1001, $40.")
    card = (await town.until(lambda: [one for one in said_in(town, SECOND) if _asks(one)], "the card"))[0]

    await _sent(town, slack.click(cast.MAX, FIRST, DM, card, "approval_approve"))
    before = [row["state"] for row in await rows(town.store, "approvals")]
    await town.sandbox.in_team(SECOND).click(cast.MAX, DM, card["ts"], "approval_approve")

    assert before == ["pending"]
    assert [row["state"] for row in await rows(town.store, "approvals")] == ["approved"]
    await town.close()


async def test_who_uninstalls_in_the_middle_is_answered_once_the_app_is_back(town: Town, browser: Browser) -> None:
    await browser.installs(FIRST)
    await browser.installs(SECOND)
    await writes(town, SECOND, "Please refund order A-1001, $40.")
    card = await town.card()
    await replies(town, SECOND)

    assert (await town.sandbox.uninstall(SECOND)).status_code == 200
    assert (await town.sandbox.in_team(SECOND).write(cast.MAX, DM, "Hello?", None, ())).status_code == 200
    await town.ana.approves(card)
    await town.until(lambda: [one for one in town.alerts() if "was not sent" in one], "the alert of the reply")

    assert len([one for one in town.alerts() if f"removed from slack:{SECOND}" in one]) == 1
    assert [row["kind"] for row in await rows(town.store, "inbox")] == ["message", "decision"]
    (letter,) = await town.store.read(dead.letters)
    assert f"not installed in the Slack workspace {SECOND}" in letter.why

    await browser.installs(SECOND)
    before = len(said_in(town, SECOND))
    await town.store.write(lambda tx: dead.replay(tx, dead.read_id(letter.id), who="ana", now=town.clock()))
    assert "40" in (await replies(town, SECOND, before + 1))[-1]["text"]


async def test_a_state_is_good_once_for_a_while_and_in_one_browser(
    town: Town, browser: Browser, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    back = await browser.decides(await browser.begins(), FIRST)
    cookie = browser.cookie
    async with Browser(town.live.url) as other:
        assert (await other.opens(back)).status_code == 400
    assert (await browser.opens(back)).status_code == 200
    browser.cookie = cookie
    assert (await browser.opens(back)).status_code == 400

    forged = back.partition("&state=")[0] + "&state=99999999999.00.00"
    browser.cookie = "slack-app-oauth-state=99999999999.00.00"
    assert (await browser.opens(forged)).status_code == 400

    late = await browser.decides(await browser.begins(), SECOND)
    clock.passes(timedelta(minutes=11))
    assert (await browser.opens(late)).status_code == 400

    cancelled = await browser.opens(await browser.decides(await browser.begins(), ""))
    assert (cancelled.status_code, "Nothing was changed" in cancelled.text) == (200, True)
    asked = await browser.opens(f"{town.live.url}/slack/oauth_redirect?error=<script>x</script>")
    assert (asked.status_code, "<script>" in asked.text) == (200, False)
    for query in ("", "state=x", "code=x", "state=%00&code=%ff", "state=" + "x" * 9000):
        assert (await browser.opens(f"{town.live.url}/slack/oauth_redirect?{query}")).status_code == 400
    assert [row["account"] for row in await rows(town.store, "installations")] == [FIRST]
    assert "code=" not in caplog.text


async def writes(town: Town, team: str, words: str) -> None:
    assert (await town.sandbox.in_team(team).write(cast.MAX, DM, words, None, ())).status_code == 200


def in_team(town: Town, team: str) -> dict[str, Any]:
    state = town.sandbox.state()
    return state if team == FIRST else state["second"]  # type: ignore[no-any-return]


def said_in(town: Town, team: str) -> list[dict[str, Any]]:
    return [post for post in in_team(town, team)["channels"][DM] if "bot" in post]


def cards(town: Town, team: str) -> list[dict[str, Any]]:
    return [post for post in in_team(town, team)["channels"][cast.OPS] if post.get("blocks")]


async def replies(town: Town, team: str, count: int = 1) -> list[dict[str, Any]]:
    """All of them, once there are this many and none grows any more."""

    def there() -> list[dict[str, Any]]:
        found = said_in(town, team)
        return found if len(found) >= count and not found[-1]["text"].endswith("…") else []

    return await town.until(there, f"reply {count} in {team}")  # type: ignore[no-any-return]


def _asks(post: dict[str, Any]) -> bool:
    return any(block["type"] == "actions" for block in post.get("blocks") or [])


@asynccontextmanager
async def another_door(town: Town) -> AsyncIterator[str]:
    """A web process beside the town's own; its address."""
    of_slack = {"slack": boxed.slack(town.sandbox.settings)}
    nowhere = AgentClient(AgentSettings(url="http://127.0.0.1:1/v1"))
    built = wiring.build(
        town.settings.model_copy(update=of_slack),
        policies.read(POLICY),
        nowhere,
        public_url=town.live.url,
        clock=town.clock,
        runs_engine=False,
    )
    async with aclosing(nowhere), built as parts:
        listening = bind("127.0.0.1", 0)
        async with serving(parts.app, listening):
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"


async def _sent(town: Town, payload: dict[str, Any], to: str = "") -> None:
    secret, now = town.sandbox.settings.slack_signing_secret, town.clock().timestamp()
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post((to or town.live.url) + "/slack/events", **slack.signed(secret, payload, at=now))
    assert answer.status_code == 200
