"""What people write beside a card is a note: kept once, answered once and privately, deciding nothing."""

from gateway import cases, exporting
from gateway.approvals import Approvals
from gateway.erasing import Erasing
from gateway.events import ApprovalView, Identity, MessageReceived, Proof, Say, ThreadRef
from gateway.ports import Added
from tests.helpers.approvers import OPS, Team, in_slack, policy, with_token
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, Ends, Start, text

STRANGER = Identity(channel="slack", account="T0OTHER", address="U0STRANGER", proof=Proof.PLATFORM)


async def team_of(start: Start, ends: Ends, clock: Clock) -> Team:
    return Team(await start(at_work=False, policy=policy(approvers=["ana", "ben"])), ends, clock)


async def receipt(team: Team, card: ApprovalView) -> str:
    """Of the card, which is the key of the thread below it."""
    rows = [row for row in await team.core.rows("outbox") if row["kind"] == "ask" and row["approval_id"] == card.id]
    return str(rows[0]["provider_id"])


async def writes(
    team: Team,
    who: Identity,
    card: ApprovalView,
    words: str,
    *,
    message: str = "",
    event: str = "",
    mentions: bool = False,
) -> Added:
    """`message`: its own id, the same however often it is delivered; `event`: of one delivery."""
    message = message or f"T0TEAM:{words}"
    return await team.core.door.inbox.add(
        MessageReceived(
            event_id=event or f"Ev:{message}",
            message_id=message,
            thread=ThreadRef("slack", "T0TEAM", await receipt(team, card)),
            sender=who,
            text=words,
            addressed=mentions,
        )
    )


def private_words(team: Team) -> list[tuple[str, str]]:
    says = [one.message for one in team.ends.slack.taken if isinstance(one.message, Say)]
    return [(say.only_for, say.text) for say in says if say.only_for]


async def notes(team: Team, card: ApprovalView) -> list[tuple[str, str]]:
    found = await team.core.door.approvals.whole(card.id, with_token("ana"), via="api")
    assert found.approval is not None
    return [(note.by, note.text) for note in found.approval.notes]


async def test_a_reply_beside_a_card_is_a_note_and_decides_nothing(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()

    assert await writes(team, in_slack("ana"), card, "approve it", mentions=True) is Added.KEPT
    assert await writes(team, in_slack("ana"), card, "really") is Added.KEPT
    assert await writes(team, STRANGER, card, "YES 123456") is Added.KEPT
    await team.works()

    assert await notes(team, card) == [
        ("ana", "approve it"),
        ("ana", "really"),
        ("slack U0STRANGER", "YES 123456"),
    ]
    assert [who for who, _ in private_words(team)] == ["U0ANA", "U0STRANGER"], "each person is told once"
    assert "Only the buttons" in private_words(team)[0][1]
    assert await team.states() == ["pending"]
    assert len(await team.core.rows("conversations")) == 1
    assert len(await team.core.rows("turns")) == 1, "the agent is not woken"


async def test_the_same_note_delivered_again_is_one(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()

    first = await writes(team, in_slack("ben"), card, "hm", message="T0TEAM:C0OPS:7.1", event="Ev1")
    again = await writes(team, in_slack("ben"), card, "hm", message="T0TEAM:C0OPS:7.1", event="Ev1")
    mention = await writes(team, in_slack("ben"), card, "hm", message="T0TEAM:C0OPS:7.1", event="Ev2", mentions=True)
    await team.works()

    assert [first, again, mention] == [Added.KEPT, Added.DUPLICATE, Added.DUPLICATE]
    assert await notes(team, card) == [("ben", "hm")]
    assert len(private_words(team)) == 1
    assert await team.audited("noted") == 1


async def test_a_note_comes_after_the_decision_too_and_stays_with_its_own_request(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    await team.clicks("ana", card)
    await team.works()
    (other,) = await team.asked()

    await writes(team, in_slack("ben"), card, "why so quick?")

    assert await notes(team, card) == [("ben", "why so quick?")]
    assert await notes(team, other) == []


async def test_whoever_asked_reads_no_note_of_colleagues_also_where_they_confirm_themselves(
    start: Start, ends: Ends, clock: Clock
) -> None:
    both = policy(approvers=["requester", "ana"], ask=["requester", OPS])
    team = Team(await start(at_work=False, policy=both), ends, clock)
    (card,) = await team.asked()
    rows = [row for row in await team.core.rows("outbox") if row["kind"] == "ask" and row["channel"] == "slack"]
    below = ThreadRef("slack", "T0TEAM", str(rows[0]["provider_id"]))
    note = MessageReceived(
        event_id="Ev1", message_id="T0TEAM:C0OPS:9.1", thread=below, sender=in_slack("ben"), text="She lies"
    )
    assert await team.core.door.inbox.add(note) is Added.KEPT

    theirs = await team.core.door.approvals.whole(card.id, text(ALICE, "", "x").sender, via="sms")

    assert theirs.approval is not None
    assert (theirs.approval.notes, len(theirs.approval.recent)) == ((), 1)
    assert await notes(team, card) == [("ben", "She lies")]


async def test_notes_are_in_what_is_handed_over_and_go_with_the_conversation(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    core = team.core
    (card,) = await team.asked()
    await writes(team, in_slack("ana"), card, "She called me about it", message="T0TEAM:C0OPS:8.1")
    number = await core.conversation(ALICE)

    case = await cases.case(core.store, card.id, clock())
    assert case is not None
    assert [(one["address"], one["text"]) for one in case["notes"]] == [("U0ANA", "She called me about it")]
    told = await exporting.conversation(core.store, number)
    assert told is not None
    assert [note["text"] for note in told["approvals"][0]["notes"]] == ["She called me about it"]
    assert "U0ANA" not in str(told["approvals"][0]["notes"])

    assert isinstance(core.door.approvals, Approvals)
    await Erasing(core.store, core.engine, core.door.approvals, clock).conversation(number, by="ana")

    assert await writes(team, in_slack("ana"), card, "And again", message="T0TEAM:C0OPS:8.2") is Added.IGNORED
    assert "called me" not in str(await core.rows("inbox")) + str(await core.rows("outbox"))
    assert await notes(team, card) == []
