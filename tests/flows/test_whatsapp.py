"""On WhatsApp: threads of their own, and requests that are decided with a button. Real client, real HTTP."""

import json
from datetime import timedelta

import pytest

from adapters.sandbox import cast
from gateway import sentences
from gateway.events import Identity, Proof
from tests.helpers.rows import rows
from tests.helpers.town import POLICY, OnWhatsapp, Phone, Town, Under

REFUND = "Please refund order A-1001, $40."
ANA = "+15550003333"
ON_WHATSAPP = POLICY.replace('slack = "U0ANA"', f'slack = "U0ANA"\nwhatsapp = "{ANA}"').replace(
    'ask = ["slack:C0OPS"]', 'ask = ["whatsapp:ana", "slack:C0OPS"]'
)


async def states(town: Town) -> list[str]:
    return [row["state"] for row in await rows(town.store, "approvals")]


def people(town: Town) -> tuple[OnWhatsapp, OnWhatsapp]:
    """Alice who asks, and Ana who decides."""
    return OnWhatsapp(town, cast.ALICE), OnWhatsapp(town, ANA)


async def test_a_refund_is_asked_for_and_approved_on_whatsapp(under: Under) -> None:
    async with under(ON_WHATSAPP) as town:
        alice, ana = people(town)
        await alice.texts(REFUND)

        asked = await ana.sees_buttons()
        assert "issue_refund: amount=40, order_id=A-1001" in asked["body"]
        assert [one["title"] for one in asked["buttons"]] == ["Approve", "Deny"]
        assert "YES" not in asked["body"], "there is a button for it"
        await ana.taps("Approve", asked)

        assert "A-1001" in await alice.reads("I refunded $40")
        assert "By ana, " in await ana.reads("Approved: issue_refund.")
        assert await states(town) == ["approved"]
        (conversation,) = await rows(town.store, "conversations")
        assert (conversation["account"], conversation["thread_key"]) == (
            f"whatsapp:{cast.OUR_NUMBER}",
            f"whatsapp:{cast.ALICE}",
        )

        await ana.taps("Approve", asked)
        await ana.reads("Already decided")
        await ana.taps("Deny", asked)
        assert await states(town) == ["approved"]


async def test_a_stranger_who_presses_the_button_decides_nothing_and_learns_nothing(under: Under) -> None:
    async with under(ON_WHATSAPP) as town:
        alice, ana = people(town)
        await alice.texts(REFUND)
        payload = (await ana.sees_buttons())["buttons"][0]["payload"]

        for stranger in (OnWhatsapp(town, cast.BOB), alice):
            forged = {"ButtonPayload": payload, "ButtonText": "Approve", "ProfileName": "Ana"}
            await town.sandbox.text(stranger.number, "Approve", extra=forged)

            assert await stranger.reads("not yours") == sentences.NOT_YOURS
        assert await states(town) == ["pending"]


async def test_another_button_than_ours_is_a_message_like_any_other(under: Under) -> None:
    async with under(ON_WHATSAPP) as town:
        bob = OnWhatsapp(town, cast.BOB)

        await town.sandbox.text(bob.number, "Track my order", extra={"ButtonPayload": "track", "ButtonText": "Track"})

        assert "Track my order" in await bob.reads("You asked")


@pytest.mark.long
async def test_after_an_edit_the_old_button_approves_nothing_and_new_ones_come(under: Under) -> None:
    async with under(ON_WHATSAPP) as town:
        alice, ana = people(town)
        await alice.texts(REFUND)
        old, row = await ana.sees_buttons(), (await rows(town.store, "approvals"))[0]
        who = Identity(channel="slack", account="T0SANDBOX", address="U0ANA", proof=Proof.PLATFORM)
        changed = {**json.loads(row["arguments"]), "amount": 35}
        await town.live.parts.door.approvals.edit(row["id"], who, changed, via="slack", digest=row["digest"])

        new = await ana.sees_buttons(2)
        assert "Changed: issue_refund: amount=35" in new["body"]
        await ana.taps("Approve", old)
        await ana.reads("has changed since it was shown")
        assert await states(town) == ["pending"]
        await ana.taps("Approve", new)

        await alice.reads("I refunded $35")


