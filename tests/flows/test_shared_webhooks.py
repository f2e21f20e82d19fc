"""The shared webhooks of Twilio, each signed and posted: the gateway does what the data expect of it."""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.signing import twilio_signature
from adapters.sms.buttons import SHOWN
from gateway.sentences import NOT_YOURS
from gateway.words import Words
from tests.adapters.sms.test_proof import DATA, needs_data
from tests.helpers.carriers import TOKEN
from tests.helpers.clock import Clock
from tests.helpers.rows import rows
from tests.helpers.texting import Texting, texting

ASKS = "Please refund order A-1001, $40."
WORDS = Words()
Form = dict[str, str]


def items() -> dict[str, Any]:
    if not DATA.is_dir():
        return {}
    found: dict[str, Any] = json.loads((DATA / "webhooks/inbound.json").read_text())["items"]
    return found


def own_numbers(form: Form) -> dict[str, str]:
    """Settings under which it is for us: its service or its number, without the prefix of WhatsApp."""
    pair = (form["From"], form["To"])
    number = pair[0] if "MessageStatus" in form else pair[1]
    return {"account": form["AccountSid"], "from": form.get("MessagingServiceSid") or number.removeprefix("whatsapp:")}


@needs_data
@pytest.mark.parametrize(("name", "item"), items().items(), ids=items())
async def test_each_webhook_does_what_is_expected(
    name: str, item: dict[str, Any], database_url: str, tmp_path: Path, clock: Clock
) -> None:
    form: Form = item["form"]
    variables = own_numbers(form)
    async with texting(database_url, tmp_path, clock, **variables) as phone:
        await EXPECTED[item["expected"]](phone, form)


@needs_data
def test_every_expectation_is_looked_at() -> None:
    assert {item["expected"] for item in items().values()} == set(EXPECTED)
    assert len(items()) == 13


async def taken(phone: Texting, form: Form) -> None:
    """Twice, as a retry comes."""
    path = "/sms/status" if "MessageStatus" in form else "/sms/inbound"
    for _ in range(2):
        answer = await phone.posts(form, path)
        assert (answer.status_code, answer.text) == (200, "<Response/>")


async def earlier(phone: Texting, form: Form, body: str) -> None:
    """The same person has written that before."""
    await taken(phone, form | {"MessageSid": f"SM-{body[:8]}", "Body": body, "OptOutType": "", "ButtonPayload": ""})


async def nobody_is_woken(phone: Texting) -> None:
    assert await rows(phone.store, "turns") == []
    assert await rows(phone.store, "outbox") == []
    assert phone.carriers.texts == []


# --- what is expected --------------------------------------------------------------------------------------


async def a_message(phone: Texting, form: Form) -> None:
    await taken(phone, form)

    (turn,) = await phone.turns(1)
    assert turn["posted_text"].split("\n")[1:] == [form["Body"]]
    assert f'address="{form["From"]}"' in turn["posted_text"]
    assert len(await phone.gets(1, form["From"])) == 1


async def a_message_to_a_service(phone: Texting, form: Form) -> None:
    await a_message(phone, form)

    (conversation,) = await rows(phone.store, "conversations")
    assert (conversation["account"], conversation["thread_key"]) == (form["MessagingServiceSid"], form["From"])
    assert [text.get("MessagingServiceSid") for text in phone.carriers.texts] == [form["MessagingServiceSid"]]


async def a_message_with_blanks(phone: Texting, form: Form) -> None:
    filled = {name: value for name, value in form.items() if value}
    signature = twilio_signature(TOKEN, f"{phone.gateway.url}/sms/inbound", filled.items())
    extra = {**filled, "ToZip": ""}
    assert (await phone.posts(extra, headers={"X-Twilio-Signature": signature})).status_code == 401

    assert len(filled) < len(form)
    await a_message(phone, form)


async def a_picture(phone: Texting, form: Form) -> None:
    phone.carriers.files[form["MediaUrl0"].rpartition("/")[2]] = (form["MediaContentType0"], b"\xff\xd8")

    await taken(phone, form)

    (turn,) = await phone.turns(1)
    assert turn["posted_text"].split("\n")[1:] == ["", "[attached: picture.jpg]"]
    assert await phone.gets(1, form["From"])


