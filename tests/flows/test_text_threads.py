"""Texts over time: which are one conversation, when it begins anew, and which nobody is answered for."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.helpers.carriers import NUMBER
from tests.helpers.clock import Clock
from tests.helpers.rows import rows
from tests.helpers.texting import ALICE, POLICY, Texting, texting

BOB, SERVICE = "+15550002222", "MG" + "1" * 32
AN_HOUR = POLICY.replace('agent = "support"', 'agent = "support"\nsession_idle = "1h"')
NAMED, ASKED = "My name is Alice and I live in Boston.", "What did I just tell you about myself?"


async def places(phone: Texting) -> list[tuple[str, str]]:
    return [(one["account"], one["thread_key"]) for one in await rows(phone.store, "conversations")]


async def test_each_pair_of_numbers_is_one_conversation(database_url: str, tmp_path: Path, clock: Clock) -> None:
    async with texting(database_url, tmp_path, clock) as phone:
        for sender, town in ((ALICE, "Boston"), (BOB, "Berlin")):
            await phone.texts(NAMED.replace("Boston", town), From=sender)
            await phone.gets(1, sender)
            await phone.texts(ASKED, From=sender)

        assert "Boston" in (await phone.gets(2, ALICE))[-1]
        assert "Berlin" in (await phone.gets(2, BOB))[-1]
        assert sorted(await places(phone)) == [(NUMBER, ALICE), (NUMBER, BOB)]


async def test_over_the_numbers_of_a_service_a_person_has_one_conversation(
    database_url: str, tmp_path: Path, clock: Clock
) -> None:
    async with texting(database_url, tmp_path, clock, **{"from": SERVICE}) as phone:
        await phone.texts(NAMED, MessagingServiceSid=SERVICE)
        await phone.gets(1)
        await phone.texts(ASKED, MessagingServiceSid=SERVICE, To="+15557770001")

        assert "Boston" in (await phone.gets(2))[-1]
        assert await places(phone) == [(SERVICE, ALICE)]
        assert {text.get("MessagingServiceSid") for text in phone.carriers.texts} == {SERVICE}


async def test_after_a_long_silence_a_text_opens_a_new_session(database_url: str, tmp_path: Path, clock: Clock) -> None:
    async with texting(database_url, tmp_path, clock, AN_HOUR) as phone:
        await phone.texts(NAMED)
        await phone.gets(1)
        clock.passes(timedelta(minutes=59))
        await phone.texts(ASKED)
        await phone.gets(2)
        clock.passes(timedelta(minutes=61))
        await phone.texts(ASKED)

        assert ["Boston" in text for text in (await phone.gets(3))[1:]] == [True, False]
        first, second, third = [turn["session_id"] for turn in await phone.turns(3)]
        assert (first == second, second == third) == (True, False), "the old one stays with its turns"
        (conversation,) = await rows(phone.store, "conversations")
        assert conversation["session_id"] == third


@pytest.mark.parametrize("sender", ["12345", "AMAZON", "Acme Bank", "+1500", "5005550100", NUMBER])
async def test_a_machines_text_is_kept_and_wakes_nobody(
    sender: str, database_url: str, tmp_path: Path, clock: Clock
) -> None:
    async with texting(database_url, tmp_path, clock) as phone:
        for sid in ("SM-one", "SM-one", "SM-two"):
            answer = await phone.texts("Your code is 482913", From=sender, MessageSid=sid)
            assert (answer.status_code, answer.text) == (200, "<Response/>")
        await phone.texts("Where is order A-1001?")
        await phone.gets(1)

        kept = await rows(phone.store, "inbox")
        assert [(row["status"], row["conversation_id"] is None) for row in kept] == [
            ("unrouted", True),
            ("unrouted", True),
            ("done", False),
        ]
        assert await places(phone) == [(NUMBER, ALICE)]
        assert phone.got(sender) == []
