"""The stop button's rows: one pause of a kind is open, twice is safe, and all of it is audited."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway import stop
from gateway.store import Store, pauses
from tests.helpers.rows import rows

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SMS, SUPPORT = stop.scope_of_channel("sms"), stop.scope_of_agent("support")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


async def pause(store: Store, *scopes: str, reason: str = "") -> list[str]:
    return await store.write(lambda tx: stop.pause(tx, scopes, by="cli:opal", reason=reason, now=NOW))


async def resume(store: Store, *scopes: str) -> list[str]:
    later = NOW + timedelta(minutes=5)
    return await store.write(lambda tx: stop.resume(tx, scopes, by="cli:opal", now=later))


async def paused(store: Store) -> list[str]:
    return [row.scope for row in await store.read(pauses.open_ones)]


async def test_a_pause_says_who_and_why_and_is_audited_without_the_reason(store: Store) -> None:
    assert await pause(store, SMS, SUPPORT, reason="Twilio has an incident") == [SMS, SUPPORT]

    first, second = await rows(store, "pauses")
    assert (first["scope"], first["by"], first["reason"]) == ("channel:sms", "cli:opal", "Twilio has an incident")
    assert (first["since"], second["ended_at"]) == (NOW, None)
    assert [(row["what"], row["who"], row["facts"]) for row in await rows(store, "audit")] == [
        ("paused", "cli:opal", '{"scope":"channel:sms"}'),
        ("paused", "cli:opal", '{"scope":"agent:support"}'),
    ]


async def test_twice_is_one_pause_and_one_line_in_the_audit(store: Store) -> None:
    await pause(store, SMS)

    assert await pause(store, SMS, stop.ALL) == [stop.ALL]
    assert await resume(store, SMS) == [SMS]
    assert await resume(store, SMS) == []

    assert await paused(store) == ["all"]
    assert [row["what"] for row in await rows(store, "audit")] == ["paused", "paused", "resumed"]


async def test_what_was_resumed_can_be_paused_again(store: Store) -> None:
    for _ in range(2):
        assert await pause(store, stop.APPROVALS) == ["approvals"]
        assert await resume(store, stop.APPROVALS) == ["approvals"]

    assert len(await rows(store, "pauses")) == 2


async def test_resuming_without_a_name_ends_every_pause(store: Store) -> None:
    await pause(store, SMS, stop.APPROVALS, stop.ALL)

    assert await resume(store) == [SMS, stop.APPROVALS, stop.ALL]
    assert await resume(store) == []
    assert await paused(store) == []


async def test_many_who_press_at_once_make_one_pause(store: Store) -> None:
    begun = await asyncio.gather(*(pause(store, stop.ALL) for _ in range(5)))

    assert sorted(begun) == [[], [], [], [], ["all"]]
    assert len(await rows(store, "pauses")) == 1
