"""People decide at the command line, each with a token of their own, beside the gateway that runs."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.helpers.meddling import spoil
from tests.helpers.rows import rows
from tests.helpers.terminal import Terminal
from tests.helpers.town import POLICY, Town, Under

REFUND = "Please refund order A-1001, $40."
TWO = POLICY + '\n[people.max]\nslack = "U0MAX"\n'


@pytest.fixture
async def terminal(under: Under, tmp_path: Path) -> AsyncIterator[Terminal]:
    async with under(TWO) as town:
        yield Terminal(town, tmp_path)


SCHEMA = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}, "reason": {"type": "string"}},
    "required": ["order_id", "amount"],
}


async def knows_the_tool(town: Town) -> None:
    """The agent's definition says what the tool takes, so that its arguments may be changed."""
    await spoil(town.store, f"UPDATE approvals SET input_schema = '{json.dumps(SCHEMA)}'")


async def states(town: Town) -> list[str]:
    return [row["state"] for row in await rows(town.store, "approvals")]


async def test_ana_approves_what_she_has_opened_and_the_customer_gets_the_refund(terminal: Terminal) -> None:
    town, ana = terminal.town, await terminal.token_of("ana")
    await town.alice.texts(REFUND)
    request = await terminal.request()

    listed = await terminal.runs("approvals", "list")
    shown = await terminal.runs("approvals", "show", request[:8], token=ana)
    said = await terminal.runs("approvals", "approve", request[:8], token=ana)

    assert request in listed
    assert "0 of 1" in listed
    assert town.alice.number not in listed
    assert 'order_id = "A-1001"' in shown
    assert REFUND in shown
    assert said == "Approved: issue_refund.\n"
    assert "A-1001" in (await town.alice.gets(2))[1]
    await town.card_says("Approved by ana")
    assert await terminal.runs("approvals", "list") == "nothing waits for a decision\n"
    (entry,) = json.loads(await terminal.runs("approvals", "list", "--all", "--json"))
    assert (entry["id"], entry["state"], entry["decided_by"], entry["votes"]) == (request, "approved", "ana", 1)


async def test_who_has_not_opened_it_cannot_approve_it_unless_they_name_its_digest(terminal: Terminal) -> None:
    town, ana = terminal.town, await terminal.token_of("ana")
    await town.alice.texts(REFUND)
    request = await terminal.request()
    digest = (await rows(town.store, "approvals"))[-1]["digest"]

    unseen = await terminal.runs("approvals", "approve", request, token=ana, code=1)
    await terminal.runs("approvals", "show", request)  # anybody at the machine may; it is nobody's opening
    still = await terminal.runs("approvals", "approve", request, token=ana, code=1)
    other = await terminal.runs("approvals", "approve", request, "--digest", "0" * 12, token=ana, code=1)
    assert "`gateway approvals show ID`" in unseen
    assert still == unseen
    begun = await terminal.runs("approvals", "approve", request, "--digest", digest[:12], token=ana, code=1)
    assert "has changed" in other
    assert begun == unseen, "the beginning stands also on a card that hides something"
    assert await states(town) == ["pending"]

    assert "Approved" in await terminal.runs("approvals", "approve", request, "--digest", digest, token=ana)


async def test_ana_approves_a_smaller_refund_and_the_customer_gets_that(terminal: Terminal) -> None:
    town, ana = terminal.town, await terminal.token_of("ana")
    await town.alice.texts(REFUND)
    request = await terminal.request()
    await knows_the_tool(town)

    blind = await terminal.runs("approvals", "approve", request, "--set", "amount=35", token=ana, code=1)
    await terminal.runs("approvals", "show", request, token=ana)
    wrong = await terminal.runs("approvals", "approve", request, "--set", "amount=lots", token=ana, code=1)
    said = await terminal.runs("approvals", "approve", request, "--set", "amount=35", token=ana)

    assert "open the whole" in blind
    assert "amount: 'lots' is not of type 'number'" in wrong
    assert said == "amount: 40 -> 35\nApproved: issue_refund.\n"
    assert "$35" in (await town.alice.gets(2))[1]
    assert "amount: 40 -> 35" in await terminal.runs("approvals", "show", request)


async def test_a_hidden_argument_survives_a_change_of_another(under: Under, tmp_path: Path) -> None:
    async with under(TWO.replace('"24h"', '"24h"\nredact = ["order_id"]')) as town:
        terminal = Terminal(town, tmp_path)
        ana = await terminal.token_of("ana")
        await town.alice.texts(REFUND)
        request = await terminal.request()
        await knows_the_tool(town)
        await terminal.runs("approvals", "show", request, token=ana)

        await terminal.runs("approvals", "approve", request, "--set", "amount=35", token=ana)

        assert "A-1001" in (await town.alice.gets(2))[1]


