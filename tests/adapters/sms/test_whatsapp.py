"""Texts on WhatsApp over Twilio's REST API: from which address, as what, and found again."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from adapters.sandbox import twilio_templates
from gateway.events import Proof, Receipt, Remind, Say, ThreadRef
from tests.adapters.doors import OutsideSystem
from tests.adapters.sms.test_buttons import ASK
from tests.adapters.sms.test_endpoint import CREATE, sms
from tests.adapters.sms.test_inbound import ALICE, OURS
from tests.adapters.sms.test_missed import MINUTE, NOON, SINCE, listed, text

TEMPLATE = twilio_templates.SID
THERE = f"whatsapp:{ALICE}"
FILLED = "Reminder: issue_refund: amount=40, order_id=A-1001 Expires 21 Nov 00:00 UTC."
TRIED = datetime(2026, 11, 21, 9, tzinfo=UTC)
SENT = {"sid": "SM1", "num_segments": "1"}


@pytest.fixture
async def twilio() -> AsyncIterator[OutsideSystem]:
    twilio = OutsideSystem()
    async with twilio.open():
        yield twilio


@pytest.mark.parametrize(
    ("settings", "account", "sent_from"),
    [
        ({}, f"whatsapp:{OURS}", {"From": f"whatsapp:{OURS}"}),
        ({}, "", {"From": f"whatsapp:{OURS}"}),
        ({"whatsapp": "+15005550142"}, "", {"From": "whatsapp:+15005550142"}),
        ({"whatsapp": "+15005550142"}, f"whatsapp:{OURS}", {"From": f"whatsapp:{OURS}"}),
        ({"from": "MG1"}, "", {"MessagingServiceSid": "MG1"}),
        ({"from": "MG1", "whatsapp": "+15005550142"}, "", {"From": "whatsapp:+15005550142"}),
        ({"from": "MG1"}, "MG1", {"MessagingServiceSid": "MG1"}),
    ],
)
async def test_an_answer_comes_from_the_address_that_was_written_to(
    settings: dict[str, str], account: str, sent_from: dict[str, str], twilio: OutsideSystem
) -> None:
    twilio.will_answer(CREATE, SENT, 201)

    async with sms(api_url=twilio.base, **settings) as channel:
        await channel.send(Say(to=ThreadRef("sms", account, THERE), text="On its way."))

    told = twilio.calls[0].told
    assert told["To"] == THERE
    assert {name: told[name] for name in ("From", "MessagingServiceSid") if name in told} == sent_from
    assert told["Body"] == "On its way."


async def test_with_a_template_a_request_goes_out_with_buttons_and_without_its_code(twilio: OutsideSystem) -> None:
    twilio.will_answer(CREATE, SENT, 201)

    async with sms(api_url=twilio.base, whatsapp_template=TEMPLATE) as channel:
        await channel.send(ASK)

    told = twilio.calls[0].told
    assert "Body" not in told
    assert twilio_templates.refusal(told) is None
    assert json.loads(told["ContentVariables"])["1"].startswith("issue_refund: amount=40")
    assert ASK.code not in str(told)


@pytest.mark.parametrize(
    ("template", "to"),
    [("", ASK.to), (TEMPLATE, ThreadRef("sms", "", ALICE)), (TEMPLATE, ThreadRef("sms", "MG1", f"rcs:{ALICE}"))],
)
async def test_without_a_template_and_by_text_a_request_goes_out_with_its_code(
    template: str, to: ThreadRef, twilio: OutsideSystem
) -> None:
    twilio.will_answer(CREATE, SENT, 201)

    async with sms(api_url=twilio.base, whatsapp_template=template) as channel:
        await channel.send(replace(ASK, to=to))

    assert "Reply YES 482913" in twilio.calls[0].told["Body"]
    assert "ContentSid" not in twilio.calls[0].told


async def test_a_request_with_buttons_is_found_again_by_what_the_template_was_filled_with(
    twilio: OutsideSystem,
) -> None:
    async with sms(api_url=twilio.base, whatsapp_template=TEMPLATE) as channel:
        reminder = replace(Remind(to=ASK.to, approval=ASK.approval, code=ASK.code), queued_at=TRIED)
        made = {"date_created": format_datetime(TRIED + timedelta(seconds=1))}
        bodies = {"SM1": "Something else", "SM2": f"Please look: {FILLED} Choose."}
        listed: list[dict[str, Any]] = [
            {"sid": sid, "body": body, "to": THERE, "from": f"whatsapp:{OURS}", "num_segments": "1", **made}
            for sid, body in bodies.items()
        ]
        twilio.will_answer(CREATE, {"messages": listed, "next_page_uri": None, "page": 0, "page_size": 50})

        assert await channel.find(reminder) == Receipt(provider_id="SM2", segments=1)


@pytest.mark.parametrize("account", [f"rcs:{OURS}", "rcs:our_agent"])
async def test_by_rcs_an_answer_comes_from_the_agent_that_was_written_to(account: str, twilio: OutsideSystem) -> None:
    twilio.will_answer(CREATE, SENT, 201)

    async with sms(api_url=twilio.base) as channel:
        await channel.send(Say(to=ThreadRef("sms", account, f"rcs:{ALICE}"), text="On its way."))

    assert (twilio.calls[0].told["From"], twilio.calls[0].told["To"]) == (account, f"rcs:{ALICE}")


async def test_stop_that_came_through_the_service_holds_for_what_we_send_there_first() -> None:
    async with sms(**{"from": "MG1", "whatsapp": "+15005550142"}) as channel:
        wrote, to_them = (channel.consent_of(ThreadRef("sms", account, THERE)) for account in ("MG1", ""))
        by_text = channel.consent_of(ThreadRef("sms", "MG1", ALICE))

    assert wrote == to_them
    assert by_text == ThreadRef("sms", "MG1", ALICE)


async def test_what_was_missed_on_whatsapp_is_told_as_its_own_thread(twilio: OutsideSystem) -> None:
    theirs, ours = {"from": THERE, "to": f"whatsapp:{OURS}"}, {"from": f"whatsapp:{OURS}", "to": THERE}
    by_text = {"from": OURS, "to": ALICE}
    twilio.will_answer(
        CREATE,
        listed(
            text("SM3", NOON, "by text", direction="outbound-api", **by_text),
            text("SM2", NOON, "an answer", direction="outbound-api", **ours),
            text("SM1", NOON - MINUTE, "Where is it?", direction="inbound", **theirs),
        ),
    )

    async with sms(api_url=twilio.base) as channel:
        (missed,) = await channel.missed(SINCE)

    assert (missed.event.thread.account, missed.event.thread.key) == (f"whatsapp:{OURS}", THERE)
    assert (missed.event.own_account, missed.event.sender.proof) == (True, Proof.PLATFORM)
    assert missed.followed_by == ("SM2",), "what went out by text is no answer to it"