async def an_opt_out(phone: Texting, form: Form) -> None:
    await taken(phone, form)

    (consent,) = await rows(phone.store, "consents")
    assert (consent["state"], consent["source"], consent["address"]) == ("out", "carrier", form["From"])
    assert consent["account"] == form["MessagingServiceSid"]
    await nobody_is_woken(phone)


async def an_opt_in(phone: Texting, form: Form) -> None:
    await taken(phone, form | {"MessageSid": "SM-stop", "Body": "STOP", "OptOutType": "STOP"})

    await taken(phone, form)

    (consent,) = await rows(phone.store, "consents")
    assert (consent["state"], consent["source"], consent["address"]) == ("in", "carrier", form["From"])
    await nobody_is_woken(phone)


async def no_decision(phone: Texting, form: Form) -> None:
    """Also where one of the codes is the right one."""
    await earlier(phone, form, ASKS)
    code = re.search(r"YES (\d{6})", (await phone.gets(1, form["From"]))[0])
    assert code is not None

    await taken(phone, form)
    await taken(phone, form | {"MessageSid": "SM-right", "Body": form["Body"].replace("482913", code[1])})

    with_strange_codes, with_the_right_one = (await phone.gets(3, form["From"]))[1:]
    assert with_the_right_one == WORDS.verdict_unclear
    assert with_strange_codes in (WORDS.verdict_unclear, WORDS.held_for_requester), "words for the agent are held"
    assert [one["state"] for one in await rows(phone.store, "approvals")] == ["pending"]
    assert len(await rows(phone.store, "turns")) == 1, "the agent sees none of it"


async def a_button(phone: Texting, form: Form) -> None:
    """Of a request that is not there, then of one that is."""
    await earlier(phone, form, ASKS)
    await phone.gets(1, form["From"])
    (approval,) = await rows(phone.store, "approvals")

    await taken(phone, form)
    assert [one["state"] for one in await rows(phone.store, "approvals")] == ["pending"]
    real = form["ButtonPayload"].replace("apr_01", approval["id"]) + f":{approval['digest'][:SHOWN]}"
    await taken(phone, form | {"MessageSid": "SM-pressed", "ButtonPayload": real})

    await phone.turns(1)
    (approval,) = await rows(phone.store, "approvals")
    assert (approval["state"], form["From"] in str(approval)) == ("approved", True)
    _, unknown, decided, reply = await phone.gets(4, form["From"])
    assert unknown == NOT_YOURS, "nor that there is none"
    assert decided.startswith("Approved: issue_refund.")
    assert "A-1001" in reply


async def a_report(phone: Texting, form: Form) -> dict[str, Any]:
    """About a text of ours with that id: the row of it afterwards."""
    sid = form["MessageSid"]
    phone.carriers.texts.extend({"To": "somebody", "Body": ""} for _ in range(int(sid.removeprefix("SM")) - 1))
    await phone.texts("hello", To=form["From"], From=form["To"])
    await phone.gets(1, form["To"])
    await phone.recorded()

    await taken(phone, form)

    (row,) = [one for one in await rows(phone.store, "outbox") if one["provider_id"] == sid]
    return row


async def any_report(phone: Texting, form: Form) -> None:
    row = await a_report(phone, form)

    assert row["status"] == "sent"
    assert (row["carried_at"] is not None) == (form["MessageStatus"] == "sent"), "queued is not yet handed on"


async def a_failure(phone: Texting, form: Form) -> None:
    row = await a_report(phone, form)

    assert row["status"] == "failed"
    assert form["ErrorCode"] in row["error"]


async def a_refusal(phone: Texting, form: Form) -> None:
    row = await a_report(phone, form)

    assert row["status"] == "dropped"
    (consent,) = await rows(phone.store, "consents")
    assert (consent["state"], consent["source"], consent["address"]) == ("out", "refused", form["To"])


EXPECTED: dict[str, Callable[[Texting, Form], Awaitable[None]]] = {
    "user message": a_message,
    "user message; sender is a Messaging Service": a_message_to_a_service,
    "user message; blank fields must count in the signature": a_message_with_blanks,
    "user message with media and an empty Body; never dropped": a_picture,
    "opt-out by OptOutType": an_opt_out,
    "opt-in by OptOutType": an_opt_in,
    "no decision; ask": no_decision,
    "button decision through ButtonPayload": a_button,
    "status callback": any_report,
    "status callback; ErrorCode 30007": a_failure,
    "status callback; ErrorCode 21610 = opted out": a_refusal,
}
