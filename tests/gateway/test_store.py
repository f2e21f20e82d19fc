"""Writing: one deed is one transaction, whatever happens to its neighbours."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from gateway.store import Store, Tx
from gateway.store.sql import insert_new
from gateway.store.tables import AuditRow
from gateway.store.upkeep import LeaseRow
from tests.helpers.rows import rows

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


def lease(name: str):
    async def deed(tx: Tx) -> str:
        await insert_new(tx.db, LeaseRow, name=name, holder="me", until=NOW)
        return name

    return deed


async def test_a_deed_that_fails_leaves_nothing_and_its_neighbours_are_kept(store: Store) -> None:
    async def fails(tx: Tx) -> None:
        await lease("half")(tx)
        raise ValueError("no")

    done = await asyncio.gather(
        store.write(lease("a")), store.write(fails), store.write(lease("b")), return_exceptions=True
    )

    assert [done[0], done[2]] == ["a", "b"]
    assert isinstance(done[1], ValueError)
    assert {row["name"] for row in await rows(store, "leases")} == {"a", "b"}


async def test_a_database_error_in_one_deed_spoils_no_other(store: Store) -> None:
    async def clashes(tx: Tx) -> None:
        await insert_new(tx.db, LeaseRow, name="half", holder="me", until=NOW)
        await (await tx.db.connection()).execute(text("INSERT INTO leases (name, holder) VALUES ('a', 'other')"))

    await store.write(lease("a"))
    done = await asyncio.gather(
        *(store.write(lease(f"n{i}")) for i in range(5)), store.write(clashes), return_exceptions=True
    )

    assert [isinstance(one, IntegrityError) for one in done] == [False] * 5 + [True]
    assert len(await rows(store, "leases")) == 6


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_when_sqlite_drops_the_whole_transaction_nobody_is_told_it_was_kept(store: Store) -> None:
    async def loses_everything(tx: Tx) -> None:
        # What a disk error does: the whole transaction is gone, not the savepoint alone.
        await (await tx.db.connection()).execute(text("ROLLBACK"))
        raise OSError("disk I/O error")

    done = await asyncio.gather(
        store.write(lease("a")), store.write(loses_everything), store.write(lease("b")), return_exceptions=True
    )

    assert [isinstance(one, Exception) for one in done] == [True, True, True]
    assert await rows(store, "leases") == []
    assert await store.write(lease("later")) == "later"


async def test_what_is_to_happen_after_a_commit_never_happens_without_it(store: Store) -> None:
    rang: list[str] = []

    async def good(tx: Tx) -> None:
        tx.after_commit(lambda: rang.append("good"))

    async def bad(tx: Tx) -> None:
        tx.after_commit(lambda: rang.append("bad"))
        raise ValueError("no")

    await asyncio.gather(store.write(good), store.write(bad), return_exceptions=True)

    assert rang == ["good"]


async def test_a_caller_that_goes_away_disturbs_nobody(store: Store) -> None:
    waiting = [asyncio.create_task(store.write(lease(f"n{i}"))) for i in range(20)]
    await asyncio.sleep(0)
    waiting[3].cancel()

    done = await asyncio.gather(*waiting, return_exceptions=True)

    assert sum(isinstance(one, str) for one in done) == 19
    assert await store.write(lease("after")) == "after"


async def test_a_time_comes_back_in_utc_and_a_naive_one_is_refused(store: Store) -> None:
    await store.write(lease("a"))
    with pytest.raises(Exception, match="without a zone"):
        await store.write(lambda tx: insert_new(tx.db, LeaseRow, name="b", holder="x", until=datetime(2026, 1, 1)))  # noqa: DTZ001

    assert (await rows(store, "leases"))[0]["until"] == NOW


async def test_hundreds_of_writes_at_once_are_all_kept(store: Store) -> None:
    async def note(tx: Tx) -> None:
        await insert_new(tx.db, AuditRow, at=NOW, what="x", who="", facts="{}")

    await asyncio.gather(*(store.write(note) for _ in range(300)))

    assert len(await rows(store, "audit")) == 300


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_deed_that_waits_for_something_else_is_refused_and_leaves_nothing(store: Store) -> None:
    async def waits(tx: Tx) -> None:
        await lease("half")(tx)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="a deed waited for something"):
        await store.write(waits)

    assert await rows(store, "leases") == []


async def test_a_long_question_sees_what_was_written_before_it(store: Store) -> None:
    await store.write(lease("a"))

    async def question(db: Any) -> list[str]:
        return list((await db.exec(select(LeaseRow.name))).all())

    assert await store.survey(question) == ["a"]
    assert await store.read(question) == ["a"]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_who_waits_is_not_told_of_a_line_that_postgresql_gave_up(store: Store) -> None:
    """A line that stalls in a transaction is ended by the server with SQLSTATE 25P03, no operational error."""
    tries = 0

    async def stalls_once(tx: Tx) -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            await (await tx.db.connection()).execute(text("SET LOCAL idle_in_transaction_session_timeout = 1"))
            await _until_ended(store, await _who_am_i(tx))
        return await lease("patient")(tx)

    assert await store.write_patiently(stalls_once) == "patient"
    assert tries == 2


async def _who_am_i(tx: Tx) -> int:
    answer = await (await tx.db.connection()).execute(text("SELECT pg_backend_pid()"))
    return int(answer.scalar_one())


async def _until_ended(store: Store, backend: int) -> None:
    """Until the server has closed that line."""
    is_there = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :backend")
    while await store.read(lambda db: _count(db, is_there, backend)):
        pass


async def _count(db: Any, question: Any, backend: int) -> int:
    return int((await (await db.connection()).execute(question, {"backend": backend})).scalar_one())
