"""What `gateway doctor` learns of the template for WhatsApp, from the real client."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.sandbox import twilio_templates
from gateway.ports import Finding
from tests.adapters.doors import OutsideSystem, nobody_listens
from tests.adapters.sms.test_check import ACCOUNT_PAGE, ACTIVE, NUMBERS, a_page
from tests.adapters.sms.test_endpoint import sms
from tests.adapters.sms.test_inbound import OURS

SID = twilio_templates.SID
CONTENT = f"v1/Content/{SID}"
APPROVAL = f"{CONTENT}/ApprovalRequests"


@pytest.fixture
async def twilio() -> AsyncIterator[OutsideSystem]:
    twilio = OutsideSystem()
    async with twilio.open():
        twilio.will_answer(ACCOUNT_PAGE, ACTIVE)
        twilio.will_answer(NUMBERS, a_page("incoming_phone_numbers", {"phone_number": OURS}))
        yield twilio


async def last_of(base: str) -> Finding:
    async with sms(api_url=base, whatsapp_template=SID) as channel:
        return (await channel.check())[-1]


def quick_reply(body: str, *ids: str) -> dict[str, Any]:
    return {"sid": SID, "types": {"twilio/quick-reply": {"body": body, "actions": [{"id": one} for one in ids]}}}


async def test_a_template_as_it_should_be_is_fine(twilio: OutsideSystem) -> None:
    twilio.will_answer(CONTENT, twilio_templates.definition())
    twilio.will_answer(APPROVAL, twilio_templates.approval())

    found = await last_of(twilio.base)

    assert (found.ok, found.what) == (True, f"sms: the template {SID} shows requests on WhatsApp")


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (quick_reply("Decide: {{1}} Please.", "{{3}}", "{{2}}"), "its two actions must have the ids"),
        (quick_reply("Decide: {{1}} Please.", "{{2}}"), "its two actions must have the ids"),
        (quick_reply("Decide: {{1}} Please.", "yes", "no"), "its two actions must have the ids"),
        (quick_reply("Decide, please.", "{{2}}", "{{3}}"), "its body has no {{1}}"),
        ({"sid": SID, "types": {"twilio/text": {"body": "{{1}}"}}}, "it is no twilio/quick-reply"),
        ({"sid": SID, "types": {"twilio/quick-reply": {"body": "{{1}}", "actions": "none"}}}, "its two actions"),
        ({"sid": SID}, "it is no twilio/quick-reply"),
    ],
)
async def test_a_template_whose_buttons_are_not_ours_is_named(
    template: dict[str, Any], why: str, twilio: OutsideSystem
) -> None:
    twilio.will_answer(CONTENT, template)
    twilio.will_answer(APPROVAL, twilio_templates.approval())

    found = await last_of(twilio.base)

    assert not found.ok
    assert why in found.what


@pytest.mark.parametrize("whatsapp", [{"status": "pending"}, {"status": "rejected"}, None])
async def test_a_template_that_whatsapp_did_not_approve_is_named(
    whatsapp: dict[str, str] | None, twilio: OutsideSystem
) -> None:
    twilio.will_answer(CONTENT, twilio_templates.definition())
    twilio.will_answer(APPROVAL, {"sid": SID, "whatsapp": whatsapp})

    found = await last_of(twilio.base)

    assert not found.ok
    assert (whatsapp or {}).get("status", "not submitted") in found.what


async def test_a_template_that_is_not_there_is_named(twilio: OutsideSystem) -> None:
    twilio.will_answer(CONTENT, {"code": 20404, "message": "not found"}, 404)

    found = await last_of(twilio.base)

    assert (found.ok, "404" in found.what) == (False, True)


async def test_where_twilio_is_away_the_check_says_so() -> None:
    assert "cannot be read" in (await last_of(nobody_listens())).what
