"""Who may decide, what they must say, and what happens when a request reaches nobody."""

from datetime import timedelta

from gateway.events import Identity, Proof, Verdict
from gateway.ports import Decision
from tests.helpers.rows import rows
from tests.helpers.town import POLICY, Town, Under

REFUND = "Please refund order A-1001, $40."


def person(address: str, team: str = "T0SANDBOX") -> Identity:
    return Identity(channel="slack", account=team, address=address, proof=Proof.PLATFORM)


async def decide(town: Town, who: Identity, verdict: Verdict = Verdict.APPROVE, **more: str) -> Decision:
    approval = (await rows(town.store, "approvals"))[-1]["id"]
    return await town.live.parts.door.approvals.decide(approval, who, verdict, via="slack", **more)


async def test_the_current_policy_says_who_may_decide(under: Under) -> None:
    async with under(POLICY) as town:
        await town.alice.texts(REFUND)
        await town.card()
    async with under(POLICY.replace('approvers = ["ana"]', 'approvers = ["slack:U0BEN"]')) as town:
        assert (await decide(town, person("U0ANA"))).result == "not_allowed"
        assert (await decide(town, person("U0BEN"))).result == "decided"
        assert "A-1001" in (await town.alice.gets(2))[1]


async def test_an_approver_of_another_workspace_is_a_stranger(under: Under) -> None:
    async with under(POLICY.replace('slack = "U0ANA"', 'slack = "T0SANDBOX/U0ANA"')) as town:
        await town.alice.texts(REFUND)
        await town.card()

        assert (await decide(town, person("U0ANA", team="T0ELSEWHERE"))).result == "not_allowed"
        assert (await decide(town, person("U0ANA"))).result == "decided"


async def test_an_unknown_request_and_a_foreign_one_tell_nothing(town: Town) -> None:
    await town.alice.texts(REFUND)
    await town.card()

    unknown = await town.live.parts.door.approvals.decide("nothing", person("U0ANA"), Verdict.APPROVE, via="slack")
    foreign = await decide(town, person("U0MAX"))

    assert (unknown.result, unknown.approval) == ("not_allowed", None)
    assert (foreign.result, foreign.approval) == ("not_allowed", None)


async def test_a_decision_on_other_arguments_than_were_shown_is_void(town: Town) -> None:
    await town.alice.texts(REFUND)
    await town.card()

    assert (await decide(town, person("U0ANA"), digest="0" * 64)).result == "changed"
    assert [row["state"] for row in await rows(town.store, "approvals")] == ["pending"]


async def test_the_requester_may_decide_only_where_the_policy_says_so(under: Under) -> None:
    async with under(POLICY.replace('"24h"', '"24h"\nself_approval = true')) as town:
        await town.ana.writes("D0U0ANA", REFUND)
        await town.card()

        assert (await decide(town, person("U0ANA"))).result == "decided"


async def test_a_click_after_the_deadline_decides_nothing_even_before_the_sweep(town: Town) -> None:
    await town.alice.texts(REFUND)
    await town.card()
    town.clock.passes(timedelta(hours=24, seconds=1))

    late = await decide(town, person("U0ANA"))

    assert late.result == "already"
    assert late.approval is not None
    assert late.approval.state == "expired"
    assert "nobody" in (await town.alice.gets(2))[1].lower()


async def test_a_request_that_can_be_shown_to_nobody_fails_at_once_and_loudly(under: Under) -> None:
    policy = POLICY.replace('ask = ["slack:C0OPS"]', 'ask = ["slack:C0GONE"]')
    async with under(policy) as town:
        await town.alice.texts(REFUND)

        assert "nobody" in (await town.alice.gets(2))[1].lower()
        assert [row["state"] for row in await rows(town.store, "approvals")] == ["expired"]
        await town.until(lambda: [text for text in town.alerts() if "was not sent" in text], "an alert")


async def test_one_of_two_places_is_enough_and_both_show_the_outcome(under: Under) -> None:
    policy = POLICY.replace('ask = ["slack:C0OPS"]', 'ask = ["slack:C0GONE", "slack:C0OPS", "slack:D0U0ANA"]')
    async with under(policy) as town:
        await town.alice.texts(REFUND)
        card = await town.card()

        await town.ana.approves(card)

        await town.card_says("The agent went on with it")
        direct = town.sandbox.state()["channels"]["D0U0ANA"]
        await town.until(
            lambda: any("went on" in post["text"] for post in town.sandbox.state()["channels"]["D0U0ANA"]),
            "the other card",
        )
        assert len(direct) == 1


async def test_what_happened_is_audited_without_anybodys_words(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    await town.max.approves(card)
    await town.ana.denies(card, "Too old")
    await town.card_says("Denied by ana")
    await town.alice.gets(2)

    trail = await rows(town.store, "audit")
    assert [row["what"] for row in trail] == [
        "requested",
        "shown",
        "refused",
        "voted",
        "decided",
        "applied",
        "finished",
    ]
    told = str(trail)
    assert town.alice.number not in told
    assert "U0ANA" not in told
    assert "Too old" not in told
    assert "refund order" not in told
