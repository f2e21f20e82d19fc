"""Dead letters: listed, read, taken up again once or dropped, and what cannot be says why."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from gateway import dead
from gateway.dead import LetterId
from gateway.errors import GiveUp
from gateway.events import DecisionGiven, Identity, MediaRef, MessageReceived, Say, ThreadRef, lane_events, outbounds
from gateway.store import Store, Tx, arrivals, lanes, sendings
from gateway.store.sql import changed, table
from gateway.store.tables import OutboxRow
from tests.helpers.rows import rows

THREAD = ThreadRef("sms", "+1", "+2")
CAME, SENT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC), datetime(2026, 11, 20, 8, 59, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HELLO = MessageReceived(
    event_id="SM1",
    message_id="SM1",
    thread=THREAD,
    sender=Identity(channel="sms", address="+2"),
    text="Where is order A-1001?",
    media=(MediaRef(where="1", mime_type="image/png"),),
)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


async def came(store: Store, key: str = "sms:SM1", *, status: str = "dead", **more: Any) -> LetterId:
    """An event of Alice's conversation, and what became of it."""
    payload = more.pop("payload", None) or lane_events.dump_json(HELLO).decode()
    kept = {"kind": "message", "message_key": key, "sent_at": SENT} | more

    async def deed(tx: Tx) -> int:
        conversation = await lanes.open_thread(tx, THREAD, "support", CAME)
        new = await arrivals.append(tx, conversation, event_key=key, payload=payload, now=CAME, **kept)
        assert new is not None
        await arrivals.finish(tx, new, CAME, status=status, error="the agent was away")
        return new

    return LetterId("in", await store.write(deed))


async def went(store: Store, key: str = "reply:1", *, status: str = "failed", **more: Any) -> LetterId:
    """A message to Alice, and what became of it."""
    values = {"channel": "sms", "lane": "sms:+2", "kind": "say", "created_at": CAME} | more
    values.setdefault("payload", outbounds.dump_json(Say(to=THREAD, text="On its way.")).decode())

    async def deed(tx: Tx) -> int:
        new = await sendings.add(tx, dedupe_key=key, **values)
        assert new is not None
        became = {"status": status, "attempts": 12, "unsure": 2, "error": "no such number", "provider_id": "SM9"}
        await changed(tx.db, update(table(OutboxRow)).where(col(OutboxRow.id) == new).values(**became))
        return new

    return LetterId("out", await store.write(deed))


async def replayed(store: Store, letter: LetterId) -> LetterId:
    return await store.write(lambda tx: dead.replay(tx, letter, who="cli:opal", now=NOW))


async def dropped(store: Store, letter: LetterId) -> None:
    await store.write(lambda tx: dead.drop(tx, letter, who="cli:opal", now=NOW))


async def listed(store: Store) -> list[str]:
    return [one.id for one in await store.read(dead.letters)]


async def audited(store: Store) -> list[tuple[str, str, str]]:
    return [(row["what"], row["who"], row["facts"]) for row in await rows(store, "audit")]


async def test_what_was_set_aside_is_listed_and_nothing_else(store: Store) -> None:
    await came(store, "sms:SM0", status="done")
    event = await came(store)
    await went(store, "reply:0", status="sent")
    message, alert = await went(store), await went(store, "alert:slack::C0OPS:fault:2026-11-21T09")

    letters = await store.read(dead.letters)

    assert [one.id for one in letters] == [str(event), str(message), str(alert)]
    assert [(one.channel, one.kind, one.conversation) for one in letters] == [
        ("sms", "message", 1),
        ("sms", "say", None),
        ("sms", "alert", None),
    ]
    assert [one.why for one in letters] == ["the agent was away", "no such number", "no such number"]
    assert [one.tries for one in letters] == [1, 12, 12]


async def test_the_list_holds_nobodys_words_and_a_look_at_one_does(store: Store) -> None:
    event, message = await came(store), await went(store)

    assert "A-1001" not in str(await store.read(dead.letters))
    assert "On its way" not in str(await store.read(dead.letters))
    assert (await store.read(lambda db: dead.show(db, event)))[1] == "Where is order A-1001?\n[attached: image/png]"
    assert (await store.read(lambda db: dead.show(db, message)))[1] == "On its way."


async def test_a_row_nobody_can_read_is_shown_as_it_is(store: Store) -> None:
    event, message = await came(store, payload="{nonsense"), await went(store, payload="[]")

    assert "{nonsense" in (await store.read(lambda db: dead.show(db, event)))[1]
    assert "[]" in (await store.read(lambda db: dead.show(db, message)))[1]


