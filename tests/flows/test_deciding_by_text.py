"""Decisions by text: a customer confirms in the parked thread itself, an approver anywhere; a word and a code."""

import json
import random
import re
from datetime import timedelta

import pytest

from gateway.events import Identity, Proof
from gateway.words import Words
from tests.helpers.rows import rows
from tests.helpers.town import POLICY, Town, Under

REFUND = "Please refund order A-1001, $40."
WORDS = Words()
DECIDES = 'ask = ["slack:C0OPS"]\napprovers = ["ana"]'
CONFIRMS = POLICY.replace(DECIDES, 'ask = ["requester"]\napprovers = ["requester"]')
BY_TEXT = POLICY.replace('slack = "U0ANA"', 'slack = "U0ANA"\nsms = "+15550002222"').replace(
    'ask = ["slack:C0OPS"]', 'ask = ["sms:ana", "slack:C0OPS"]'
)


async def states(town: Town) -> list[str]:
    return [row["state"] for row in await rows(town.store, "approvals")]


# --- the customer's own word -------------------------------------------------------------------------------


async def test_a_customer_confirms_in_the_parked_thread_and_the_agent_goes_on(under: Under) -> None:
    async with under(CONFIRMS) as town:
        await town.alice.texts(REFUND)
        code = await town.alice.is_asked()

        await town.alice.texts(f"YES {code}")

        assert "A-1001" in await town.alice.reads("I refunded $40")
        assert await states(town) == ["approved"]
        asked = town.alice.got()[0]
        assert asked.startswith("issue_refund: amount=40, order_id=A-1001, ")
        assert WORDS.asked not in town.alice.got(), "no colleague was asked"


async def test_a_customer_who_says_no_hears_that_nothing_was_done(under: Under) -> None:
    async with under(CONFIRMS) as town:
        await town.alice.texts(REFUND)

        await town.alice.texts(f"no, {await town.alice.is_asked()}.")

        await town.alice.reads("was not approved")
        assert await states(town) == ["denied"]


@pytest.mark.parametrize("hedge", ["yes", "Yes please!", "ok", "go ahead if it is free"])
@pytest.mark.long
async def test_a_hedge_decides_nothing_and_is_held_like_any_message(hedge: str, under: Under) -> None:
    async with under(CONFIRMS) as town:
        await town.alice.texts(REFUND)
        code = await town.alice.is_asked()

        await town.alice.texts(hedge)
        await town.alice.reads(WORDS.held_for_requester)
        assert await states(town) == ["pending"]
        await town.alice.texts(f"yes {code}")

        await town.alice.reads("I refunded $40")
        await town.alice.reads(f'You asked: "{hedge}')


async def test_a_code_of_somebody_elses_request_decides_nothing_and_tells_nothing(under: Under) -> None:
    async with under(CONFIRMS) as town:
        await town.alice.texts(REFUND)
        await town.bob.texts("Please refund order A-1002, $5.")
        alices, _ = await town.alice.is_asked(), await town.bob.is_asked()

        await town.bob.texts(f"YES {alices}")

        assert await town.bob.reads("decided nothing") == WORDS.verdict_unclear
        assert await states(town) == ["pending", "pending"]


async def test_a_code_that_nobody_sent_is_a_message_like_any_other(town: Town) -> None:
    await town.bob.texts("YES 482913")

    assert "482913" in await town.bob.reads("You asked")


# --- an approver with a phone ------------------------------------------------------------------------------


@pytest.mark.long
async def test_an_approver_decides_by_text_and_the_card_in_slack_says_so(under: Under) -> None:
    async with under(BY_TEXT) as town:
        await town.alice.texts(REFUND)
        code = await town.bob.is_asked()

        await town.bob.texts(f"YES {code}")

        await town.alice.reads("I refunded $40")
        await town.card_says("Approved by ana")
        assert await town.bob.reads("Approved: issue_refund.")


async def test_who_was_asked_by_text_hears_what_was_decided_in_slack_and_comes_too_late(under: Under) -> None:
    async with under(BY_TEXT) as town:
        await town.alice.texts(REFUND)
        code = await town.bob.is_asked()

        await town.ana.denies(await town.card(), "too old")
        await town.bob.reads("issue_refund: denied by ana.")
        await town.bob.texts(f"YES {code}")

        assert "Already decided" in await town.bob.reads("Reason: too old")
        assert await states(town) == ["denied"]


