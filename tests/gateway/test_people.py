"""Who is in a group: asked of the channel, kept for a minute, and nobody when it cannot be said."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from gateway import policy
from gateway.events import Identity, Proof
from gateway.people import Membership, People
from gateway.policy import TOKEN

LEADS, OTHERS = "slack:group:S0LEADS", "slack:group:S0OTHERS"
DIRECTORY = policy.read("""
[people.ana]
slack = "T0TEAM/U0ANA"
sms = "+15550002222"
[people.cleo]
email = "cleo@acme.example"
""")


def slack(address: str, account: str = "T0TEAM") -> Identity:
    return Identity(channel="slack", account=account, address=address, proof=Proof.PLATFORM)


class Directory:
    """Slack's groups, as they are at the moment."""

    def __init__(self, **groups: list[str]) -> None:
        self.groups = groups
        self.asked: list[str] = []
        self.down: Exception | None = None
        self.hangs = False

    async def members(self, group: str) -> Collection[str]:
        self.asked.append(group)
        if self.down is not None:
            raise self.down
        if self.hangs:
            await asyncio.Event().wait()
        return self.groups[group]


class Time:
    """A clock that stands still."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def at_work(directory: Directory | None, time: Time) -> People:
    return People(DIRECTORY, {"slack": directory} if directory else {}, time)


def noon() -> Time:
    return Time(datetime(2026, 11, 21, 12, tzinfo=UTC))


async def test_a_member_is_in_the_group_and_others_are_not() -> None:
    people = at_work(Directory(S0LEADS=["U0BEN"]), noon())

    assert await people.membership(slack("U0BEN"), [LEADS]) == Membership(frozenset({LEADS}))
    assert await people.membership(slack("U0MAX"), [LEADS]) == Membership()


async def test_a_person_is_in_the_group_under_their_other_addresses_too() -> None:
    people = at_work(Directory(S0LEADS=["U0ANA"]), noon())
    phone = Identity(channel="sms", account="+1", address="+15550002222", proof=Proof.CARRIER)
    token = Identity(channel=TOKEN, address="ana", proof=Proof.PLATFORM)

    assert (await people.membership(phone, [LEADS])).groups == {LEADS}
    assert (await people.membership(token, [LEADS])).groups == {LEADS}


async def test_a_person_without_slack_and_a_stranger_with_its_look_are_in_no_group() -> None:
    people = at_work(Directory(S0LEADS=["U0ANA", "cleo@acme.example", ""]), noon())

    for who in (
        Identity(channel="email", address="cleo@acme.example"),
        Identity(channel="sms", address="U0ANA"),
        Identity(channel=TOKEN, address="nobody"),
    ):
        assert await people.membership(who, [LEADS]) == Membership()


async def test_only_the_groups_among_the_approvers_are_asked_for() -> None:
    directory = Directory(S0LEADS=["U0BEN"], S0OTHERS=["U0BEN"])
    people = at_work(directory, noon())

    await people.membership(slack("U0BEN"), ["ana", "slack:U0BEN", OTHERS])
    await people.membership(slack("U0BEN"), ["ana"])

    assert directory.asked == ["S0OTHERS"]


async def test_what_a_group_is_holds_for_less_than_a_minute() -> None:
    directory, time = Directory(S0LEADS=["U0BEN"]), noon()
    people = at_work(directory, time)
    await people.membership(slack("U0BEN"), [LEADS])
    directory.groups["S0LEADS"] = []

    time.now += timedelta(seconds=59)
    assert (await people.membership(slack("U0BEN"), [LEADS])).groups == {LEADS}
    time.now += timedelta(seconds=1)
    assert (await people.membership(slack("U0BEN"), [LEADS])).groups == frozenset()
    assert directory.asked == ["S0LEADS"] * 2


async def test_a_clock_that_goes_back_keeps_nothing_for_longer() -> None:
    directory, time = Directory(S0LEADS=["U0BEN"]), noon()
    people = at_work(directory, time)
    await people.membership(slack("U0BEN"), [LEADS])
    directory.groups["S0LEADS"] = []

    time.now -= timedelta(hours=1)

    assert (await people.membership(slack("U0BEN"), [LEADS])).groups == frozenset()


async def test_nobody_is_in_a_group_that_cannot_be_looked_up_even_who_was_in_it_before() -> None:
    directory, time = Directory(S0LEADS=["U0BEN"]), noon()
    people = at_work(directory, time)
    await people.membership(slack("U0BEN"), [LEADS])

    directory.down, time.now = RuntimeError("ratelimited"), time.now + timedelta(seconds=60)

    assert await people.membership(slack("U0BEN"), [LEADS]) == Membership(sure=False)


async def test_a_failure_is_not_kept() -> None:
    directory = Directory(S0LEADS=["U0BEN"])
    people, directory.down = at_work(directory, noon()), KeyError("S0LEADS")
    assert not (await people.membership(slack("U0BEN"), [LEADS])).sure

    directory.down = None

    assert (await people.membership(slack("U0BEN"), [LEADS])).groups == {LEADS}


async def test_one_group_that_cannot_be_looked_up_does_not_hide_the_other() -> None:
    people = at_work(Directory(S0OTHERS=["U0BEN"]), noon())

    assert await people.membership(slack("U0BEN"), [LEADS, OTHERS]) == Membership(frozenset({OTHERS}), sure=False)


async def test_without_a_channel_that_knows_groups_nobody_is_in_one() -> None:
    assert await at_work(None, noon()).membership(slack("U0BEN"), [LEADS]) == Membership(sure=False)


async def test_a_channel_that_does_not_answer_keeps_a_click_for_less_than_three_seconds() -> None:
    directory = Directory(S0LEADS=["U0BEN"])
    directory.hangs = True
    people = at_work(directory, noon())

    async with asyncio.timeout(3):
        assert await people.membership(slack("U0BEN"), [LEADS]) == Membership(sure=False)