async def test_an_event_goes_to_the_end_of_its_lane_as_a_new_one_that_knows_how_late_it_is(store: Store) -> None:
    event = await came(store)
    await came(store, "sms:SM2", status="new")

    again = await replayed(store, event)

    old, waiting, new = await rows(store, "inbox")
    assert again == LetterId("in", new["id"])
    assert (old["status"], new["status"]) == ("replayed", "new")
    assert new["seq"] > waiting["seq"] > old["seq"]
    assert (new["payload"], new["kind"], new["conversation_id"]) == (old["payload"], "message", 1)
    assert (new["event_key"], new["message_key"]) == (f"replay:{event.number}:1", None)
    assert (new["sent_at"], new["received_at"], new["attempts"]) == (SENT, NOW, 0)
    assert await audited(store) == [
        ("dead_replayed", "cli:opal", f'{{"goes_on_as":"{again}","letter":"{event}"}}'),
    ]


async def test_where_the_platform_said_no_time_ours_counts_and_a_second_replay_keeps_it(store: Store) -> None:
    again = await replayed(store, await came(store, sent_at=None))
    await store.write(lambda tx: arrivals.finish(tx, again.number, NOW, status="dead", error="once more"))

    await replayed(store, again)

    newest = (await rows(store, "inbox"))[-1]
    assert newest["sent_at"] == CAME
    assert newest["event_key"] == f"replay:{again.number}:2"


@pytest.mark.parametrize("event_key", ["sms:SM1", "sms:another-delivery"])
async def test_a_carrier_that_repeats_a_replayed_text_is_still_a_duplicate(event_key: str, store: Store) -> None:
    await replayed(store, await came(store))
    keys = {"event_key": event_key, "message_key": "sms:SM1"}

    again = await store.write(lambda tx: arrivals.append(tx, 1, kind="message", payload="{}", now=NOW, **keys))

    assert again is None


async def test_a_message_goes_out_again_as_if_it_had_never_been_tried(store: Store) -> None:
    message = await went(store, not_before=NOW)

    assert await replayed(store, message) == message

    (row,) = await rows(store, "outbox")
    assert (row["status"], row["attempts"], row["unsure"]) == ("queued", 0, 0)
    assert (row["not_before"], row["error"], row["provider_id"]) == (None, None, None)
    assert await store.read(lambda db: sendings.lanes_due(db, NOW)) == ["sms:+2"]
    assert await audited(store) == [("dead_replayed", "cli:opal", f'{{"letter":"{message}"}}')]


async def test_what_is_dropped_is_listed_no_more_and_stays(store: Store) -> None:
    for letter in (await came(store), await went(store)):
        await dropped(store, letter)

    assert await listed(store) == []
    assert [(await rows(store, table))[0]["status"] for table in ("inbox", "outbox")] == ["dropped", "dropped"]
    assert [what for what, _, _ in await audited(store)] == ["dead_dropped", "dead_dropped"]


@pytest.mark.parametrize("deed", [replayed, dropped])
async def test_what_has_left_is_refused_by_its_state(deed: Any, store: Store) -> None:
    event, message = await came(store), await went(store)
    for letter in (event, message):
        await deed(store, letter)
    before = await rows(store, "inbox"), await rows(store, "outbox"), await rows(store, "audit")

    for letter, state in ((event, "replayed|dropped"), (message, "queued|dropped")):
        for twice in (replayed, dropped):
            with pytest.raises(GiveUp, match=f"{letter} is no dead letter: it is ({state})"):
                await twice(store, letter)
    assert (await rows(store, "inbox"), await rows(store, "outbox"), await rows(store, "audit")) == before


async def test_two_who_replay_the_same_letter_make_one_new_event(store: Store) -> None:
    event = await came(store)

    done = await asyncio.gather(*(replayed(store, event) for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(one, LetterId) for one in done) == 1
    assert all(isinstance(one, LetterId | GiveUp) for one in done)
    assert [row["status"] for row in await rows(store, "inbox")] == ["replayed", "new"]


@pytest.mark.parametrize("letter", ["in-404", "out-404"])
async def test_a_letter_that_never_was_is_said_so(letter: str, store: Store) -> None:
    for deed in (replayed, dropped):
        with pytest.raises(GiveUp, match=f"there is no {letter}"):
            await deed(store, dead.read_id(letter))


async def test_a_decision_cannot_be_replayed_but_dropped(store: Store) -> None:
    payload = lane_events.dump_json(DecisionGiven(approval_id="a1")).decode()
    decision = await came(store, "settled:a1", kind="decision", control=True, payload=payload, message_key=None)

    with pytest.raises(GiveUp, match="is a decision: its session went on without it"):
        await replayed(store, decision)
    await dropped(store, decision)

    assert [row["status"] for row in await rows(store, "inbox")] == ["dropped"]


@pytest.mark.parametrize("written", ["12", "in12", "in-", "in-0", "in--1", "at-3", "in-1 2", "in-٣", "out-" + "9" * 30])
def test_an_id_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="in-12 or out-34"):
        dead.read_id(written)


async def test_how_late_counts_from_what_the_person_wrote(store: Store) -> None:
    later = replace(HELLO, sent_at=SENT + timedelta(hours=1))
    event = await came(store, payload=lane_events.dump_json(later).decode(), sent_at=later.sent_at)

    await replayed(store, event)

    assert (await rows(store, "inbox"))[-1]["sent_at"] == later.sent_at
