"""The audit in its chain, in both databases: sealed in the order it is seen, and whoever meddles is found."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from gateway import audit, proving, sealing
from gateway.outbox import Outbox
from gateway.proving import Verified
from gateway.sealing import Sealing
from gateway.store import Store, Tx, seals
from gateway.verifying import Head
from tests.helpers.clock import Clock
from tests.helpers.meddling import spoil
from tests.helpers.office import OPS, Quiet
from tests.helpers.rows import rows

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


async def happened(store: Store, count: int = 1, *, at: datetime = NOW) -> None:
    async def deed(tx: Tx) -> None:
        for number in range(count):
            await audit.note(tx, "decided", at, approval_id=f"a{number}", who="slack:1", verdict="approve")

    await store.write(deed)


def sealer(store: Store, clock: Clock, *, heads: bool = True) -> Sealing:
    return Sealing(store, Outbox(store, Quiet(), {}, clock, alerts=[OPS]), clock, heads=heads)


async def found(store: Store, *given: Head) -> Verified:
    return await proving.verify(store, given)


async def chain(store: Store) -> list[tuple[int, int]]:
    return [(row["n"], row["audit_id"]) for row in await rows(store, "audit_seals")]


@pytest.fixture
async def ten(store: Store, clock: Clock) -> Store:
    """Ten rows, sealed."""
    await happened(store, 10)
    await sealer(store, clock).seal()
    return store


# --- sealed --------------------------------------------------------------------------------------------------


async def test_an_empty_audit_is_whole(store: Store, clock: Clock) -> None:
    await sealer(store, clock).seal()

    assert await found(store) == Verified(
        whole=True, broken=None, links=0, head="0" * 64, heads=0, unsealed=0, oldest_unsealed=None
    )


async def test_what_happened_is_sealed_once_and_in_order(store: Store, clock: Clock) -> None:
    one = sealer(store, clock)
    await happened(store, 3)
    await one.seal()
    await one.seal()
    await happened(store, 2)
    await one.seal()

    assert await chain(store) == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]
    assert (await found(store)).links == 5


async def test_what_is_not_sealed_yet_is_counted_and_its_age_told(ten: Store) -> None:
    await happened(ten, 2, at=NOW + timedelta(hours=1))

    told = await found(ten)

    assert told.whole
    assert (told.links, told.unsealed, told.oldest_unsealed) == (10, 2, NOW + timedelta(hours=1))


async def test_the_rows_of_before_an_upgrade_are_sealed_batch_by_batch(store: Store, clock: Clock) -> None:
    await happened_much(store, sealing.BATCH * sealing.BATCHES + 5)
    one = sealer(store, clock)

    await one.seal()
    assert (await found(store)).unsealed == 5

    await one.seal()
    assert (await found(store)).unsealed == 0


async def test_a_low_id_that_comes_late_is_sealed_at_the_end(ten: Store, clock: Clock) -> None:
    one = sealer(ten, clock)
    await one.seal()
    insert = "INSERT INTO audit (id, at, what, who, facts) VALUES (:id, :at, 'late', '', '{}')"
    at = str(NOW.replace(tzinfo=None)) if ten.on_sqlite else NOW
    await spoil(ten, insert, id=20, at=at)
    await one.seal()
    await spoil(ten, insert, id=15, at=at)

    await one.seal()

    assert (await chain(ten))[-2:] == [(11, 20), (12, 15)]
    assert (await found(ten)).whole


async def test_an_id_that_comes_very_late_is_sealed_within_a_minute(ten: Store, clock: Clock) -> None:
    one = sealer(ten, clock)
    insert = "INSERT INTO audit (id, at, what, who, facts) VALUES (:id, :at, 'late', '', '{}')"
    at = str(NOW.replace(tzinfo=None)) if ten.on_sqlite else NOW
    await spoil(ten, insert, id=5000, at=at)
    await one.seal()
    await one.seal()
    await spoil(ten, insert, id=15, at=at)
    await one.seal()
    assert (await found(ten)).unsealed == 1

    clock.passes(sealing.EVERYTHING_EVERY)
    await one.seal()

    assert (await found(ten)).unsealed == 0


async def test_many_sealers_at_once_make_one_chain(database_url: str, store: Store, clock: Clock) -> None:
    others = [Store(database_url) for _ in range(3)]
    sealers = [sealer(one, clock) for one in (store, *others)]
    try:
        for _ in range(5):
            await happened(store, 7)
            await asyncio.gather(*(one.seal() for one in sealers), happened(store, 3))
        await sealers[0].seal()
    finally:
        for one in others:
            await one.aclose()

    told = await found(store)
    assert (told.whole, told.links, told.unsealed) == (True, 50, 0)


async def test_a_sealer_that_dies_before_its_commit_leaves_nothing_and_the_next_goes_on(
    ten: Store, clock: Clock
) -> None:
    await happened(ten, 4)

    async def dies(tx: Tx) -> None:
        await seals.seal(tx, 0, 3)
        raise ConnectionError("killed")

    with pytest.raises(ConnectionError):
        await ten.write(dies)
    assert (await found(ten)).links == 10

    await sealer(ten, clock).seal()
    assert (await found(ten)).links == 14


async def test_no_row_can_have_two_seals_nor_a_place_two_rows(ten: Store) -> None:
    for n, audit_id in ((11, 10), (10, 11)):
        with pytest.raises(IntegrityError):
            await spoil(ten, f"INSERT INTO audit_seals (n, audit_id, hash) VALUES ({n}, {audit_id}, 'x')")


# --- meddled with --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "n", "row", "what"),
    [
        ("UPDATE audit SET facts = '{}' WHERE id = 4", 4, 4, "changed"),
        ("UPDATE audit SET who = 'slack:2' WHERE id = 4", 4, 4, "changed"),
        ("UPDATE audit SET approval_id = NULL WHERE id = 1", 1, 1, "changed"),
        ("UPDATE audit SET conversation_id = 3 WHERE id = 10", 10, 10, "changed"),
        ("UPDATE audit_seals SET hash = 'x' WHERE n = 4", 4, 4, "changed"),
        ("DELETE FROM audit WHERE id = 4", 4, 4, "removed"),
        ("DELETE FROM audit_seals WHERE n = 4", 4, None, "removed"),
        ("DELETE FROM audit_seals WHERE n = 1", 1, None, "removed"),
        ("DELETE FROM audit", 1, 1, "removed"),
        ("UPDATE audit SET id = 40 WHERE id = 4", 4, 4, "removed"),
        ("INSERT INTO audit_seals (n, audit_id, hash) VALUES (-7, 11, 'x')", -7, 11, "inserted"),
    ],
)
async def test_whoever_meddles_is_found_in_the_first_place_that_does_not_hold(
    statement: str, n: int, row: int | None, what: str, ten: Store
) -> None:
    await spoil(ten, statement)

    told = await found(ten)

    assert not told.whole
    assert told.broken is not None
    assert (told.broken.n, told.broken.audit_id, told.broken.what) == (n, row, what)
    assert told.links == max(n - 1, 0)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL takes no such values
@pytest.mark.parametrize(
    ("statement", "n", "what"),
    [
        ("UPDATE audit_seals SET hash = CAST(x'ff' AS TEXT) WHERE n = 4", 4, "changed"),
        ("UPDATE audit_heads SET at = 'yesterday'", 10, "rewritten"),
        ("UPDATE audit_heads SET hash = CAST(x'ff' AS TEXT)", 10, "rewritten"),
    ],
)
async def test_a_seal_or_a_head_that_nobody_can_read_is_named(
    statement: str, n: int, what: str, ten: Store, clock: Clock
) -> None:
    clock.passes(NOW + timedelta(days=2) - clock())
    await sealer(ten, clock).post_head()
    await spoil(ten, statement)

    told = (await found(ten)).broken

    assert told is not None
    assert (told.n, told.what) == (n, what)


@pytest.mark.parametrize(
    ("database_url", "written"),
    [
        ("sqlite", "at = 'yesterday'"),
        ("sqlite", "at = 5"),
        ("sqlite", "who = CAST(x'ff' AS TEXT)"),
        ("postgres", "at = 'infinity'"),
    ],
    indirect=["database_url"],
)
async def test_a_row_that_nobody_can_read_is_named_and_what_came_after_it_is_sealed(
    written: str, store: Store, clock: Clock
) -> None:
    one = sealer(store, clock)
    await happened(store, 10)
    await spoil(store, f"UPDATE audit SET {written} WHERE id = 4")

    before = await found(store)
    for _ in range(12):
        await one.seal()
        clock.passes(timedelta(hours=1))

    assert before.unsealed == 10
    assert len(await chain(store)) == 10
    told = await found(store)
    assert (told.unsealed, told.links) == (0, 3)
    assert told.broken is not None
    assert (told.broken.n, told.broken.audit_id, told.broken.what) == (4, 4, "changed")
    (said,) = await posted(store)
    assert said.startswith("Gatehouse: audit row 4 cannot be read")


async def test_two_rows_that_changed_places_are_told_apart_from_a_changed_one(ten: Store) -> None:
    for change in ("SET audit_id = 99 WHERE n = 4", "SET audit_id = 4 WHERE n = 7", "SET audit_id = 7 WHERE n = 4"):
        await spoil(ten, f"UPDATE audit_seals {change}")

    told = (await found(ten)).broken

    assert told is not None
    assert (told.n, told.what) == (4, "reordered")
    assert told.says == "audit row 4 was sealed here, and audit row 7 stands in its place"


async def test_an_end_that_was_cut_off_is_found_by_the_head_that_was_posted(ten: Store, clock: Clock) -> None:
    clock.passes(NOW + timedelta(days=2) - clock())
    await sealer(ten, clock).post_head()
    await spoil(ten, "DELETE FROM audit_seals WHERE n > 6")
    await spoil(ten, "DELETE FROM audit WHERE id > 6")

    told = await found(ten)

    assert told.broken is not None
    assert (told.broken.n, told.broken.what) == (7, "cut off")
    assert "a head posted on 2026-11-23" in told.broken.says


async def test_a_chain_written_anew_together_with_its_heads_is_found_by_a_head_somebody_kept(
    ten: Store, clock: Clock
) -> None:
    kept = Head(10, (await found(ten)).head)
    for statement in ("DELETE FROM audit_seals", "UPDATE audit SET facts = '{}' WHERE id = 4"):
        await spoil(ten, statement)
    await sealer(ten, clock).seal()

    assert (await found(ten)).whole
    told = (await found(ten, kept)).broken
    assert told is not None
    assert (told.n, told.what) == (10, "rewritten")


async def test_after_the_words_of_people_are_erased_it_still_verifies(ten: Store) -> None:
    for table, words in (("inbox", "payload"), ("outbox", "payload"), ("approvals", "view")):
        await spoil(ten, f"UPDATE {table} SET {words} = ''")

    assert (await found(ten)).whole


# --- posted --------------------------------------------------------------------------------------------------


async def posted(store: Store) -> list[str]:
    return [json.loads(row["payload"])["text"] for row in await rows(store, "outbox")]


async def test_the_head_is_posted_once_a_day_while_the_chain_grows(store: Store, clock: Clock) -> None:
    one = sealer(store, clock)
    clock.passes(NOW - clock())
    await one.post_head()
    await happened(store, 3, at=clock())
    await one.seal()
    await one.post_head()
    assert await posted(store) == [], "the first day is not over"

    clock.passes(timedelta(days=1))
    await one.post_head()
    await happened(store, 1, at=clock())
    await one.seal()
    await one.post_head()
    clock.passes(timedelta(days=1))
    await one.post_head()
    clock.passes(timedelta(days=1))
    await one.post_head()

    links = await rows(store, "audit_seals")
    assert await posted(store) == [f"Gatehouse: audit head {n} {links[n - 1]['hash']}" for n in (3, 4)]
    assert [row["n"] for row in await rows(store, "audit_heads")] == [3, 4]


class Counting(Store):
    """Counts how often something is to be written."""

    writes = 0

    async def write(self, deed: Any) -> Any:
        self.writes += 1
        return await super().write(deed)


async def test_where_no_head_is_due_nothing_is_written(ten: Store, clock: Clock, database_url: str) -> None:
    counting = Counting(database_url)
    one, other = sealer(counting, clock), sealer(ten, clock)
    clock.passes(NOW + timedelta(days=2) - clock())
    await one.post_head()
    await one.post_head()
    assert counting.writes == 1

    clock.passes(timedelta(days=3))
    await one.post_head()
    assert counting.writes == 1, "nothing was sealed since"

    for _ in range(3):
        await happened(ten)
        await other.seal()
        await one.post_head()
    await counting.aclose()
    assert counting.writes == 2, "it grew, and that day has its head now"
    assert [row["n"] for row in await rows(ten, "audit_heads")] == [10, 11]


@pytest.mark.parametrize("ahead", ["a row", "a head"])
async def test_a_clock_that_was_once_far_ahead_does_not_stop_the_heads(ahead: str, store: Store, clock: Clock) -> None:
    one, now = sealer(store, clock), clock()
    clock.passes(timedelta(days=5 * 365))
    await happened(store, at=clock())
    await one.seal()
    if ahead == "a head":
        clock.passes(timedelta(days=1))
        await one.post_head()
    clock.passes(now - clock())
    for _ in range(3):
        await happened(store, at=clock())
        await one.seal()
        await one.post_head()
        clock.passes(timedelta(days=1))

    assert len(await posted(store)) == 3 + (ahead == "a head")
    assert (await found(store)).whole


async def test_no_head_is_posted_where_that_is_off(ten: Store, clock: Clock) -> None:
    clock.passes(NOW + timedelta(days=2) - clock())
    await sealer(ten, clock, heads=False).post_head()

    assert await posted(ten) == []


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_hundred_thousand_rows_are_sealed_and_verified_page_by_page(store: Store, clock: Clock) -> None:
    for _ in range(20):
        await happened_much(store, 5000)
    one = sealer(store, clock)
    while (await store.read(seals.tail)).rows:
        await one.seal()
    heard: list[int] = []

    told = await proving.verify(store, tell=heard.append)

    assert (told.whole, told.links) == (True, 100_000)
    assert heard[-1] == 100_000
    await spoil(store, "UPDATE audit SET who = 'nobody' WHERE id = 99999")
    broken: Any = (await found(store)).broken
    assert (broken.n, broken.what) == (99_999, "changed")


async def happened_much(store: Store, count: int) -> None:
    await spoil(
        store,
        "INSERT INTO audit (at, what, who, facts) WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x"
        " WHERE i < :count) SELECT :at, 'decided', 'slack:1', '{\"i\":' || i || '}' FROM x",
        count=count,
        at=str(NOW.replace(tzinfo=None)) if store.on_sqlite else NOW,
    )
