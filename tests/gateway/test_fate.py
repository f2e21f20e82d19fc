"""What became of a conversation: everything by time, how it stands, and nobody's words."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from gateway import fate, stop
from gateway.events import ThreadRef
from gateway.fate import Asked, Came, Ran, Went
from gateway.store import Store, Tx, arrivals, lanes, requests, sendings, turns
from gateway.store.sql import changed, table
from gateway.store.tables import OutboxRow
from tests.helpers.rows import rows

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ALICE, BOB = ThreadRef("sms", "+1", "+2"), ThreadRef("slack", "T0TEAM", "D0BOB:1.0")
SECRET = "the words of a person"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


async def opened(store: Store, thread: ThreadRef = ALICE, **values: Any) -> int:
    async def deed(tx: Tx) -> int:
        conversation = await lanes.open_thread(tx, thread, "support", START)
        await lanes.hold(tx, await lanes.claim(tx, conversation), **values)
        return conversation

    return await store.write(deed)


async def message(store: Store, conversation: int, key: str, seconds: float = 0.0) -> int:
    values = {"kind": "message", "event_key": key, "payload": SECRET, "now": at(seconds)}
    new = await store.write(lambda tx: arrivals.append(tx, conversation, **values))
    assert new is not None
    return new


async def a_refund(store: Store) -> int:
    """Alice asked, Ana approved, the agent answered; the answer could not be sent."""
    conversation = await opened(store)
    event = await message(store, conversation, "sms:1")

    async def deed(tx: Tx) -> None:
        begun = {"conversation_id": conversation, "inbox_id": event, "session_id": "s-1", "route": "", "sender": ""}
        turn = await turns.begin(tx, **begun, text=SECRET, now=at(1))
        asked = {"session_id": "s-1", "request_message_id": "m1", "tool_call_id": "c1", "tool": "issue_refund"}
        asked |= {"arguments": SECRET, "digest": "d", "policy_version": "v", "view": SECRET, "state": "pending"}
        about = {"conversation_id": conversation, "approval_id": "a1"}
        times = {"created_at": at(2), "expires_at": at(3600)}
        more: dict[str, Any] = {"reason": "", "applied": False, "trouble": "", "turn_id": turn.id}
        await requests.add(tx, id="a1", conversation_id=conversation, **asked, **times, **more)
        ask = {"channel": "slack", "lane": "slack::C0OPS", "kind": "ask", "payload": SECRET}
        await sendings.add(tx, dedupe_key="ask", created_at=at(2), **ask, **about)
        decided = {"state": "approved", "at": at(10), "by": "ana", "via": "slack", "reason": SECRET}
        await requests.settle(tx, "a1", **decided)
        await requests.mark_applied(tx, ["a1"])
        await turns.end(tx, turn.id, state="done", ended_at=at(12))
        await arrivals.finish(tx, event, at(12))
        say = {"channel": "sms", "lane": "sms:+2", "kind": "say", "payload": SECRET, "conversation_id": conversation}
        new = await sendings.add(tx, dedupe_key="reply", created_at=at(12), **say)
        became = {"status": "failed", "attempts": 3, "error": "no such number"}
        await changed(tx.db, update(table(OutboxRow)).where(col(OutboxRow.id) == new).values(**became))

    await store.write(deed)
    return conversation


async def of(store: Store, conversation: int) -> Any:
    return await store.read(lambda db: fate.of(db, conversation))


async def state(store: Store, conversation: int) -> str:
    return str((await of(store, conversation))[0].state)


async def test_every_step_stands_in_the_order_of_its_time(store: Store) -> None:
    one, steps = await of(store, await a_refund(store))

    came, ran, asked, shown, said = steps
    assert isinstance(came, Came)
    assert (came.kind, came.status, came.seq, came.tries, came.handled) == ("message", "done", 1, 1, at(12))
    assert isinstance(ran, Ran)
    assert (ran.event, ran.state, ran.session, ran.ended) == (came.id, "done", "s-1", at(12))
    assert isinstance(asked, Asked)
    assert (asked.tool, asked.state, asked.by, asked.applied) == ("issue_refund", "approved", "ana", True)
    assert isinstance(shown, Went)
    assert (shown.kind, shown.status, shown.channel) == ("ask", "queued", "slack")
    assert isinstance(said, Went)
    assert (said.kind, said.status, said.tries, said.why) == ("say", "failed", 3, "no such number")
    assert (one.agent, one.channel, one.thread, one.state, one.dead) == ("support", "sms", "+2", "ready", 1)


async def test_a_fate_holds_nobodys_words(store: Store) -> None:
    assert SECRET not in str(await of(store, await a_refund(store)))
    assert SECRET not in str(await store.read(lambda db: fate.conversations(db, limit=9)))


async def test_a_message_that_waits_for_another_try_says_when_and_why(store: Store) -> None:
    conversation = await opened(store)
    event = await message(store, conversation, "sms:1")
    failed = {"not_before": at(60), "error": "the agent platform did not answer", "fault": False}

    async def deed(tx: Tx) -> None:
        row = await arrivals.event(tx.db, event)
        await arrivals.try_later(tx, row, now=at(1), **failed)

    await store.write(deed)

    one, (came,) = await of(store, conversation)
    assert (came.status, came.tries, came.next_try) == ("new", 1, at(60))
    assert came.why == "the agent platform did not answer"
    assert one.waiting == 1


async def test_how_a_conversation_stands_is_said_in_one_word(store: Store) -> None:
    conversation = await opened(store)
    assert await state(store, conversation) == "ready"

    await opened(store, parked_turn_id=7)
    assert await state(store, conversation) == "parked"
    await store.write(lambda tx: stop.pause(tx, ["channel:sms"], by="cli:opal", reason="", now=START))
    assert await state(store, conversation) == "paused"
    await opened(store, mode="human")
    assert await state(store, conversation) == "human"


async def test_the_newest_conversations_come_first_and_no_more_than_asked(store: Store) -> None:
    alice, bob = await opened(store), await opened(store, BOB, last_message_at=at(60))
    await message(store, alice, "sms:1")

    async def ids(limit: int) -> list[tuple[int, int]]:
        return [(one.id, one.waiting) for one in await store.read(lambda db: fate.conversations(db, limit=limit))]

    assert await ids(9) == [(bob, 0), (alice, 1)]
    assert await ids(1) == [(bob, 0)]


async def test_what_belongs_to_another_conversation_is_not_told(store: Store) -> None:
    alice, bob = await opened(store), await opened(store, BOB)
    await message(store, bob, "slack:1")

    assert (await of(store, alice))[1] == []
    assert await of(store, 404) is None


async def test_looking_changes_nothing(store: Store) -> None:
    conversation = await a_refund(store)
    before = [await rows(store, table) for table in ("conversations", "inbox", "turns", "approvals", "outbox")]

    await of(store, conversation)

    assert [await rows(store, table) for table in ("conversations", "inbox", "turns", "approvals", "outbox")] == before
