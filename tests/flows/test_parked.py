"""Parked at the real agent server: what happens there meanwhile, and what a person at the command line does."""

import contextlib
from collections.abc import AsyncIterator

from adapters.agent.client import AgentClient, AgentSettings
from adapters.agent.server.app import ServerSettings
from gateway.events import ApprovalAsked, Deny
from gateway.policy.rules import LONGEST_WAIT
from gateway.reconciling import FORGOTTEN, LEASE
from gateway.words import Words
from tests.helpers.cli import says
from tests.helpers.rows import rows
from tests.helpers.town import Town

REFUND = "Please refund order A-1001, $40."
WORDS = Words()


@contextlib.asynccontextmanager
async def another_client(town: Town) -> AsyncIterator[tuple[AgentClient, str]]:
    """Of the same platform, and the session of the only turn."""
    (turn,) = await rows(town.store, "turns")
    url = str(town.live.parts.work.reconciling._platform._settings.url)  # type: ignore[attr-defined]
    async with contextlib.aclosing(AgentClient(AgentSettings(url=url))) as client:
        yield client, turn["session_id"]


async def answered_elsewhere(town: Town, reason: str) -> None:
    async with another_client(town) as (client, session), client.attach(session) as line:
        (asked,) = [one for one in await line.history() if isinstance(one, ApprovalAsked)]
        await line.answer(asked.message_id, Deny(reason=reason))


async def test_what_is_denied_at_the_platform_while_we_were_away_is_withdrawn_and_answered(town: Town) -> None:
    await town.alice.texts(REFUND)
    await town.card()
    await answered_elsewhere(town, "we know this customer")

    await town.restart()
    town.clock.passes(LEASE)  # of the process that is gone

    await town.card_says("ithdrawn")
    told = (await town.alice.gets(2))[1]
    assert told not in (WORDS.asked, WORDS.failed)
    (row,) = await rows(town.store, "approvals")
    assert (row["state"], row["reason"]) == ("cancelled", FORGOTTEN)


async def test_a_session_that_is_erased_at_the_platform_withdraws_the_request_and_the_customer_hears(
    town: Town,
) -> None:
    await town.alice.texts(REFUND)
    await town.card()
    async with another_client(town) as (client, session):
        assert await client.erase(session)

    await town.restart()
    town.clock.passes(LEASE)  # of the process that is gone

    await town.card_says("ithdrawn")
    assert (await town.alice.gets(2))[1] == WORDS.failed
    await town.alice.texts("Where is order A-1001?")
    assert "A-1001" in (await town.alice.gets(3))[2]


async def test_an_open_request_is_still_open_after_a_restart(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    await town.restart()

    await town.live.parts.work.reconciling.look()
    await town.ana.approves(card)

    assert "A-1001" in (await town.alice.gets(2))[1]


def test_the_embedded_servers_patience_is_longer_than_ours() -> None:
    assert ServerSettings.model_fields["approval_expires_after"].default > LONGEST_WAIT


async def test_a_person_takes_the_conversation_at_the_command_line_and_gives_it_back(town: Town) -> None:
    await town.alice.texts("Where is order A-1001?")
    await town.alice.gets(1)

    assert "with a person now" in await says(town.settings.database_url, "conversations", "take", "1")
    assert "with a person already" in await says(town.settings.database_url, "conversations", "take", "1")
    await town.alice.texts("Where is order A-1002?")
    assert (await town.alice.gets(2))[1] == WORDS.with_a_person
    assert "human" in await says(town.settings.database_url, "conversations", "show", "1")
    assert "with the agent again" in await says(town.settings.database_url, "conversations", "release", "1")

    assert "A-1002" in (await town.alice.gets(3))[2]
    assert "with the agent already" in await says(town.settings.database_url, "conversations", "release", "1")
    assert {"taken", "released"} <= {row["what"] for row in await rows(town.store, "audit")}