@pytest.mark.long
async def test_a_code_that_ran_out_brings_the_request_again_and_the_new_one_decides(under: Under) -> None:
    async with under(BY_TEXT) as town:
        await town.alice.texts(REFUND)
        late = await town.bob.is_asked()
        town.clock.passes(timedelta(minutes=31))

        await town.bob.texts(f"YES {late}")
        assert "amount=40" in await town.bob.reads("That code ran out and decided nothing.")
        assert await states(town) == ["pending"]
        await town.bob.texts(f"YES {await town.bob.is_asked(2)}")

        await town.alice.reads("I refunded $40")
        assert "By ana, " in await town.bob.reads("Approved: issue_refund.")
        assert [text for text in town.bob.got() if "approved by ana" in text] == [], "one text tells it"


@pytest.mark.long
async def test_above_the_amount_for_texts_a_text_says_where_to_decide(under: Under) -> None:
    async with under(BY_TEXT.replace("[approvals.default]", "[approvals.default]\nmax_amount_sms = 30")) as town:
        await town.alice.texts(REFUND)

        said = await town.bob.reads("amount=40")
        assert "It cannot be decided by text. Decide it in Slack or with gateway approvals." in said
        assert not re.search("[0-9]{6}", said)


@pytest.mark.long
async def test_after_an_edit_the_old_code_is_void_and_a_new_one_comes(under: Under) -> None:
    async with under(BY_TEXT) as town:
        await town.alice.texts(REFUND)
        old, asked = await town.bob.is_asked(), (await rows(town.store, "approvals"))[0]
        who = Identity(channel="slack", account="T0SANDBOX", address="U0ANA", proof=Proof.PLATFORM)
        changed = {**json.loads(asked["arguments"]), "amount": 35}
        edited = await town.live.parts.door.approvals.edit(
            asked["id"], who, changed, via="slack", digest=asked["digest"]
        )
        assert edited.result == "edited"

        await town.bob.texts(f"YES {old}")
        await town.bob.reads("Nothing was decided")
        assert await states(town) == ["pending"]
        assert "amount=35" in await town.bob.reads("Changed: ")
        await town.bob.texts(f"YES {await town.bob.is_asked(2)}")

        await town.alice.reads("I refunded $35")


@pytest.mark.long
async def test_what_is_too_long_for_a_text_can_only_be_denied_by_text(under: Under) -> None:
    async with under(BY_TEXT) as town:
        await town.alice.texts(f"{REFUND[:-1]} because {'it broke ' * 100}")
        code = await town.bob.is_asked()
        assert "YES" not in town.bob.got()[0]

        await town.bob.texts(f"YES {code}")
        await town.bob.reads("Not all of the request was shown")
        assert await states(town) == ["pending"]
        await town.bob.texts(f"NO {code}")

        await town.alice.reads("was not approved")


async def test_who_guesses_codes_is_locked_out_and_the_card_in_slack_still_decides(under: Under) -> None:
    async with under(BY_TEXT) as town:
        await town.alice.texts(REFUND)
        code = await town.bob.is_asked()
        chance = random.Random(7)
        for _ in range(40):
            while (guess := f"{chance.randrange(10**6):06d}") == code:
                pass
            await town.bob.texts(f"YES {guess}")

        said = await town.bob.reads("Too many wrong codes.")
        assert "Decide it in Slack or with gateway approvals." in said
        await town.bob.texts(f"YES {code}")
        assert await states(town) == ["pending"]
        assert sum("Too many" in text for text in town.bob.got()) == 1
        assert len(town.bob.got()) == 6, "the request, four answers and the lock"
        (alert,) = await town.until(lambda: [one for one in town.alerts() if "wrong codes" in one], "the alert")
        assert "from ana" in alert

        await town.ana.approves(await town.card())
        await town.alice.reads("I refunded $40")


@pytest.mark.long
async def test_after_a_quarter_of_an_hour_the_right_code_decides_again(under: Under) -> None:
    async with under(CONFIRMS) as town:
        await town.alice.texts(REFUND)
        code = await town.alice.is_asked()
        for number in range(5):
            await town.alice.texts(f"NO {(int(code) + number + 1) % 10**6:06d}")
        await town.alice.reads("Too many wrong codes.")
        town.clock.passes(timedelta(minutes=15))

        await town.alice.texts(f"YES {code}")

        await town.alice.reads("I refunded $40")
        assert await states(town) == ["approved"]