async def test_the_same_person_by_text_and_on_whatsapp_is_two_conversations(under: Under) -> None:
    async with under(POLICY) as town:
        on_whatsapp, by_text = OnWhatsapp(town, cast.ALICE), Phone(town, cast.ALICE)
        await on_whatsapp.texts("My name is Alice and I live in Boston.")
        await on_whatsapp.gets(1)

        await by_text.texts("What did I just tell you about myself?")

        assert "Boston" not in (await by_text.gets(1))[0]
        assert len(on_whatsapp.got()) == 1
        assert [one["thread_key"] for one in await rows(town.store, "conversations")] == [
            f"whatsapp:{cast.ALICE}",
            cast.ALICE,
        ]


@pytest.mark.parametrize("words", ["destructive = true", 'reason = "required"'])
@pytest.mark.long
async def test_what_needs_more_than_a_press_comes_in_words_with_a_code(words: str, under: Under) -> None:
    async with under(ON_WHATSAPP.replace("[approvals.default]", f"[approvals.default]\n{words}")) as town:
        alice, ana = people(town)
        await ana.texts("Hello")  # WhatsApp lets us write free words to her for a day
        await alice.texts(REFUND)

        await ana.texts(f"YES {await ana.is_asked()}")

        await alice.reads("I refunded $40")


@pytest.mark.long
async def test_words_to_somebody_who_did_not_write_for_a_day_go_to_the_next_approver(under: Under) -> None:
    policy = ON_WHATSAPP.replace("[approvals.default]", "[approvals.default]\ndestructive = true").replace(
        '"slack:C0OPS"]\napprovers', '"slack:U0ANA"]\nescalate_after = "12h"\nescalate_to = ["slack:C0OPS"]\napprovers'
    )
    async with under(policy) as town:
        alice, ana = people(town)
        await ana.texts("Hello")
        await ana.gets(1)
        town.clock.passes(timedelta(hours=25))

        await alice.texts(REFUND)

        await town.until(lambda: [one for one in town.alerts() if "63016" in one], "the alert")
        shown = await town.until(lambda: [one for one in town.cards() if "issue_refund" in one["text"]], "the card")
        await town.ana.approves(shown[0])
        await alice.reads("I refunded $40")


async def test_stop_on_whatsapp_stops_nothing_by_text_and_the_other_way_round(under: Under) -> None:
    async with under(POLICY) as town:
        on_whatsapp, by_text = OnWhatsapp(town, cast.ALICE), Phone(town, cast.ALICE)
        await on_whatsapp.texts("STOP")

        await by_text.texts("Where is order A-1001?")
        await by_text.reads("A-1001")
        await on_whatsapp.texts("Where is order A-1002?")
        await by_text.texts("Where is order A-1003?")
        await by_text.reads("A-1003")
        assert [text for text in on_whatsapp.got() if "A-1002" in text] == []

        await on_whatsapp.texts("START")
        await by_text.texts("STOP")
        await on_whatsapp.texts("Where is order A-1004?")
        await on_whatsapp.reads("A-1004")


async def test_a_press_by_whom_the_policy_does_not_let_decide_by_text_says_so(under: Under) -> None:
    async with under(ON_WHATSAPP.replace("[approvals.default]", "[approvals.default]\nmax_amount_sms = 30")) as town:
        alice, ana = people(town)
        await ana.texts("Hello")
        await alice.texts(REFUND)

        said = await ana.reads("amount=40")

        assert "It cannot be decided by text. Decide it in Slack or with gateway approvals." in said


async def test_a_customer_confirms_on_whatsapp_with_a_button_in_their_own_thread(under: Under) -> None:
    confirms = POLICY.replace(
        'ask = ["slack:C0OPS"]\napprovers = ["ana"]', 'ask = ["requester"]\napprovers = ["requester"]'
    )
    async with under(confirms) as town:
        alice = OnWhatsapp(town, cast.ALICE)
        await alice.texts(REFUND)

        await alice.taps("Approve", await alice.sees_buttons())

        assert "A-1001" in await alice.reads("I refunded $40")
        assert await states(town) == ["approved"]