async def test_a_denial_tells_the_agent_why(under: Under, tmp_path: Path) -> None:
    async with under(TWO.replace('"24h"', '"24h"\nreason = "required"')) as town:
        terminal = Terminal(town, tmp_path)
        ana = await terminal.token_of("ana")
        await town.alice.texts(REFUND)
        request = await terminal.request()

        without = await terminal.runs("approvals", "deny", request, token=ana, code=1)
        said = await terminal.runs("approvals", "deny", request, "--reason", "Too old", token=ana)

        assert without.endswith("A reason is needed to deny this. Nothing was decided. Give --reason.\n")
        assert said == "Denied: issue_refund.\n"
        assert "Too old" in (await town.alice.gets(2))[1]
        late = await terminal.runs("approvals", "approve", request, token=ana, code=1)
        assert "Already decided. Denied by ana" in late


async def test_all_that_a_conversation_asks_for_is_denied_together(terminal: Terminal) -> None:
    town, ana = terminal.town, await terminal.token_of("ana")
    await town.alice.texts(REFUND)
    request = await terminal.request()
    conversation = str((await rows(town.store, "approvals"))[-1]["conversation_id"])

    nothing = await terminal.runs("approvals", "deny", "--conversation", "99", token=ana, code=1)
    said = await terminal.runs("approvals", "deny", "--conversation", conversation, token=ana)

    assert nothing == "gateway: conversation 99 asks for nothing that is yours to decide\n"
    assert said == f"{request}: Denied: issue_refund.\n"
    assert await states(town) == ["denied"]


async def test_a_colleague_who_may_not_decide_learns_nothing(terminal: Terminal) -> None:
    town, max_ = terminal.town, await terminal.token_of("max")
    await town.alice.texts(REFUND)
    request = await terminal.request()
    conversation = str((await rows(town.store, "approvals"))[-1]["conversation_id"])

    for words in (
        ("show", request),
        ("approve", request),
        ("approve", request, "--set", "amount=1"),
        ("deny", request),
    ):
        said = await terminal.runs("approvals", *words, token=max_, code=1)
        there_is_none = [word.replace(request, "no-such-request") for word in words]
        assert said.startswith("gateway: This request is not yours to decide. Nothing was changed.")
        assert await terminal.runs("approvals", *there_is_none, token=max_, code=1) == said
    for number in (conversation, "99"):
        together = await terminal.runs("approvals", "deny", "--conversation", number, token=max_, code=1)
        assert together == f"gateway: conversation {number} asks for nothing that is yours to decide\n"
    assert await states(town) == ["pending"]


async def test_a_token_is_good_until_a_new_one_is_made_or_its_person_leaves(terminal: Terminal) -> None:
    first = await terminal.token_of("ana")
    assert await terminal.token_of("ana") == first
    await terminal.town.alice.texts(REFUND)
    request = await terminal.request()
    gone = POLICY.replace('[people.ana]\nslack = "U0ANA"', "").replace('["ana"]', '["slack:U0ANA"]')

    second = (await terminal.runs("people", "token", "ana", "--new")).strip()
    void = await terminal.runs("approvals", "deny", request, token=first, code=1)
    left = await terminal.runs("approvals", "deny", request, token=second, code=1, policy=gone)
    nobody = await terminal.runs("people", "token", "eve", code=1)

    assert second != first
    for said in (void, left):
        assert said.startswith("gateway: GATEHOUSE_TOKEN: it is nobody's token (any more)")
        assert first not in said
        assert second not in said
    assert nobody == "gateway: there is no [people.eve] in gateway.toml (there are: ana, max)\n"
    assert "Denied" in await terminal.runs("approvals", "deny", request, token=second)
    notes = [row for row in await rows(terminal.town.store, "audit") if row["what"].startswith("token")]
    assert [row["what"] for row in notes] == ["token made", "token shown", "token made"]
    assert all(row["who"].startswith("cli:") for row in notes)
    assert second.rpartition("-")[2] not in str(notes)


async def test_an_unknown_beginning_and_one_of_several_are_said(terminal: Terminal) -> None:
    assert "at least 8 characters" in await terminal.runs("approvals", "show", "abc", code=1)
    assert "there is no request 'abcdefgh'" in await terminal.runs("approvals", "show", "abcdefgh", code=1)
