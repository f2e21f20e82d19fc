"""Deciding with a button below a request, as WhatsApp has them: what it claims counts only from whom it is."""

from datetime import timedelta
from typing import Any

import pytest

from gateway import sentences
from gateway.events import ApprovalView, AskSeen, Identity, MessageReceived, Pressed, Proof, ThreadRef, Verdict
from gateway.ports import Added
from tests.helpers.agents import Call
from tests.helpers.approvers import APPROVE, DENY, OPS, PHONES, Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, OURS, Ends, Start

ASKED: dict[str, Any] = {"order_id": "A-1001", "amount": 40}
SCHEMA = {"type": "object", "properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}}}
ANA = f"whatsapp:{PHONES['ana']}"
STRANGER = "whatsapp:+15550009999"


async def team_of(start: Start, ends: Ends, clock: Clock, **words: Any) -> Team:
    rules = policy(**{"ask": [OPS, "whatsapp:ana"], "approvers": ["ana", "ben"], **words})
    rules = rules.replace(f'sms = "{PHONES["ana"]}"', f'sms = "{PHONES["ana"]}"\nwhatsapp = "{PHONES["ana"]}"')
    return Team(await start(at_work=False, policy=rules), ends, clock)


def button(card: ApprovalView, verdict: Verdict = APPROVE) -> Pressed:
    return Pressed(approval_id=card.id, verdict=verdict, digest=card.digest[:16])


async def presses(team: Team, number: str, pressed: Pressed, name: str) -> Added:
    message = MessageReceived(
        event_id=name,
        message_id=name,
        thread=ThreadRef("sms", f"whatsapp:{OURS}", number),
        sender=Identity(channel="sms", address=number, name="Ana", proof=Proof.PLATFORM),
        text="Approve",
        pressed=pressed,
    )
    return await team.core.door.inbox.add(message)


async def hears(team: Team, number: str, pressed: Pressed, name: str = "") -> str:
    """What somebody who pressed it is told."""
    before = len(team.ends.sms.told(number))
    await presses(team, number, pressed, name or f"{number} {before}")
    await team.works()
    return "\n".join(team.ends.sms.told(number)[before:])


async def test_a_button_decides_once_and_pressed_again_says_what_became_of_it(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked(Call(arguments=ASKED))

    assert (await hears(team, ANA, button(card))).startswith("Approved: issue_refund. By ana, ")

    assert await team.states() == ["approved"]
    assert "Already decided" in await hears(team, ANA, button(card))
    assert "Already decided" in await hears(team, ANA, button(card, DENY))
    assert await team.states() == ["approved"]
    assert await team.audited("voted") == 1
    assert len(team.answers) == 1, "the agent was told once, and never of a button"


async def test_the_same_press_delivered_twice_is_one(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked(Call(arguments=ASKED))

    kept = [await presses(team, ANA, button(card, DENY), "one press") for _ in range(2)]

    assert kept == [Added.KEPT, Added.DUPLICATE]
    assert await team.states() == ["denied"]


async def test_a_strangers_press_decides_nothing_and_reveals_nothing(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked(Call(arguments=ASKED))
    unknown = Pressed(approval_id="no-such-request", verdict=APPROVE, digest=card.digest[:16])

    assert await hears(team, STRANGER, button(card)) == sentences.NOT_YOURS
    assert await hears(team, STRANGER, unknown) == sentences.NOT_YOURS
    assert await hears(team, STRANGER, button(card, DENY)) == sentences.NOT_YOURS
    assert await hears(team, ANA, unknown) == sentences.NOT_YOURS

    assert await team.states() == ["pending"]
    assert await team.audited("refused") == 4
    assert [row["thread_key"] for row in await team.core.rows("conversations")] == [ALICE], "no agent is woken"


@pytest.mark.parametrize("digest", ["", "0" * 16, "f" * 64])
async def test_without_the_digest_of_what_was_shown_nothing_is_approved(
    start: Start, ends: Ends, clock: Clock, digest: str
) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked(Call(arguments=ASKED))

    said = await hears(team, ANA, Pressed(approval_id=card.id, verdict=APPROVE, digest=digest))

    assert "has changed since it was shown" in said
    assert await team.states() == ["pending"]


async def test_an_old_button_approves_no_changed_request(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked(Call(arguments=ASKED, schema=SCHEMA))
    assert (await team.edits("ben", card, {**ASKED, "amount": 35})).result == "edited"

    assert "has changed since it was shown" in await hears(team, ANA, button(card))
    assert await team.states() == ["pending"]

    await hears(team, ANA, button(await team.sees(card.id)))
    assert await team.states() == ["approved"]


async def test_one_person_on_whatsapp_and_by_text_is_one_vote(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, required=2, ask=[OPS, "whatsapp:ana", "sms:ana"])
    (card,) = await team.asked(Call(arguments=ASKED))

    await hears(team, ANA, button(card))
    assert "1 of 2 approvals" in await team.texts("ana", f"YES {team.code('ana', card)}")
    assert await team.states() == ["pending"]

    await team.clicks("ben", card)
    assert await team.states() == ["approved"]


@pytest.mark.parametrize("words", [{"max_amount_sms": 30}, {"surfaces": ["slack"]}])
async def test_a_button_on_whatsapp_counts_as_a_text(
    start: Start, ends: Ends, clock: Clock, words: dict[str, Any]
) -> None:
    team = await team_of(start, ends, clock, **words)
    (card,) = await team.asked(Call(arguments=ASKED))

    assert "cannot be decided here" in await hears(team, ANA, button(card))
    assert await team.states() == ["pending"]


async def test_who_asked_by_text_does_not_approve_it_on_whatsapp_from_the_same_number(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, approvers=["ana", "ben", f"whatsapp:{ALICE}"])
    (card,) = await team.asked(Call(arguments=ASKED))

    assert await hears(team, f"whatsapp:{ALICE}", button(card)) == sentences.NOT_YOURS
    assert await team.states() == ["pending"]


@pytest.mark.parametrize(
    ("known_as", "asked_as"), [("sms", "rcs:"), ("sms", "whatsapp:"), ("whatsapp", "rcs:"), ("whatsapp", "")]
)
async def test_who_asked_from_another_service_than_the_directory_knows_approves_it_nowhere(
    start: Start, ends: Ends, clock: Clock, known_as: str, asked_as: str
) -> None:
    rules = policy(approvers=["ana", "ben"]).replace(f'sms = "{PHONES["ana"]}"', f'{known_as} = "{PHONES["ana"]}"')
    team = Team(await start(at_work=False, policy=rules), ends, clock)
    (card,) = await team.asked(Call(arguments=ASKED), number=asked_as + PHONES["ana"], seen_by="ben")

    assert (await team.clicks("ana", card)).result == "not_allowed"
    assert await hears(team, ANA, button(card)) == sentences.NOT_YOURS
    assert await hears(team, PHONES["ana"], button(card)) == sentences.NOT_YOURS
    assert await team.states() == ["pending"]


async def test_who_may_confirm_by_text_does_not_confirm_from_another_service(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, ask=["requester", OPS], approvers=["requester", "ana"])
    (card,) = await team.asked(Call(arguments=ASKED))

    assert await hears(team, f"whatsapp:{ALICE}", button(card)) == sentences.NOT_YOURS
    assert await team.states() == ["pending"]


async def test_a_test_message_is_answered_where_it_was_sent(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    reaching = team.core.door.reaching
    ids = await reaching.send({"sms"}, timedelta(minutes=2), by="a test")
    await team.works()
    codes = {one.message.to.key: one.message.code for one in ends.sms.taken if isinstance(one.message, AskSeen)}

    await team.core.receives(PHONES["ana"], f"YES {codes[ANA]}")
    assert not any(one.answered_at for one in await reaching.reached(ids)), "the code is good where it came"

    await team.core.receives(ANA, f"YES {codes[ANA]}")
    found = {one.address: one.answered_at is not None for one in await reaching.reached(ids)}
    assert found[f"whatsapp:{PHONES['ana']}"]
    assert not found[f"sms:{PHONES['ana']}"]
